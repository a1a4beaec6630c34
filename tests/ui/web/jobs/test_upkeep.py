import asyncio
from functools import partial
from pathlib import Path

import pytest

from bus.problems import Kind, Problem
from tests.bus.rabbit.foreign import eventually
from tests.ui.web.jobs.office import DAY_MS, NOW, NOWHERE, Office, office_at
from ui.web.jobs import moves, removed_users
from ui.web.jobs import upkeep as upkeep_module
from ui.web.jobs.moves import GRACE_MS, Spans
from ui.web.jobs.record import JOB_BYTES, Counts
from ui.web.jobs.upkeep import Upkeep

END = partial(moves.failed, problem=Problem.of(Kind.EXPIRED, "Late."), now_ms=NOW, kept_ms=DAY_MS)


def upkeep_of(office: Office) -> Upkeep:
    return Upkeep(office.database, office.book, office.files, Spans(3_600_000, DAY_MS), lambda _record: None)


def files_of(office: Office) -> list[str]:
    return sorted({job_id for ids in office.files.ids() for job_id in ids})


async def test_what_nobody_answers_ends(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job, later = await office.add(1), await office.add(2, deadline_ms=NOW + DAY_MS)
        await upkeep_of(office).once(job.deadline_ms + GRACE_MS - 1)
        assert await office.state(job) == ["accepted"]
        await upkeep_of(office).once(job.deadline_ms + GRACE_MS)
        assert await office.state(job, later) == ["failed", "accepted"]


async def test_what_is_old_is_removed_with_its_files(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        old, new, waiting = [await office.add(number, deadline_ms=NOW + 9 * DAY_MS) for number in range(3)]
        await office.book.end({old.id: END})
        await office.book.end({new.id: partial(END, now_ms=NOW + 1000)})
        await upkeep_of(office).once(NOW + DAY_MS)
        assert await office.state(old, new, waiting) == ["removed", "failed", "accepted"]
        assert files_of(office) == [new.id, waiting.id]
        assert office.allowances.counts("anna").kept_bytes == 2 * (JOB_BYTES + 100)


async def test_a_removed_users_jobs_go_whatever_their_state(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        done, waiting, bens = await office.add(1), await office.add(2), await office.add(3, user="ben")
        await office.book.end({done.id: END})
        called_off: list[str] = []
        upkeep = Upkeep(
            *(office.database, office.book, office.files, Spans(3_600_000, DAY_MS)),
            lambda record: called_off.append(record.id),
        )
        await office.database.run(removed_users.add, "anna", NOW)
        await upkeep.once(NOW + 1)
        assert await office.state(done, waiting, bens) == ["removed", "removed", "accepted"]
        assert (called_off, files_of(office)) == ([waiting.id], [bens.id])
        assert office.allowances.counts("anna") == Counts(0, 0)
        assert await office.database.run(removed_users.names) == ["anna"]
        await upkeep.once(NOW + removed_users.HELD_MS)
        assert await office.database.run(removed_users.names) == []


async def test_a_job_whose_answer_is_just_being_kept_is_removed_after_it(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job, upkeep = await office.add(1), upkeep_of(office)
        await office.database.run(removed_users.add, "anna", NOW - removed_users.HELD_MS)
        answered = asyncio.ensure_future(office.book.end({job.id: END}))
        await asyncio.sleep(0)
        assert office.book.is_ending(job.id)
        await upkeep.once(NOW)
        assert answered.done()
        assert await office.state(job) == ["removed"]
        assert await office.database.run(removed_users.names) == []


async def test_files_of_no_job_are_swept_at_the_start(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add(1)
        await office.files.keep_result("ff" * 16, b"of a job that never was")
        await office.files.keep_result("ee" * 16, b"of another")
        office.files.aside().write_bytes(b"half")
        assert await upkeep_of(office).sweep() == 2
        assert files_of(office) == [job.id]
        assert list((tmp_path / "incoming").iterdir()) == []


async def test_a_disk_that_is_full_does_not_end_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add(1, deadline_ms=NOW - DAY_MS, given_up_for="x" * 100_000, given_up_ms=NOW)
        await office.limit(1)
        running = asyncio.create_task(upkeep_of(office).run(office.clock))
        await eventually(lambda: "not looked after" in caplog.text)
        assert not running.done()
        running.cancel()
        await office.limit(100_000)
        await upkeep_of(office).once(NOW)
        assert await office.state(job) == ["failed"]


async def test_a_row_that_makes_no_sense_ends_nothing_but_this_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(upkeep_module, "_EVERY_S", 0.01)
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        old = await office.add()
        await office.book.end({old.id: END})
        kept = await office.database.run(lambda connection: connection.execute(_DOCUMENT).fetchone())
        await office.database.run(lambda connection: connection.execute(_REWRITE, ("{}",)).rowcount)
        running = asyncio.create_task(upkeep_of(office).run(lambda: NOW + DAY_MS))
        await eventually(lambda: "old jobs are not looked after" in caplog.text)
        await office.database.run(lambda connection: connection.execute(_REWRITE, kept).rowcount)
        await eventually(lambda: not files_of(office))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


_DOCUMENT = "SELECT document FROM job"
_REWRITE = "UPDATE job SET document = ?"
