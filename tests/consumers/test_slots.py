"""The slots of a worker, without one: processes that come and go."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator

import pytest

from bus.messages import Job, Message
from bus.rabbit import Delivery
from consumers.answers import Ended, Failed
from consumers.compute import Child
from consumers.settlement import Held
from consumers.slots import Run, Slots
from telemetry.logs import bound
from tests.bus.rabbit.foreign import eventually
from tests.consumers.desk import CHILD, computing
from tests.consumers.operations.pictures import photograph
from tests.loglines import logged

JOB = Job(id="j1", operation="sketch", body=photograph())


@pytest.fixture
async def slots() -> AsyncIterator[Slots]:
    slots = Slots(CHILD, 1, lambda: None)
    await slots.load()
    yield slots
    slots.stop()
    await slots.close()
    assert computing() == []


def taken(slots: Slots) -> Child:
    child = slots.take()
    assert child is not None
    return child


def held() -> Held:
    return Held(Delivery(Message(), "", redelivered=False, returns=0, tag=1, session=1), JOB, "key")


def stop(child: Child) -> None:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)


async def drawn(slots: Slots, child: Child) -> Ended | Failed:
    (outcome,) = await slots.compute(child, [JOB], "vm1", 60)
    return outcome


async def test_a_process_is_taken_once_until_it_is_free(slots: Slots) -> None:
    child = taken(slots)
    assert (slots.idle, slots.take()) == (0, None)
    assert isinstance(await drawn(slots, child), Ended)
    slots.free(child)
    assert (slots.idle, slots.take()) == (1, child)


async def test_a_process_that_died_idle_is_not_given_out_and_comes_back() -> None:
    told: list[None] = []
    slots = Slots(CHILD, 1, lambda: told.append(None))
    await slots.load()
    (child,) = slots.children
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    await eventually(lambda: not child.is_alive)
    assert slots.take() is None
    await eventually(lambda: slots.idle)
    assert len(told) == 2
    slots.stop()
    await slots.close()


async def test_slots_that_were_stopped_start_nothing(slots: Slots) -> None:
    child = taken(slots)
    slots.stop()
    child.kill()
    slots.free(child)
    await asyncio.sleep(0)
    assert (slots.idle, computing()) == (0, [])


async def test_a_start_that_is_under_way_when_slots_are_stopped_is_given_up(slots: Slots) -> None:
    child = taken(slots)
    child.kill()
    slots.free(child)
    await eventually(lambda: child.pid)
    slots.stop()
    await slots.close()
    assert computing() == []


async def test_a_run_is_ended_only_when_nobody_wants_it(slots: Slots) -> None:
    child = taken(slots)
    child.start_s = 0
    stop(child)
    one, other = held(), held()
    run = Run(child, (one, other))
    running = asyncio.create_task(drawn(slots, child))
    run.drop(one)
    assert run.wanted == {other}
    await asyncio.wait({running}, timeout=0.2)
    assert child.is_alive
    run.drop(other)
    run.drop(other)  # once more is harmless
    outcome = await running
    assert isinstance(outcome, Failed)
    assert (outcome.ran_ms or 0) >= 200
    run.over()
    slots.free(child)
    await eventually(lambda: slots.idle)
    assert isinstance(await drawn(slots, taken(slots)), Ended)


async def test_a_run_that_is_over_in_time_keeps_its_process(slots: Slots) -> None:
    child = taken(slots)
    job = held()
    run = Run(child, (job,))
    child.start_s = 0.1
    run.drop(job)
    run.over()
    await asyncio.sleep(0.2)
    assert child.is_alive


async def test_a_process_that_is_started_again_is_no_matter_of_the_job_that_found_it_gone() -> None:
    slots = Slots(CHILD, 1, lambda: logging.getLogger("idle").info("idle"))
    await slots.load()
    slots.children[0].kill()
    with logged("idle") as lines:
        with bound(job="another"):
            await eventually(lambda: slots.take() is None)
        await eventually(lambda: bool(lines.all))
    slots.stop()
    await slots.close()
    assert "job" not in lines.all[0]
