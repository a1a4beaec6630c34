"""How a bridge ends jobs, on a real broker: confirmed first, then told."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from bridge import endings as module
from bridge.endings import Endings, Tally, event
from bus import replies
from bus.answers import Answer
from bus.messages import Job, Message
from bus.problems import Kind, Problem
from bus.rabbit import Bus
from bus.topology import DEAD, JOBS_LANES, Binding, Exchange, Queue, Topology
from tests.bus.rabbit.foreign import Foreign, eventually

HOME = "home"
TOPOLOGY = Topology(
    (Exchange(JOBS_LANES, "direct"), Exchange("events", "topic")),
    (Queue(HOME, {"x-queue-type": "quorum"}), Queue(DEAD, {"x-queue-type": "quorum"})),
    (Binding(JOBS_LANES, HOME, "sketch"),),
)
PROBLEM = Problem.of(Kind.EXPIRED, "It came too late.")


def job(reply_to: str | None) -> Job:
    return Job(id="j1", operation="sketch", body=b"x", reply_to=reply_to, attempt=2, placement="p1", user="anna")


@contextlib.asynccontextmanager
async def at_work(url: str) -> AsyncIterator[tuple[Endings, Foreign, Bus]]:
    with Foreign(url) as foreign:
        async with Bus(url, name="test", topology=TOPOLOGY) as bus:
            yield Endings(bus, Tally()), foreign, bus


def test_an_event_tells_which_placement_went_to_the_cloud() -> None:
    told = event(job("r"), "sent", cost=0.5)
    assert (told.route, told.attempt, told.placement, told.cost) == ("cloud", 2, "p1", 0.5)


@pytest.mark.broker
async def test_answered_refused_handed_home_and_buried(amqp_url: str) -> None:
    async with at_work(amqp_url) as (endings, foreign, _):
        waiting = job(foreign.queue())
        answer = Answer.to(waiting, content_type="image/png", body=b"drawn", ran_ms=7, vm="rev-7", cost=0.1)
        done = await endings.answer(waiting, answer)
        assert done is not None
        assert (done.state, done.vm, done.ran_ms, done.cost, endings.tally.answered) == ("done", "rev-7", 7, 0.1, 1)
        assert (await foreign.get(waiting.reply_to or "")).body == b"drawn"
        failed = await endings.refuse(waiting, PROBLEM)
        assert failed is not None
        assert (failed.state, failed.problem, failed.reason) == ("failed", "expired", "It came too late.")
        home = await endings.hand_home(waiting, "full")
        assert home is not None
        assert (home.state, home.reason) == ("retried", "full")
        back = (await foreign.get(HOME)).headers
        assert back["attempt"] == 1
        told = json.loads(back["history"])[-1]
        assert (told["attempt"], told["vm"], told["reason"]) == (2, "cloud", "full")  # by this the router keeps it home
        buried = await endings.bury(job(None), "nobody waits")
        assert buried is not None
        assert buried.state == "unanswerable"
        assert (await foreign.get(DEAD)).headers["reason"] == "nobody waits"


@pytest.mark.broker
async def test_a_gone_caller_is_counted_and_a_full_queue_buries_the_job(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "_AGAIN_AFTER_S", ())
    async with at_work(amqp_url) as (endings, foreign, _):
        gone = await endings.refuse(job("gone"), PROBLEM)
        assert gone is not None
        assert (gone.state, endings.tally.gone, endings.tally.answered) == ("unanswerable", 1, 0)
        full = foreign.queue("full", x_max_length=1, x_overflow="reject-publish")
        foreign.publish("", full)
        refused = await endings.refuse(job(full), PROBLEM)
        assert refused is not None
        assert refused.state == "unanswerable"
        assert "could not be delivered" in (await foreign.get(DEAD)).headers["reason"]


@pytest.mark.broker
async def test_what_can_not_be_read_is_answered_or_kept(amqp_url: str) -> None:
    async with at_work(amqp_url) as (endings, foreign, _):
        replies_ = foreign.queue()
        told = [
            await endings.refuse_unread(Message(routing_key="sketch", reply_to=reply_to), PROBLEM)
            for reply_to in (replies_, "gone", None)
        ]
        assert [step and step.state for step in told] == ["failed", "unanswerable", "unanswerable"]
        await foreign.get(replies_)
        await foreign.get(DEAD)


@pytest.mark.broker
async def test_nothing_has_ended_when_the_connection_is_lost(amqp_url: str) -> None:
    async with at_work(amqp_url) as (endings, _, bus):
        endings.close()  # nor when it is there again, for the next shift
        assert await endings.refuse(job("r"), PROBLEM) is None
        assert await endings.hand_home(job("r"), "full") is None
        assert await endings.bury(job("r"), "nobody waits") is None
        lost = Endings(bus, Tally())
        await bus.close()
        assert await lost.refuse(job("r"), PROBLEM) is None
        assert await lost.hand_home(job("r"), "full") is None
        assert await lost.bury(job("r"), "nobody waits") is None
        for reply_to in ("r", None):
            assert await lost.refuse_unread(Message(routing_key="sketch", reply_to=reply_to), PROBLEM) is None


@pytest.mark.broker
async def test_a_queue_that_takes_nothing_is_tried_again(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.02)
    async with at_work(amqp_url) as (endings, foreign, _):
        foreign.channel.queue_unbind(HOME, JOBS_LANES, "sketch")
        foreign.channel.queue_delete(DEAD)
        trying = [
            asyncio.ensure_future(work) for work in (endings.hand_home(job("r"), "full"), endings.bury(job("r"), "x"))
        ]
        await asyncio.sleep(0.1)
        assert [each.done() for each in trying] == [False, False]
        foreign.channel.queue_bind(HOME, JOBS_LANES, "sketch")
        foreign.queue(DEAD, x_queue_type="quorum")
        await eventually(lambda: all(each.done() for each in trying))
        assert [(await each) is not None for each in trying] == [True, True]
