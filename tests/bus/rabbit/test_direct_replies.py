"""Answers to direct reply-to: to whoever asked, and with no harm from a name that is forged."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from bus.errors import Disconnected, Refused, Unroutable
from bus.messages import Message
from bus.rabbit import Bus, direct_replies
from bus.rabbit.direct_replies import DirectReplies
from bus.rabbit.session import Session, parameters
from bus.topology import DIRECT_REPLY_TO, Queue, Topology
from tests.bus.rabbit.foreign import Foreign, eventually, network

pytestmark = pytest.mark.broker
OF_NO_NODE = (
    f"{DIRECT_REPLY_TO}.g1h2AA5yZXBseUA1NzY0NzY4OQAAC8YAAAAAZR0aaw==.kVZ4Q6fRGvqkjGWjnKjtjw=="  # codespell:ignore
)
"""Well-formed, but of a node that this broker has never heard of."""


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Bus]:
    async with Bus(amqp_url, name="test", topology=Topology(queues=(Queue("work"),))) as bus:
        yield bus


@pytest.fixture
def caller(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


async def named(bus: Bus, caller: Foreign, answers: list[bytes]) -> str:
    """The name that the broker gives the caller's channel, whose answers are put into the list."""
    caller.channel.basic_consume(DIRECT_REPLY_TO, lambda _c, _m, _p, body: answers.append(body), auto_ack=True)
    caller.publish("", "work", reply_to=DIRECT_REPLY_TO)
    name: str | None = (await caller.get("work")).properties.reply_to
    assert name is not None
    return name


def connections(bus: Bus) -> int:
    """How often the connection of everything else was made."""
    return bus._sessions


async def heard(caller: Foreign, answers: list[bytes], number: int) -> list[bytes]:
    def look() -> bool:
        caller.channel.connection.process_data_events(0)
        return len(answers) >= number

    await eventually(look)
    return answers


async def test_the_first_answer_goes_apart_and_the_next_with_all_others(bus: Bus, caller: Foreign) -> None:
    answers: list[bytes] = []
    name = await named(bus, caller, answers)
    await bus.direct_replies.publish(Message(b"first", name))
    apart = bus.direct_replies._apart
    assert apart is not None
    apart.end(Disconnected("by hand"))
    await bus.direct_replies.publish(Message(b"next", name))
    assert await heard(caller, answers, 2) == [b"first", b"next"]
    assert bus.direct_replies._apart is apart  # no other was made


@pytest.mark.parametrize(
    "name", [OF_NO_NODE, f"{DIRECT_REPLY_TO}.x.y", f"{DIRECT_REPLY_TO}.g1h2.x", f"{DIRECT_REPLY_TO}.é.é"]
)
async def test_a_forged_name_harms_nobody(bus: Bus, caller: Foreign, name: str) -> None:
    answers: list[bytes] = []
    genuine = await named(bus, caller, answers)
    forged = bus.direct_replies.publish(Message(b"forged", name))
    outcome, _ = await asyncio.gather(
        forged, bus.direct_replies.publish(Message(b"good", genuine)), return_exceptions=True
    )
    assert outcome is None or isinstance(outcome, Unroutable)  # some RabbitMQ pass over some of them
    assert await heard(caller, answers, 1) == [b"good"]
    assert connections(bus) == 1


async def test_a_name_without_a_channel_is_nobody_s(bus: Bus) -> None:
    await bus.direct_replies.publish(Message(b"lost", f"{DIRECT_REPLY_TO}.x"))
    assert connections(bus) == 1


async def test_a_name_is_forgotten_when_more_come_and_when_the_connection_is_lost(bus: Bus, amqp_url: str) -> None:
    replies = DirectReplies(parameters(amqp_url, "few", 5), lambda: bus._session, most_proven=2)
    for number in range(3):
        await replies.publish(Message(b"", f"{DIRECT_REPLY_TO}.{number}"))
    assert list(replies._proven) == [f"{DIRECT_REPLY_TO}.1", f"{DIRECT_REPLY_TO}.2"]
    again = asyncio.ensure_future(replies.publish(Message(b"", f"{DIRECT_REPLY_TO}.1")))
    await asyncio.sleep(0)
    assert bus._session is not None
    bus._session.end(Disconnected("by hand"))
    with pytest.raises(Disconnected):
        await again
    assert not replies._proven
    await replies.close()


async def test_without_a_second_connection_all_are_refused_and_not_one_after_the_other(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_replies, "_AGAIN_AFTER_S", (0.0, 0.1))
    nowhere = DirectReplies(parameters("amqp://127.0.0.1:1", "nowhere", 5), lambda: bus._session)
    tries: list[object] = []
    monkeypatch.setattr(nowhere, "_open", watched(nowhere._open, tries))
    answers = [nowhere.publish(Message(b"", f"{DIRECT_REPLY_TO}.{number}")) for number in range(20)]
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Refused}
    assert len(tries) == 2
    monkeypatch.setattr(nowhere, "_none_until_s", 0.0)
    with pytest.raises(Refused, match="no second connection"):
        await nowhere.publish(Message(b"", f"{DIRECT_REPLY_TO}.x"))
    assert len(tries) == 4
    await nowhere.close()


def watched(call: Callable[[], Awaitable[Session]], calls: list[object]) -> Callable[[], Awaitable[Session]]:
    async def counted() -> Session:
        calls.append(call)
        return await call()

    return counted


async def test_a_try_that_is_cancelled_leaves_no_connection_that_never_opened(bus: Bus) -> None:
    name = f"{DIRECT_REPLY_TO}.x"
    first = asyncio.ensure_future(bus.direct_replies.publish(Message(b"", name)))
    await eventually(lambda: bus.direct_replies._apart)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await bus.direct_replies.publish(Message(b"", name))
    assert list(bus.direct_replies._proven) == [name]


async def test_who_waits_for_another_first_answer_is_told_when_the_connection_is_lost(bus: Bus) -> None:
    replies, names = bus.direct_replies, [f"{DIRECT_REPLY_TO}.{name}" for name in ("x", "y")]
    assert bus._session is not None
    async with replies._one_at_a_time:
        waiting = [asyncio.ensure_future(replies.publish(Message(b"", name))) for name in names]
        await asyncio.sleep(0)
        replies._proven[names[0]] = None  # as the one that they wait for would have it
        bus._session.end(Disconnected("by hand"))
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Disconnected, Disconnected]
    assert replies._apart is None


async def test_what_is_under_way_when_a_bus_is_closed_ends_and_leaves_no_connection(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=Topology()) as bus:
        names = [f"{DIRECT_REPLY_TO}.{name}" for name in ("x", "y")]
        waiting = [asyncio.ensure_future(bus.direct_replies.publish(Message(b"", name))) for name in names]
        await eventually(lambda: bus.direct_replies._apart)
        apart = bus.direct_replies._apart
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {type(None), Disconnected}
    assert apart is not None
    assert apart.closed.done()
    assert bus.direct_replies._apart is None


async def test_whoever_waits_is_told_when_the_broker_is_gone(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_replies, "_AGAIN_AFTER_S", (60.0,))
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=Topology()) as bus:
        nowhere = DirectReplies(parameters("amqp://127.0.0.1:1", "nowhere", 5), lambda: bus._session)
        waiting = asyncio.ensure_future(nowhere.publish(Message(b"", f"{DIRECT_REPLY_TO}.x")))
        await asyncio.sleep(0.1)
        between.cut()
        with pytest.raises(Disconnected):
            await waiting
        with pytest.raises(Disconnected):
            await bus.direct_replies.publish(Message(b"", f"{DIRECT_REPLY_TO}.x"))


async def test_the_second_connection_is_closed_when_nobody_needs_it(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_replies, "_IDLE_S", 0.05)
    for name in ("x", "y"):
        await bus.direct_replies.publish(Message(b"", f"{DIRECT_REPLY_TO}.{name}"))
        await eventually(lambda: bus.direct_replies._apart is None)
