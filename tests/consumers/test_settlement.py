"""How a job ends when the broker won't have what takes its place; the rest is in test_worker.py."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bus.messages import Job
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Delivery
from bus.topology import DEAD, JOBS_LANES, JOBS_RETURNED, VMS, Binding, Exchange, Queue, Topology, of_vm, vm_queue
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


async def held(bus: Bus, foreign: Foreign) -> tuple[Held, list[Delivery]]:
    inbox: list[Delivery] = []
    await bus.consume(vm_queue("vm1"), inbox.append, prefetch=1)
    foreign.publish(VMS, vm_queue("vm1"), b"picture", message_id="j1", headers={"operation": "sketch"})
    await eventually(lambda: inbox)
    return Held(inbox[0], Job.from_message(inbox[0].message, 0), "key"), inbox


async def test_a_job_that_cannot_be_handed_back_stays_with_its_vm(bus: Bus, foreign: Foreign) -> None:
    job, inbox = await held(bus, foreign)
    Settlement(bus, "vm1").hand_back(job, job.job, "no reason")
    await eventually(lambda: len(inbox) == 2)
    assert (inbox[1].message.body, inbox[1].returns) == (b"picture", 1)


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
