"""Asking queues how full they are, on a real broker."""

import asyncio

import pytest

import bus.rabbit.session as sessions
from bus.errors import BusError, Disconnected
from bus.rabbit import Bus
from bus.rabbit.counting import Counts, counts
from bus.rabbit.session import Session
from tests.bus.rabbit.conftest import WORK
from tests.bus.rabbit.foreign import Foreign, eventually, network

pytestmark = pytest.mark.broker


def opened(bus: Bus) -> Session:
    assert bus._session is not None
    return bus._session


def channels(bus: Bus) -> int:
    connection = opened(bus)._connection
    assert connection is not None
    return len(connection._channels)


async def test_queues_that_are_there_and_some_that_are_not(bus: Bus, foreign: Foreign) -> None:
    foreign.publish("", "work", b"x")
    named = ["gone", "work", "nowhere", "lost", "work"]
    assert await bus.depths(named) == {"gone": None, "work": 1, "nowhere": None, "lost": None}
    assert (await bus.counts("work"), await bus.counts("gone")) == (Counts(1, 0), None)
    assert await bus.depths([]) == {}


async def test_a_queue_that_is_another_connections_alone_is_not_missing(bus: Bus, foreign: Foreign) -> None:
    theirs = foreign.channel.queue_declare("", exclusive=True).method.queue
    assert await bus.depths([theirs]) == {theirs: None}
    assert await bus.missing(["gone", theirs, "work", "nowhere"]) == {"gone", "nowhere"}
    assert await bus.missing([]) == frozenset()


async def test_a_question_leaves_no_channel_behind(bus: Bus) -> None:
    before = channels(bus)
    assert await bus.depths(["work", "nowhere"]) == {"work": 0, "nowhere": None}
    with pytest.raises(TimeoutError, match="queue work does not answer"):
        await counts(opened(bus), "work", timeout_s=0.0)
    await eventually(lambda: channels(bus) == before)
    assert bus.connected


async def test_a_channel_that_opens_too_late_is_closed(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK) as bus:
        before = channels(bus)
        between.freeze()
        monkeypatch.setattr(sessions, "_OPEN_TIMEOUT_S", 0.1)
        with pytest.raises(BusError, match="rabbitmq-diagnostics"):
            await bus.counts("work")
        between.mend()
        await eventually(lambda: channels(bus) == before)
        assert bus.connected


async def test_questions_that_a_lost_connection_leaves_unanswered_are_told(amqp_url: str) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK) as bus:
        asked = [asyncio.ensure_future(bus.counts("work")) for _ in range(5)]
        await asyncio.sleep(0)
        between.cut()
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in told} == {Disconnected}


async def test_a_question_to_a_connection_that_is_closing_is_told_so(bus: Bus) -> None:
    opened(bus).close()
    with pytest.raises(Disconnected, match="the connection was lost while asking for the depths of queues"):
        await bus.depths(["work"])
