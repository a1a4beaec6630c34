import asyncio
from functools import partial
from pathlib import Path

import pytest

from bus.problems import Kind, Problem
from tests.bus.rabbit.foreign import eventually
from tests.ui.web.jobs.office import DAY_MS, NOW, NOWHERE, Office, office_at
from ui.web.jobs import moves
from ui.web.jobs.moves import GRACE_MS, Spans
from ui.web.jobs.upkeep import Upkeep

END = partial(moves.failed, problem=Problem.of(Kind.EXPIRED, "Late."), now_ms=NOW, kept_ms=DAY_MS)


def upkeep_of(office: Office) -> Upkeep:
    return Upkeep(office.database, office.book, office.files, Spans(3_600_000, DAY_MS))


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
        assert office.allowances.counts("anna").kept_bytes == 200


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
