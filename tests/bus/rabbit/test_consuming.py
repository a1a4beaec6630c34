"""Deliveries: settled once, given back, or moved aside when we fail; and what garbage foreign clients send."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bus.messages import Job, Message
from bus.rabbit import Bus, Delivery
from bus.rabbit.consuming import returns_of
from bus.topology import Binding, Exchange, Queue, Topology
from tests.bus.rabbit.conftest import WORK, Sessions
from tests.bus.rabbit.foreign import Foreign, eventually, network

pytestmark = pytest.mark.broker

Inbox = list[Delivery]
"""What a consumer was handed; its `append` is the handler."""


async def first(inbox: Inbox, count: int = 1) -> Delivery:
    """The last of the first `count` deliveries."""
    await eventually(lambda: len(inbox) >= count)
    return inbox[count - 1]


async def settled(foreign: Foreign, queue: str, depth: int = 0) -> None:
    """Nobody holds a message of the queue any more, and so many lie in it."""
    await eventually(lambda: foreign.depth(queue) == depth)


async def test_a_delivery_says_what_it_is(bus: Bus, foreign: Foreign) -> None:
    inbox: Inbox = []
    await bus.consume("work", inbox.append, prefetch=10)
    foreign.publish("", "work", b"body", message_id="m1", headers={"user": "anna"})
    delivery = await first(inbox)
    message = delivery.message
    assert (message.body, message.routing_key, message.message_id) == (b"body", "work", "m1")
    assert message.headers == {"user": "anna"}
    assert (delivery.queue, delivery.redelivered, delivery.returns, delivery.exchange) == ("work", False, 0, "")


async def test_a_delivery_says_where_it_was_published_whichever_queue_gave_it_back(bus: Bus, foreign: Foreign) -> None:
    await bus.declare(Topology((Exchange("shop", "fanout"),), (), (Binding("shop", "work"),)))
    inbox: Inbox = []
    await bus.consume("work", inbox.append, prefetch=1)
    foreign.publish("shop", "any")
    bus.reject(await first(inbox), requeue=True)
    assert [(await first(inbox, 2)).exchange, inbox[0].exchange] == ["shop", "shop"]


async def test_what_is_acked_is_gone_and_what_is_not_comes_again(amqp_url: str, foreign: Foreign) -> None:
    async with Bus(amqp_url, name="one", topology=WORK) as bus:
        inbox: Inbox = []
        await bus.consume("work", inbox.append, prefetch=10)
        foreign.publish("", "work", b"acked")
        foreign.publish("", "work", b"kept")
        await first(inbox, 2)
        assert bus.ack(inbox[0]) is True
    assert (await foreign.get("work")).body == b"kept"
    assert foreign.depth("work") == 0


async def test_a_rejected_delivery_comes_again_and_is_counted(bus: Bus, foreign: Foreign) -> None:
    inbox: Inbox = []
    await bus.consume("work", inbox.append, prefetch=1)
    foreign.publish("", "work", headers={"user": "anna"})
    for count in (1, 2):
        bus.reject(await first(inbox, count), requeue=True)
    again = await first(inbox, 3)
    assert again.redelivered
    assert again.returns == 2
    assert again.message.headers == {"user": "anna"}


async def test_no_more_are_given_than_the_prefetch(bus: Bus, foreign: Foreign) -> None:
    inbox: Inbox = []
    for _ in range(9):
        foreign.publish("", "work")
    await bus.consume("work", inbox.append, prefetch=3)
    await first(inbox, 3)
    assert (await bus.depths(["work"]), len(inbox)) == ({"work": 6}, 3)
    bus.ack(inbox[0])
    await first(inbox, 4)


async def test_consumers_begun_at_once_keep_their_own_prefetch(bus: Bus, foreign: Foreign) -> None:
    await bus.declare(Topology(queues=(Queue("other", {"x-queue-type": "quorum"}),)))
    for _ in range(9):
        foreign.publish("", "work")
        foreign.publish("", "other")
    few: Inbox = []
    more: Inbox = []
    await asyncio.gather(bus.consume("work", few.append, prefetch=2), bus.consume("other", more.append, prefetch=5))
    await first(more, 5)
    await first(few, 2)
    assert await bus.depths(["work", "other"]) == {"work": 7, "other": 4}


async def test_a_handler_that_raises_loses_neither_connection_nor_message(bus: Bus, foreign: Foreign) -> None:
    aside = Exchange("aside", "fanout")
    careful = {"x-queue-type": "quorum", "x-dead-letter-exchange": "aside"}
    queues = (Queue("fragile", careful), Queue("aside"))
    await bus.declare(Topology((aside,), queues, (Binding("aside", "aside"),)))
    seen: list[bytes] = []

    def handler(delivery: Delivery) -> None:
        seen.append(delivery.message.body)
        if delivery.message.body == b"poison":
            raise LookupError("a fault of ours")
        bus.ack(delivery)

    await bus.consume("fragile", handler, prefetch=10)
    foreign.publish("", "fragile", b"poison")
    foreign.publish("", "fragile", b"good")
    assert (await foreign.get("aside")).body == b"poison"
    await eventually(lambda: b"good" in seen)
    assert bus.connected
    await settled(foreign, "fragile")


def acks(bus: Bus, delivery: Delivery) -> bool:
    return bus.ack(delivery)


def gives_back(bus: Bus, delivery: Delivery) -> bool:
    return bus.reject(delivery, requeue=True)


def puts_aside(bus: Bus, delivery: Delivery) -> bool:
    return bus.reject(delivery, requeue=False)


Settle = Callable[[Bus, Delivery], bool]


@pytest.mark.parametrize(("once", "again"), [*itertools.product([acks, puts_aside], [acks, gives_back, puts_aside])])
async def test_settling_twice_does_nothing_the_second_time(
    bus: Bus, foreign: Foreign, once: Settle, again: Settle
) -> None:
    inbox: Inbox = []
    await bus.consume("work", inbox.append, prefetch=1)
    sessions = Sessions(bus)
    foreign.publish("", "work", b"1")
    delivery = await first(inbox)
    assert (once(bus, delivery), bus.is_live(delivery), again(bus, delivery)) == (True, False, False)
    foreign.publish("", "work", b"2")
    assert acks(bus, await first(inbox, 2))
    await settled(foreign, "work")
    assert (len(inbox), sessions.ended) == (2, 0)


@pytest.mark.parametrize("settle", [acks, puts_aside])
async def test_a_handler_that_settles_and_then_raises_ends_no_session(
    bus: Bus, foreign: Foreign, settle: Settle
) -> None:
    seen: list[bytes] = []

    def handler(delivery: Delivery) -> None:
        seen.append(delivery.message.body)
        settle(bus, delivery)
        raise LookupError("a fault of ours")

    await bus.consume("work", handler, prefetch=1)
    sessions = Sessions(bus)
    for body in (b"1", b"2"):
        foreign.publish("", "work", body)
    await eventually(lambda: len(seen) == 2)
    await settled(foreign, "work")
    assert (seen, sessions.ended) == ([b"1", b"2"], 0)


async def test_what_a_listener_hears_needs_no_ack_and_takes_none(bus: Bus, foreign: Foreign) -> None:
    heard: Inbox = []
    await bus.listen([("amq.topic", "#")], heard.append)
    sessions = Sessions(bus)
    foreign.publish("amq.topic", "news", b"1")
    assert bus.ack(await first(heard)) is False
    foreign.publish("amq.topic", "news", b"2")
    await first(heard, 2)
    assert sessions.ended == 0


async def test_a_listener_that_raises_hears_the_next(bus: Bus, foreign: Foreign) -> None:
    await bus.declare(Topology(exchanges=(Exchange("news", "topic"),)))
    heard: list[bytes] = []

    def handler(delivery: Delivery) -> None:
        heard.append(delivery.message.body)
        raise LookupError("a fault of ours")

    await bus.listen([("news", "a.*"), ("news", "b.#")], handler)
    foreign.publish("news", "a.1", b"1")
    foreign.publish("news", "b.1.2", b"2")
    await eventually(lambda: heard == [b"1", b"2"])


async def test_nothing_comes_after_a_cancel_and_what_came_is_still_ours(bus: Bus, foreign: Foreign) -> None:
    inbox: Inbox = []
    consumer = await bus.consume("work", inbox.append, prefetch=1)
    foreign.publish("", "work", b"1")
    foreign.publish("", "work", b"2")
    delivery = await first(inbox)
    await bus.cancel(consumer)
    assert bus.is_live(delivery)
    assert bus.ack(delivery) is True
    assert (await foreign.get("work")).body == b"2"
    assert len(inbox) == 1
    await bus.cancel(consumer)  # once more is harmless


async def test_an_optional_queue_may_be_missing(bus: Bus, foreign: Foreign) -> None:
    inbox: Inbox = []
    consumer = await bus.consume("missing", inbox.append, prefetch=1, optional=True)
    assert bus.connected
    await bus.cancel(consumer)
    foreign.queue("missing")
    await bus.consume("missing", inbox.append, prefetch=1, optional=True)
    foreign.publish("", "missing", b"found")
    assert (await first(inbox)).message.body == b"found"


async def test_a_stale_delivery_can_no_longer_be_settled(amqp_url: str, foreign: Foreign) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK) as bus:
        inbox: Inbox = []
        await bus.consume("work", inbox.append, prefetch=1)
        foreign.publish("", "work")
        stale = await first(inbox)
        between.cut()
        await eventually(lambda: not bus.connected)
        assert (bus.ack(stale), bus.reject(stale, requeue=True), bus.is_live(stale)) == (False, False, False)
        between.mend()
        fresh = await first(inbox, 2)
        assert (fresh.redelivered, fresh.returns) == (True, 1)
        assert (bus.ack(stale), bus.reject(stale, requeue=False)) == (False, False)
        assert bus.is_live(fresh)
        assert bus.ack(fresh) is True
        await settled(foreign, "work")


async def test_a_caller_s_own_count_of_returns_is_not_believed(bus: Bus, foreign: Foreign) -> None:
    inbox: Inbox = []
    await bus.consume("work", inbox.append, prefetch=1)
    foreign.publish("", "work", headers={"x-delivery-count": 9})
    delivery = await first(inbox)
    assert (delivery.returns, delivery.message.headers) == (0, {})
    bus.reject(delivery, requeue=True)
    again = await first(inbox, 2)
    assert (again.returns, again.message.headers) == (1, {})


@pytest.mark.parametrize(
    ("told", "returns"), [(3, 3), (0, 0), (-5, 0), (1001, 1000), (2**62, 1000), ("7", 0), (1.5, 0), (None, 0)]
)
def test_returns_are_a_number_within_reason(told: object, returns: int) -> None:
    assert returns_of(told, redelivered=True) == returns
    assert returns_of(told, redelivered=False) == 0


GARBAGE: list[dict[str, Any]] = [
    {"deep": {"er": {"and": ["deeper", {"still": b"\xff\xfe"}]}}},
    {"at": datetime(2026, 1, 1, tzinfo=UTC), "price": Decimal("1.25"), "none": None, "yes": True, "long": 2**40},
    {"user": b"\xff\xfe"},
    {"user": ["a", "list"]},
    {"x-death": "not a list", "x-delivery-count": "many"},
    {"params": {"nested": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}}},
    {"": ""},
    {"n" * 255: "v" * 100_000},
]


@pytest.mark.parametrize("headers", GARBAGE, ids=lambda headers: next(iter(headers))[:8])
async def test_garbage_in_headers_reaches_the_handler(bus: Bus, foreign: Foreign, headers: dict[str, Any]) -> None:
    inbox: Inbox = []
    await bus.consume("work", inbox.append, prefetch=1)
    foreign.publish("", "work", headers=headers)
    delivery = await first(inbox)
    received = {key: value for key, value in headers.items() if key != "x-delivery-count"}
    assert delivery.message.headers == received
    assert delivery.returns == 0
    await bus.publish("", delivery.message)  # and may be sent on


IDS: list[tuple[str, Callable[[Job], object]]] = [
    ("message_id", lambda job: job.id),
    ("correlation_id", lambda job: job.correlation_id),
    ("reply_to", lambda job: job.reply_to),
]


@pytest.mark.parametrize(("name", "of_job"), IDS)
async def test_ids_of_255_bytes_are_whole(
    bus: Bus, foreign: Foreign, name: str, of_job: Callable[[Job], object]
) -> None:
    inbox: Inbox = []
    await bus.consume("work", inbox.append, prefetch=1)
    properties: dict[str, Any] = {name: "ü" * 127 + "x"}
    foreign.publish("", "work", b"", **properties)
    assert of_job(Job.from_message((await first(inbox)).message, 0)) == "ü" * 127 + "x"


async def test_a_correlation_id_that_is_no_text_goes_back_byte_for_byte(bus: Bus, foreign: Foreign) -> None:
    raw = bytes(range(128, 256))
    inbox: Inbox = []
    await bus.consume("work", inbox.append, prefetch=1)
    foreign.publish("", "work", correlation_id=raw)
    received = (await first(inbox)).message.correlation_id
    replies = foreign.queue()
    await bus.publish("", Message(routing_key=replies, correlation_id=received))
    assert (await foreign.get(replies)).properties.correlation_id == raw
