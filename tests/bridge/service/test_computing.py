"""Jobs in the slots of a cloud service: the line before them, deadlines, and what becomes of runs that end badly."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import pytest
import pytest_asyncio

from bridge.pubsub.resources import wanted
from bridge.service.computing import (
    WAIT_S,
    WAITING_PER_SLOT,
    Busy,
    Computing,
    ComputingConfig,
    Crashed,
    NotServed,
    OutOfReach,
    name_of,
)
from bridge.service.publishing import TRIES_S, TRY_S
from bus.blobs import BlobsDown
from bus.messages import Job
from bus.settings import Settings
from bus.topology import OPERATIONS
from consumers.answers import Kept, problem_of
from tests.bridge.a_service import PHOTOGRAPH, frozen, settings, slots
from tests.bus.rabbit.foreign import eventually
from tests.consumers.operations.pictures import opened

pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextlib.asynccontextmanager
async def loaded(**given: Any) -> AsyncIterator[Computing]:
    async with slots(settings(**given)) as computing:
        computing.load()
        await eventually(lambda: computing.served)
        yield computing


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncIterator[Computing]:
    """One for all tests but those that send it away: its process takes a while to start."""
    async with loaded() as computing:
        yield computing


def job(**given: Any) -> Job:
    return Job(**{"id": "t1", "operation": "sketch", "body": PHOTOGRAPH, **given})


def child(computing: Computing) -> int | None:
    return computing._slots.children[0].pid


def deadline(seconds: float) -> int:
    return int((time.time() + seconds) * 1000)


def slug(kept: Kept) -> str | None:
    problem = problem_of(kept)
    return None if problem is None else problem.slug


async def test_a_job_that_comes_while_it_loads_waits_for_that() -> None:
    async with slots() as computing:
        computing.load()
        assert computing.served is None
        kept = await computing.run(job())
        assert computing.served is not None
    assert opened(kept.body).format == "JPEG"
    assert (kept.content_type, kept.headers["vm"]) == ("image/jpeg", "cloud")
    assert kept.headers["began_ms"] <= deadline(0)
    assert kept.headers["ran_ms"] >= 0
    assert kept.headers["model"]


async def test_bad_input_is_an_answer(desk: Computing) -> None:
    assert slug(await desk.run(job(body=b"no picture"))) == "not-an-image"
    assert slug(await desk.run(job(params={"format": "exe"}))) == "bad-field"


async def test_a_picture_that_another_could_fetch_is_no_bad_input(desk: Computing) -> None:
    with pytest.raises(OutOfReach, match="no blob store here"):
        await desk.run(job(body=b"", claim=f"pictures/20300101/{'a' * 32}"))


async def test_what_is_not_served_is_not_begun(desk: Computing) -> None:
    with pytest.raises(NotServed, match="OVERSPILL_OPERATIONS"):
        await desk.run(job(operation="caption"))


async def test_an_expired_job_is_answered_and_not_run(desk: Computing) -> None:
    with frozen(child(desk)):
        assert slug(await desk.run(job(deadline_ms=deadline(-1)))) == "expired"


async def test_a_run_ends_with_its_jobs_time_and_the_slot_serves_on(desk: Computing) -> None:
    with frozen(child(desk)):
        assert slug(await desk.run(job(deadline_ms=deadline(0.3)))) == "expired"
    assert slug(await desk.run(job(deadline_ms=deadline(60)))) is None


async def test_a_run_that_takes_too_long_is_answered_once_and_for_all() -> None:
    async with loaded(job_timeout_s=0.5) as desk:
        with frozen(child(desk)):
            assert slug(await desk.run(job(deadline_ms=deadline(60)))) == "timed-out"


async def test_a_crash_is_no_answer_and_the_slot_serves_on(desk: Computing) -> None:
    with frozen(child(desk)) as pid:
        running = asyncio.create_task(desk.run(job()))
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Crashed, match="signal 9"):
            await running
    assert slug(await desk.run(job())) is None


async def test_who_waits_is_served_in_turn_or_told_that_time_ran_out(desk: Computing) -> None:
    with frozen(child(desk)):
        first = asyncio.create_task(desk.run(job()))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(desk.run(job()))
        assert slug(await desk.run(job(deadline_ms=deadline(0.2)))) == "expired"
        assert not first.done()
    kept = await asyncio.gather(first, second)
    assert [slug(each) for each in kept] == [None, None]
    assert kept[0].headers["began_ms"] <= kept[1].headers["began_ms"]


async def test_nobody_waits_for_ever(desk: Computing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.service.computing.WAIT_S", 0.1)
    with frozen(child(desk)):
        running = asyncio.create_task(desk.run(job()))
        await asyncio.sleep(0.05)
        with pytest.raises(Busy, match="no slot was free"):
            await desk.run(job())
    assert slug(await running) is None
    assert slug(await desk.run(job())) is None


async def test_a_picture_is_not_waited_for_longer_than_a_slot(desk: Computing, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(job: Job, link: str | None = None) -> Job:
        await asyncio.Event().wait()
        return job

    monkeypatch.setattr("bridge.service.computing.WAIT_S", 0.1)
    monkeypatch.setattr(desk._claims, "fetch", hang)
    with pytest.raises(BlobsDown, match=r"within the 0\.1 s"):
        await desk.run(job(body=b"", claim=f"pictures/20300101/{'a' * 32}"))


async def test_what_waited_ran_and_was_published_as_long_as_may_be_is_not_pushed_again_before() -> None:
    chosen = Settings(pubsub_emulator_host="e:1", cloud_services=(("sketch", "http://s"),))
    (pushed,) = (each for each in wanted(chosen).subscriptions if each.push)
    assert WAIT_S + chosen.job_timeout_s + TRIES_S + TRY_S < pushed.ack_deadline_s


async def test_the_line_has_a_place_for_all_that_an_emulator_pushes_together_and_an_end(desk: Computing) -> None:
    pushed_together = 2 * len(OPERATIONS)
    assert pushed_together <= 1 + WAITING_PER_SLOT
    with ExitStack() as guests:
        for _ in range(WAITING_PER_SLOT):
            guests.enter_context(desk.place())
        with desk.place(), pytest.raises(Busy, match="line is full"), desk.place():
            pass
        with desk.place():
            pass


async def test_a_service_that_goes_away_finishes_what_runs_and_sends_away_what_waits() -> None:
    async with loaded() as desk:
        with frozen(child(desk)):
            running = asyncio.create_task(desk.run(job()))
            await asyncio.sleep(0.05)
            waiting = asyncio.create_task(desk.run(job()))
            await asyncio.sleep(0.05)
            desk.drain()
            with pytest.raises(Busy, match="going away"):
                await waiting
            with pytest.raises(Busy, match="going away"), desk.place():
                pass
            assert desk.served is None
        assert slug(await running) is None


async def test_a_service_that_goes_away_while_it_loads_keeps_nobody() -> None:
    async with slots() as computing:
        with pytest.raises(Busy):
            await computing.run(job())
        computing.load()
        waiting = asyncio.create_task(computing.run(job()))
        await asyncio.sleep(0.05)
        computing.drain()
        with pytest.raises(Busy):
            await waiting


async def test_a_run_that_nobody_waits_for_any_more_ends_and_frees_its_place(desk: Computing) -> None:
    with frozen(child(desk)):
        running = asyncio.create_task(desk.run(job()))
        await asyncio.sleep(0.05)
        gone = asyncio.create_task(desk.run(job()))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    assert slug(await running) is None
    assert slug(await desk.run(job())) is None


async def test_a_store_that_fails_is_a_passing_fault(tmp_path: Any) -> None:
    (tmp_path / "pictures").write_text("where a folder should be")
    async with slots(settings(blobs=f"file://{tmp_path}")) as computing:
        computing.load()
        with pytest.raises(BlobsDown):
            await computing.run(job(body=b"", claim=f"pictures/20300101/{'a' * 32}"))


async def test_what_answers_call_the_service() -> None:
    assert name_of(settings(k_revision="overspill-00007-abc")) == "overspill-00007-abc"
    assert name_of(settings(vm_name="vm1")) == "cloud-vm1"
    assert name_of(settings(vm_name="cloud-eu")) == "cloud-eu"


async def test_slots_are_the_settings_or_the_cores() -> None:
    assert ComputingConfig.of(settings(slots=3), 8, 1 << 30).slots == 3
    assert ComputingConfig.of(settings(slots=None), 2.0, 1 << 30).slots == 2
    assert ComputingConfig.of(settings(slots=None), 0.5, 1 << 30).slots == 1
