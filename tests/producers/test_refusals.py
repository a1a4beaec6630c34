"""How a router ends jobs itself, on a real broker: answered or buried, told, and settled once that is confirmed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bus import replies
from bus.answers import Answer
from bus.events import JobEvent
from bus.messages import Job, Message
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Delivery
from bus.topology import DEAD, DEFAULT_EXCHANGE, Queue, Topology
from producers.commands import Bury, Refuse
from producers.refusals import Refusals
from producers.tickets import Tickets
from telemetry.logs import plain_lines
from tests.bus.rabbit.foreign import Foreign, Got, eventually, network
from tests.tracing import recorded

pytestmark = pytest.mark.broker

LANE = "lane.00"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOPOLOGY = Topology(queues=tuple(Queue(name, {"x-queue-type": "quorum"}) for name in (LANE, DEAD)))
EXPIRED = Problem.of(Kind.EXPIRED, "It came too late.")
WORN_OUT = Problem.of(Kind.TOO_MANY_ATTEMPTS, "3 attempts came to nothing.")


class Counter:
    """A router's refusals, with what it holds and what it told."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.tickets = Tickets(bus)
        self.told: list[JobEvent] = []
        self.refusals = Refusals(bus, self.tickets, self.told.append)
        self.came: list[tuple[int, Job]] = []
        bus.on_disconnect = self.tickets.forget

    def take(self, delivery: Delivery) -> None:
        message = delivery.message
        job = Job(
            id=message.message_id or "",
            operation="sketch",
            user="anna",
            body=message.body,
            correlation_id=message.correlation_id,
            reply_to=message.reply_to,
            traceparent=TRACE,
        )
        self.came.append((self.tickets.hold(delivery), job))

    async def next(self) -> tuple[int, Job]:
        await eventually(lambda: bool(self.came))
        return self.came.pop(0)

    async def event(self) -> JobEvent:
        await eventually(lambda: bool(self.told))
        assert not self.refusals.unconfirmed
        return self.told.pop(0)

    async def settled(self, foreign: Foreign) -> None:
        """Nothing is held, and nothing comes again."""
        assert not len(self.tickets)
        await self.bus.close()
        assert foreign.depth(LANE) == 0


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


@contextlib.asynccontextmanager
async def at_work(url: str) -> AsyncIterator[Counter]:
    async with Bus(url, name="test", topology=TOPOLOGY) as bus:
        counter = Counter(bus)
        await bus.consume(LANE, counter.take, prefetch=10)
        yield counter


@pytest.fixture
async def counter(amqp_url: str) -> AsyncIterator[Counter]:
    async with at_work(amqp_url) as counter:
        yield counter


def send(foreign: Foreign, **properties: Any) -> None:
    headers = {"user": "anna", "operation": "sketch"}
    foreign.publish(DEFAULT_EXCHANGE, LANE, b"picture", **({"message_id": "j1", "headers": headers} | properties))


def answer(got: Got) -> Answer:
    properties = got.properties
    return Answer.from_message(
        Message(
            got.body,
            "",
            got.headers,
            properties.content_type,
            message_id=properties.message_id,
            correlation_id=properties.correlation_id,
        )
    )


async def test_a_refused_job_is_answered_told_and_settled(counter: Counter, foreign: Foreign) -> None:
    replies = foreign.queue()
    send(foreign, reply_to=replies, correlation_id="c1")
    ticket, job = await counter.next()
    counter.refusals.refuse(Refuse(ticket, job.model_copy(update={"attempt": 2, "pixels": 9}), EXPIRED))
    assert counter.tickets.get(ticket) is not None  # until the broker has the answer
    refusal = answer(await foreign.get(replies))
    assert (refusal.job, refusal.operation, refusal.attempt, refusal.correlation_id) == ("j1", "sketch", 2, "c1")
    assert refusal.problem is not None
    assert (refusal.problem.slug, refusal.problem.detail) == ("expired", "It came too late.")
    event = await counter.event()
    assert (event.key, event.job, event.user, event.attempt) == ("job.failed.sketch", "j1", "anna", 2)
    assert (event.problem, event.reason, event.pixels, event.traceparent) == ("expired", "It came too late.", 9, TRACE)
    await counter.settled(foreign)


async def test_a_message_that_is_no_job_is_answered_as_far_as_it_can_be_read(
    counter: Counter, foreign: Foreign
) -> None:
    replies = foreign.queue()
    send(foreign, reply_to=replies)
    ticket, _ = await counter.next()
    counter.refusals.refuse(Refuse(ticket, None, EXPIRED))
    refusal = answer(await foreign.get(replies))
    assert (refusal.job, refusal.operation, refusal.attempt) == ("j1", "sketch", None)
    event = await counter.event()
    assert (event.state, event.job, event.user, event.attempt) == ("failed", "j1", "anna", None)
    await counter.settled(foreign)


@pytest.mark.parametrize("user", [{}, {"user": ["anna"]}], ids=["none", "a list"])
async def test_a_message_without_a_user_that_can_be_told_is_anonymous(
    counter: Counter, foreign: Foreign, user: dict[str, Any]
) -> None:
    send(foreign, reply_to=foreign.queue(), headers={"operation": "sketch", **user})
    ticket, _ = await counter.next()
    counter.refusals.refuse(Refuse(ticket, None, EXPIRED))
    assert (await counter.event()).user == "anonymous"


@pytest.mark.parametrize("readable", [True, False])
async def test_a_job_that_names_nowhere_to_answer_is_buried(counter: Counter, foreign: Foreign, readable: bool) -> None:
    send(foreign)
    ticket, job = await counter.next()
    counter.refusals.refuse(Refuse(ticket, job if readable else None, EXPIRED))
    dead = await foreign.get(DEAD)
    assert (dead.body, dead.headers["reason"], dead.headers["operation"]) == (b"picture", "It came too late.", "sketch")
    event = await counter.event()
    assert (event.key, event.job, event.reason) == ("job.unanswerable.sketch", "j1", "It came too late.")
    await counter.settled(foreign)


@pytest.mark.parametrize("readable", [True, False])
async def test_a_job_that_is_worn_out_is_answered_and_kept(counter: Counter, foreign: Foreign, readable: bool) -> None:
    replies = foreign.queue()
    send(foreign, reply_to=replies)
    ticket, job = await counter.next()
    tried = job.failed(at_ms=5, reason="it took too long", vm="vm1")
    counter.refusals.refuse(Refuse(ticket, tried if readable else None, WORN_OUT))
    assert answer(await foreign.get(replies)).problem
    dead = await foreign.get(DEAD)
    assert (dead.body, dead.headers["reason"], dead.headers["operation"]) == (b"picture", WORN_OUT.detail, "sketch")
    assert ("it took too long" in dead.headers.get("history", "")) is readable
    assert (await counter.event()).problem == "too-many-attempts"
    await counter.settled(foreign)


def full(foreign: Foreign, queue: str) -> None:
    """Let a queue take no more until its one message is taken."""
    foreign.channel.queue_delete(queue)
    foreign.queue(queue, x_max_length=1, x_overflow="reject-publish")
    foreign.publish(DEFAULT_EXCHANGE, queue, b"in the way")


async def test_a_job_that_is_worn_out_is_ours_until_its_letter_is_safe(
    counter: Counter, foreign: Foreign, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    full(foreign, DEAD)
    replies = foreign.queue()
    send(foreign, reply_to=replies)
    ticket, job = await counter.next()
    counter.refusals.refuse(Refuse(ticket, job, WORN_OUT))
    assert answer(await foreign.get(replies)).problem  # who waits for it is not kept waiting
    await eventually(lambda: "trying again" in caplog.text)
    assert counter.tickets.get(ticket) is not None
    assert counter.told == []
    assert (await foreign.get(DEAD)).body == b"in the way"
    assert (await counter.event()).state == "failed"
    assert (await foreign.get(DEAD)).body == b"picture"
    await counter.settled(foreign)


async def test_a_dead_queue_that_takes_no_more_holds_up_no_job_that_is_answered(
    counter: Counter, foreign: Foreign, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(replies, "_AGAIN_AFTER_S", (0.01,))
    full(foreign, DEAD)
    send(foreign, reply_to=foreign.queue())
    ticket, job = await counter.next()
    counter.refusals.refuse(Refuse(ticket, job, WORN_OUT))
    assert (await counter.event()).state == "failed"
    assert "could not be kept in the queue dead" in caplog.text
    await counter.settled(foreign)


async def test_a_job_that_reached_neither_its_caller_nor_the_dead_queue_stays_ours(
    counter: Counter, foreign: Foreign
) -> None:
    foreign.channel.queue_delete(DEAD)
    send(foreign, reply_to="nobody-listens")
    ticket, job = await counter.next()
    counter.refusals.refuse(Refuse(ticket, job, WORN_OUT))
    await eventually(lambda: not counter.refusals.unconfirmed)
    assert counter.tickets.get(ticket) is not None
    assert counter.told == []


async def test_a_worn_out_job_whose_queue_refuses_its_answer_leaves_one_letter(
    counter: Counter, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "_AGAIN_AFTER_S", (0.01,))
    full(foreign, "full")
    send(foreign, reply_to="full")
    ticket, job = await counter.next()
    counter.refusals.refuse(Refuse(ticket, job, WORN_OUT))
    assert (await counter.event()).state == "unanswerable"
    assert (await foreign.get(DEAD)).headers["reason"] == WORN_OUT.detail
    assert foreign.depth(DEAD) == 0
    await counter.settled(foreign)


async def test_an_answer_whose_caller_is_gone_is_told_and_settled(counter: Counter, foreign: Foreign) -> None:
    send(foreign, reply_to="nobody-listens")
    ticket, job = await counter.next()
    counter.refusals.refuse(Refuse(ticket, job, EXPIRED))
    event = await counter.event()
    assert event.state == "unanswerable"
    assert "nobody-listens" in (event.reason or "")
    assert foreign.depth(DEAD) == 0
    await counter.settled(foreign)


async def test_an_answer_that_its_queue_refuses_is_buried(
    counter: Counter, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "_AGAIN_AFTER_S", (0.01,))
    full(foreign, "full")
    send(foreign, reply_to="full")
    ticket, job = await counter.next()
    counter.refusals.refuse(Refuse(ticket, job, EXPIRED))
    dead = await foreign.get(DEAD)
    assert dead.body == b"picture"
    assert "could not be delivered" in dead.headers["reason"]
    assert (await counter.event()).state == "unanswerable"
    await counter.settled(foreign)


async def test_what_is_told_of_a_burial_is_short_whatever_its_caller_wrote(counter: Counter, foreign: Foreign) -> None:
    send(foreign, headers={"user": "u" * 40_000, "operation": "o" * 40_000})
    ticket, _ = await counter.next()
    counter.refusals.bury(Bury(ticket, "no reply_to"))
    event = await counter.event()
    assert (len(event.user), len(event.operation)) == (128, 255)


async def test_a_burial_is_told_with_whose_job_it_was(counter: Counter, foreign: Foreign) -> None:
    for told, user in (("ben", "ben"), (7, "anonymous")):
        send(foreign, headers={"user": told})
        ticket, _ = await counter.next()
        counter.refusals.bury(Bury(ticket, "no reply_to"))
        assert (await counter.event()).user == user


async def test_a_burial_is_told_and_logged_under_the_span_of_its_refusal(
    counter: Counter, foreign: Foreign, caplog: pytest.LogCaptureFixture
) -> None:
    lines = plain_lines()
    caplog.handler.setFormatter(lines)
    with recorded() as spans:
        send(foreign)
        ticket, _ = await counter.next()
        counter.refusals.refuse(Refuse(ticket, None, EXPIRED))
        event = await counter.event()
    trace = spans.trace("route")  # which begins here: the message tells none
    assert (event.traceparent or "").split("-")[1] == trace
    assert f"goes to the dead queue: It came too late.  job=j1  trace={trace}" in caplog.text


async def test_what_the_dead_queue_refuses_stays_ours(
    counter: Counter, foreign: Foreign, caplog: pytest.LogCaptureFixture
) -> None:
    foreign.channel.queue_delete(DEAD)
    send(foreign)
    ticket, _ = await counter.next()
    counter.refusals.bury(Bury(ticket, "no reply_to"))
    await eventually(lambda: not counter.refusals.unconfirmed)
    assert counter.tickets.get(ticket) is not None
    assert counter.told == []
    assert "the dead queue refused a job" in caplog.text
    await counter.bus.close()
    assert foreign.depth(LANE) == 1


async def test_what_was_lost_with_its_connection_is_left_to_who_gets_it_next(
    counter: Counter, foreign: Foreign
) -> None:
    counter.refusals.refuse(Refuse(77, None, EXPIRED))
    counter.refusals.bury(Bury(77, "no reply_to"))
    assert not counter.refusals.unconfirmed
    assert counter.told == []


async def test_a_connection_lost_before_the_confirm_ends_nothing(amqp_url: str, foreign: Foreign) -> None:
    async with network(amqp_url) as between, at_work(between.url) as counter:
        replies = foreign.queue()
        send(foreign, reply_to=replies)
        send(foreign, message_id="j2")
        (first, job), (second, _) = await counter.next(), await counter.next()
        between.freeze()
        counter.refusals.refuse(Refuse(first, job, EXPIRED))
        counter.refusals.bury(Bury(second, "no reply_to"))
        await asyncio.sleep(0)
        between.cut()
        await eventually(lambda: not counter.refusals.unconfirmed)
        assert counter.told == []
        between.mend()
        ticket, job = await counter.next()  # both come again
        counter.refusals.refuse(Refuse(ticket, job, EXPIRED))
        assert (await counter.event()).job == "j1"
        assert answer(await foreign.get(replies)).problem == EXPIRED.model_copy(
            update={"instance": "urn:overspill:job:j1"}
        )
