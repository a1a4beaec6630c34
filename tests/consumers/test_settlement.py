"""How a job ends when the broker won't have what takes its place; the rest is in test_worker.py."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bus import replies
from bus.messages import Job
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Delivery
from bus.topology import DEAD, JOBS_LANES, JOBS_RETURNED, VMS, Binding, Exchange, Queue, Topology, of_vm, vm_queue
from consumers.answers import Kept, refusal
from consumers.settlement import Held, Settlement
from tests.bus.rabbit.foreign import Foreign, eventually

pytestmark = pytest.mark.broker

_OURS = of_vm("vm1")
TOPOLOGY = Topology(
    (
        Exchange(JOBS_LANES, "x-consistent-hash", {"hash-header": "user"}),
        Exchange(VMS, "direct"),
        Exchange(JOBS_RETURNED, "fanout"),
    ),
    (Queue(JOBS_RETURNED, {"x-queue-type": "quorum"}), *_OURS.queues),
    (Binding(JOBS_RETURNED, JOBS_RETURNED), *_OURS.bindings),
)
"""Without a `dead` queue, and with no lane behind `jobs.lanes`."""


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Bus]:
    async with Bus(amqp_url, name="test", topology=TOPOLOGY) as bus:
        yield bus


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


async def held(bus: Bus, foreign: Foreign, reply_to: str | None = None) -> tuple[Held, list[Delivery]]:
    inbox: list[Delivery] = []
    await bus.consume(vm_queue("vm1"), inbox.append, prefetch=1)
    hop = {"operation": "sketch"}
    foreign.publish(VMS, vm_queue("vm1"), b"picture", message_id="j1", headers=hop, reply_to=reply_to)
    await eventually(lambda: inbox)
    return Held(inbox[0], Job.from_message(inbox[0].message, 0), "key"), inbox


async def test_a_job_that_cannot_be_handed_back_stays_with_its_vm(bus: Bus, foreign: Foreign) -> None:
    job, inbox = await held(bus, foreign)
    Settlement(bus, "vm1").hand_back(job, job.job, "no reason")
    await eventually(lambda: len(inbox) == 2)
    assert (inbox[1].message.body, inbox[1].returns) == (b"picture", 1)


def worn_out(job: Held) -> Kept:
    return refusal(job.job, Problem.of(Kind.TOO_MANY_ATTEMPTS, "3 attempts came to nothing."))


async def test_a_worn_out_job_is_answered_at_once_and_settled_when_its_letter_is_safe(
    bus: Bus, foreign: Foreign, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    foreign.publish("", foreign.queue(DEAD, x_max_length=1, x_overflow="reject-publish"), b"in the way")
    callers = foreign.queue()
    job, _ = await held(bus, foreign, callers)
    ends = Settlement(bus, "vm1")
    ends.answer(job, worn_out(job), buried=True)
    await foreign.get(callers)
    await eventually(lambda: "trying again" in caplog.text)
    assert (bus.is_live(job.delivery), ends.done) == (True, 0)
    assert (await foreign.get(DEAD)).body == b"in the way"
    assert (await foreign.get(DEAD)).body == b"picture"
    await ends.settled(20)
    assert (bus.is_live(job.delivery), ends.done) == (False, 1)


async def test_a_dead_queue_that_is_not_there_holds_up_no_job_that_is_answered(bus: Bus, foreign: Foreign) -> None:
    callers = foreign.queue()
    job, _ = await held(bus, foreign, callers)
    ends = Settlement(bus, "vm1")
    ends.answer(job, worn_out(job), buried=True)
    await foreign.get(callers)
    await ends.settled(20)
    assert (bus.is_live(job.delivery), ends.done) == (False, 1)


@pytest.mark.parametrize("reply_to", [None, "nobody-listens"])
async def test_a_job_that_reached_neither_its_caller_nor_the_dead_queue_comes_again(
    bus: Bus, foreign: Foreign, reply_to: str | None
) -> None:
    job, inbox = await held(bus, foreign, reply_to)
    ends = Settlement(bus, "vm1")
    ends.answer(job, worn_out(job), buried=True)
    await eventually(lambda: len(inbox) == 2)
    assert (inbox[1].message.body, ends.done) == (b"picture", 0)


async def test_a_result_whose_queue_takes_no_more_leaves_a_letter_before_its_job_ends(
    bus: Bus, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "_AGAIN_AFTER_S", ())
    foreign.queue(DEAD)
    job, _ = await held(bus, foreign, full(foreign))
    ends = Settlement(bus, "vm1")
    ends.answer(job, Kept(b"drawn", "image/png", {}))
    assert "could not be delivered" in (await foreign.get(DEAD)).headers["reason"]
    await ends.settled(20)
    assert (bus.is_live(job.delivery), ends.done) == (False, 1)


async def test_what_is_no_job_and_whose_queue_takes_no_more_goes_back_to_the_router(
    bus: Bus, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "_AGAIN_AFTER_S", ())
    job, _ = await held(bus, foreign, full(foreign))
    Settlement(bus, "vm1").refuse_unread(job.delivery, Problem.of(Kind.BAD_FIELD, "Nothing fits."))
    assert (await foreign.get(JOBS_RETURNED)).body == b"picture"


def full(foreign: Foreign) -> str:
    """A queue that takes no more."""
    queue = foreign.queue("full", x_max_length=1, x_overflow="reject-publish")
    foreign.publish("", queue, b"in the way")
    return queue


async def test_an_unreadable_job_that_cannot_be_kept_comes_back_to_the_router(bus: Bus, foreign: Foreign) -> None:
    job, _ = await held(bus, foreign)
    assert foreign.depth(DEAD) is None
    Settlement(bus, "vm1").refuse_unread(job.delivery, Problem.of(Kind.BAD_FIELD, "Nothing fits."))
    assert (await foreign.get(JOBS_RETURNED)).body == b"picture"


async def test_nothing_is_sent_for_a_job_that_is_no_longer_ours(bus: Bus, foreign: Foreign) -> None:
    job, _ = await held(bus, foreign)
    ends = Settlement(bus, "vm1")
    await bus.close()
    ends.hand_back(job, job.job, "no reason")
    await ends.settled(5)
    assert ends.done == 0
    await eventually(lambda: foreign.depth(vm_queue("vm1")) == 1)
