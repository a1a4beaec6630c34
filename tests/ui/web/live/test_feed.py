"""The fleet, heard on a real broker: told at once when it matters, with its past before the page was there."""

import asyncio
import itertools
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bus.clock import now_ms
from bus.events import Heartbeat, JobEvent, RouterStatus, event_message
from bus.messages import Message
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import EVENTS, HEARTBEATS, shared
from tests.bus.rabbit.foreign import Foreign, eventually, network
from ui.web.live.feed import Feed
from ui.web.live.sample import Sample

pytestmark = pytest.mark.broker
SETTINGS = Settings(lost_after_beats=1)


class Teller:
    """A VM, a router and its jobs, as they speak."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self._seq = bus, 0

    def beat(self, cpu: float = 10.0, *, at_ms: int | None = None) -> None:
        self._seq += 1
        beat = Heartbeat(
            vm="vm1", session="s", started_ms=0, seq=self._seq, at_ms=at_ms or now_ms(), cpu_percent=cpu,
            ram_percent=50, cores=1, slots=1, worker="ready",
        )  # fmt: skip
        self._bus.post(HEARTBEATS, event_message(beat, "vm.heartbeat.vm1"))

    def tell(self, state: str, *, at_ms: int | None = None, **said: Any) -> None:
        told = {"state": state, "job": "j", "operation": "sketch", "at_ms": at_ms or now_ms(), **said}
        event = JobEvent.model_validate(told)
        self._bus.post(EVENTS, event_message(event, event.key))

    def route(self, **said: Any) -> None:
        status = RouterStatus.model_validate({"router": "r", "at_ms": now_ms(), "routed": 1, **said})
        self._bus.post(EVENTS, event_message(status, status.key))


@asynccontextmanager
async def feeding(url: str) -> AsyncIterator[tuple[Feed, list[Sample]]]:
    """A feed and what it told."""
    told: list[Sample] = []
    async with Bus(url, name="page", topology=shared()) as bus:
        feed = Feed(bus, SETTINGS, told.append)
        await feed.start()
        try:
            yield feed, told
        finally:
            await feed.close()


@pytest.fixture
async def teller(amqp_url: str) -> AsyncIterator[Teller]:
    async with Bus(amqp_url, name="teller", topology=shared()) as bus:
        yield Teller(bus)


def cpu_of(told: list[Sample]) -> list[float | None]:
    return [sample.vms["vm1"].cpu for sample in told if "vm1" in sample.vms]


async def test_what_is_news_is_told_and_time_goes_on_without_it(amqp_url: str, teller: Teller) -> None:
    async with feeding(amqp_url) as (_, told):
        teller.beat(10)
        await eventually(lambda: 10.0 in cpu_of(told))
        teller.beat(90)
        await eventually(lambda: 90.0 in cpu_of(told))
        await eventually(lambda: told[-1].vms["vm1"].state == "lost")
        teller.beat(20)
        teller.route(drained=("vm1",))
        await eventually(lambda: told[-1].vms["vm1"].state == "draining")
        seen = len(told)
        await eventually(lambda: len(told) > seen + 1)
    assert all(sample.at_ms <= later.at_ms for sample, later in itertools.pairwise(told))


async def test_queues_are_counted_and_jobs_too(amqp_url: str, teller: Teller) -> None:
    async with feeding(amqp_url) as (_, told):
        with Foreign(amqp_url) as foreign:
            foreign.publish("", "dead", b"x")
        teller.tell("routed", vm="vm1")
        teller.tell("done", waited_ms=100, ran_ms=900)
        await eventually(lambda: told and told[-1].queues.get("dead") == 1)
        await eventually(lambda: any(sample.placed == {"vm1": 1} for sample in told))
        await eventually(lambda: told[-1].latency.n == 1)


async def test_garbage_is_passed_over(amqp_url: str, teller: Teller) -> None:
    async with feeding(amqp_url) as (_, told):
        teller._bus.post(HEARTBEATS, Message(b"garbage", "vm.heartbeat.vm1"))
        teller.beat()
        await eventually(lambda: cpu_of(told))


async def test_the_time_before_the_page_is_there_and_goes_on_live(amqp_url: str, teller: Teller) -> None:
    now = now_ms()
    for second in range(60, 2, -1):
        teller.beat(cpu=second, at_ms=now - second * 1000)
        if second == 30:
            teller.tell("done", waited_ms=100, ran_ms=900, at_ms=now - 30_000)
    await asyncio.sleep(0.5)  # the broker writes a stream in its own time
    async with feeding(amqp_url) as (feed, told):
        await eventually(lambda: feed.complete)
        teller.beat(99)
        await eventually(lambda: 99.0 in cpu_of(told))
        await eventually(lambda: told[-1].latency.n == 1)
        columns = feed.columns.told()
        past = [value for value in columns["vms", "vm1", "cpu"] if not math.isnan(value)]
        done = [value for value in columns["total", "done"] if value == 1]
    assert [value for value in past if value != 99][:5] == [60, 59, 58, 57, 56]
    assert len(past) >= 50
    assert len(done) == 1


async def test_what_was_told_while_the_connection_was_lost_is_read_afterwards(amqp_url: str, teller: Teller) -> None:
    async with network(amqp_url) as between, feeding(between.url) as (feed, told):
        await eventually(lambda: feed.complete)
        teller.beat(11)
        await eventually(lambda: 11.0 in cpu_of(told))
        between.cut()
        await eventually(lambda: not told[-1].connected)
        for value in (55, 56, 57):
            teller.beat(value)
            await asyncio.sleep(1.0)
        between.mend()
        await eventually(lambda: told[-1].connected)

        def row() -> list[float]:
            return list(feed.columns.told().get(("vms", "vm1", "cpu"), ()))

        await eventually(lambda: 56.0 in row())
