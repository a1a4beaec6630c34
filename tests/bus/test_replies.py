"""Answers reach their callers, and a dead job keeps what can be told of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.clock import now_ms
from bus.errors import Unroutable
from bus.messages import Message
from bus.rabbit import Bus, Delivery
from bus.replies import bury, epitaph, send_answer
from bus.topology import DEAD, DIRECT_REPLY_TO, Queue, Topology
from tests.bus.rabbit.foreign import Foreign, eventually

TOPOLOGY = Topology(queues=(Queue(DEAD, {"x-queue-type": "quorum"}), Queue("work", {"x-queue-type": "quorum"})))


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Bus]:
    async with Bus(amqp_url, name="test", topology=TOPOLOGY) as bus:
        yield bus


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


@pytest.mark.broker
async def test_an_answer_reaches_its_queue_or_says_that_there_is_none(bus: Bus, foreign: Foreign) -> None:
    replies = foreign.queue()
    await send_answer(bus, Message(b"sketch", replies))
    assert (await foreign.get(replies)).body == b"sketch"
    with pytest.raises(Unroutable):
        await send_answer(bus, Message(b"sketch", "gone"))


@pytest.mark.broker
async def test_a_full_reply_queue_gets_its_answer_once_there_is_room(bus: Bus, foreign: Foreign) -> None:
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    await bus.declare(Topology(queues=(Queue("small", arguments),)))
    await send_answer(bus, Message(b"first", "small"))
    second = send_answer(bus, Message(b"second", "small"))
    await asyncio.sleep(0.3)
    assert not second.done()
    assert (await foreign.get("small")).body == b"first"
    await asyncio.wait_for(second, 10)
    assert (await foreign.get("small")).body == b"second"


@pytest.mark.broker
async def test_direct_reply_to_is_answered_without_a_queue(bus: Bus, foreign: Foreign) -> None:
    answers: list[bytes] = []
    foreign.channel.basic_consume(DIRECT_REPLY_TO, lambda _c, _m, _p, body: answers.append(body), auto_ack=True)
    foreign.publish("", "work", reply_to=DIRECT_REPLY_TO)
    inbox: list[Delivery] = []
    await bus.consume("work", inbox.append, prefetch=1)
    await eventually(lambda: inbox)
    reply_to = inbox[0].message.reply_to
    assert reply_to is not None
    await send_answer(bus, Message(b"sketch", reply_to))

    def look() -> list[bytes]:
        foreign.channel.connection.process_data_events(0)
        return answers

    assert await eventually(look) == [b"sketch"]


@pytest.mark.broker
async def test_a_direct_reply_to_whose_caller_left_is_no_fault(bus: Bus, amqp_url: str) -> None:
    with Foreign(amqp_url) as caller:
        caller.channel.basic_consume(DIRECT_REPLY_TO, lambda *_: None, auto_ack=True)
        caller.publish("", "work", reply_to=DIRECT_REPLY_TO)
    inbox: list[Delivery] = []
    await bus.consume("work", inbox.append, prefetch=1)
    await eventually(lambda: inbox)
    await send_answer(bus, Message(b"sketch", inbox[0].message.reply_to or ""))
    assert bus.connected


@pytest.mark.broker
async def test_a_forged_direct_reply_to_ends_nobody_s_connection(bus: Bus, foreign: Foreign) -> None:
    lost: list[bool] = []
    bus.on_disconnect = lambda: lost.append(True)
    with pytest.raises(Unroutable):
        await send_answer(bus, Message(b"sketch", f"{DIRECT_REPLY_TO}.made.up"))
    replies = foreign.queue()
    await send_answer(bus, Message(b"sketch", replies))
    assert (await foreign.get(replies)).body == b"sketch"
    assert not lost


@pytest.mark.broker
async def test_a_dead_job_keeps_its_picture_and_its_address_for_ever(bus: Bus, foreign: Foreign) -> None:
    job = Message(b"picture", "sketch", {"user": "anna"}, "image/png", "j1", b"\xff", "replies", expiration="1")
    await bury(bus, job, "a reason " * 999)
    dead = await foreign.get(DEAD)
    properties = dead.properties
    assert (dead.body, properties.message_id, properties.reply_to) == (b"picture", "j1", "replies")
    assert (properties.correlation_id, properties.expiration) == (b"\xff", None)
    assert dead.headers["operation"] == "sketch"
    assert len(dead.headers["reason"]) == 1000
    assert dead.headers["dead_ms"] <= now_ms()


ODD: list[dict[Any, Any]] = [
    {"CC": ["work"], "BCC": ["work"]},
    {"CC": "not a list"},
    {b"\xff\xfe": 1, "user": b"\xff"},
    {"user": "x" * 100_000, "params": {"a": ["y"] * 10_000}},
    {"params": {"strength": 0.5, "at": datetime(2026, 1, 1, tzinfo=UTC), "long": 2**70}},
]


@pytest.mark.broker
@pytest.mark.parametrize("headers", ODD, ids=range(len(ODD)))
async def test_no_header_keeps_a_job_from_its_grave_or_sends_it_elsewhere(
    bus: Bus, foreign: Foreign, headers: dict[Any, Any]
) -> None:
    await bury(bus, Message(b"picture", "sketch", headers), "a reason")
    assert (await foreign.get(DEAD)).body == b"picture"
    assert foreign.depth("work") == 0
    assert bus.connected


@pytest.mark.broker
async def test_a_job_that_cannot_be_buried_is_logged(
    bus: Bus, foreign: Foreign, caplog: pytest.LogCaptureFixture
) -> None:
    foreign.channel.queue_delete(DEAD)
    with pytest.raises(Unroutable):
        await bury(bus, Message(b"picture", "sketch"), "a reason")
    assert "a job could not be kept in the queue dead" in caplog.text


def test_the_hop_knows_the_operation_better_than_the_queue() -> None:
    assert epitaph(Message(routing_key="vm.vm1", headers={"operation": "sketch"})) == {"operation": "sketch"}


@pytest.mark.parametrize("key", ["sketch", "vm.vm1", "dead"])
@pytest.mark.parametrize("claimed", ["o" * 100_000, ["o"], None], ids=["long", "a list", "none"])
def test_a_letter_always_tells_its_operation_shortly(key: str, claimed: Any) -> None:
    by_hop = {"vm.vm1": "o" * 255, "dead": "o" * 255} if isinstance(claimed, str) else {}
    assert epitaph(Message(routing_key=key, headers={"operation": claimed})) == {"operation": by_hop.get(key, key)}


@given(
    st.dictionaries(st.sampled_from(["user", "params", "site", "CC", "x-death", "attempt"]), st.text() | st.binary())
)
def test_only_the_contract_is_told(headers: dict[str, Any]) -> None:
    assert epitaph(Message(routing_key="sketch", headers=headers)).keys() <= {
        "user", "params", "site", "attempt", "operation"
    }  # fmt: skip
