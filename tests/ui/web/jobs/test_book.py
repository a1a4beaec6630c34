import asyncio
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from bus.problems import Kind, Problem
from tests.bus.rabbit.foreign import eventually
from tests.ui.web.jobs.office import DAY_MS, NOW, NOWHERE, Office, office_at, record
from ui.web.jobs import moves, rows
from ui.web.jobs.book import MOST_EVENTS, Book, Ending
from ui.web.jobs.record import JOB_BYTES, Counts, Record
from ui.web.jobs.rows import Wanted

PROBLEM = Problem.of(Kind.EXPIRED, "Late.")
FAIL: Ending = partial(moves.failed, problem=PROBLEM, now_ms=NOW + 1, kept_ms=DAY_MS)


async def written(office: Office, job: Record) -> Record | None:
    """As it is in the database."""
    return await office.database.run(rows.one, job.user, job.id)


def running(job: Record) -> Record:
    return job.model_copy(update={"state": "running"})


async def test_moves_are_seen_at_once_and_written_soon(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        office.book.move(running(job))
        assert await office.state(job) == ["running"]
        assert await written(office, job) == job
        await office.book.write()
        assert await written(office, job) == running(job)


async def test_a_restart_takes_up_what_was_written(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job, other = await office.add(1), await office.add(2)
        office.book.move(running(job))
        await office.book.end({other.id: FAIL})
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        assert office.book.under_way == {job.id: running(job)}
        assert await office.state(other) == ["failed"]
        assert office.allowances.counts("anna") == Counts(1, 2 * (JOB_BYTES + 100))


async def test_a_job_ends_once(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        done = partial(moves.cancelled, now_ms=NOW + 2, kept_ms=DAY_MS)
        first, second = await asyncio.gather(office.book.end({job.id: FAIL}), office.book.end({job.id: done}))
        assert [len(first), len(second)] == [1, 0]
        assert await office.state(job) == ["failed"]
        assert await office.book.end({job.id: done, "nobody's": done}) == []
        assert office.allowances.counts("anna").under_way == 0


async def test_a_move_that_comes_while_a_job_ends_does_not_undo_it(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        office.book.move(running(job))
        ending = asyncio.ensure_future(office.book.end({job.id: FAIL}))
        await asyncio.sleep(0)
        office.book.move(running(job))
        office.book.show(running(job))
        await ending
        await office.book.write()
        ended = await written(office, job)
        assert ended is not None
        assert ended.state == "failed"


async def test_a_move_that_is_written_while_a_job_ends_does_not_undo_it(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        office.book.move(running(job))
        await asyncio.gather(office.book.end({job.id: FAIL}), office.book.write())
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        assert await office.state(job) == ["failed"]


async def test_a_late_move_fills_in_an_ended_job(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        ended = (await office.book.end({job.id: FAIL}))[0]
        office.book.move(ended.model_copy(update={"ran_ms": 7}))
        await office.book.write()
        assert await written(office, job) == ended.model_copy(update={"ran_ms": 7})


async def test_a_disk_that_takes_nothing_ends_no_job_and_loses_no_move(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        jobs = [await office.add(number, name="x" * 200) for number in range(60)]
        await office.limit(1)
        long = {"given_up_for": "y" * 20_000}
        for job in jobs[1:]:
            office.book.move(job.model_copy(update=long))
        with pytest.raises(sqlite3.OperationalError, match="full"):
            await office.book.write()
        with pytest.raises(sqlite3.OperationalError, match="full"):
            await office.book.end({jobs[0].id: lambda job: FAIL(job.model_copy(update=long))})
        assert await office.state(jobs[0]) == ["accepted"]
        await office.limit(100_000)
        await office.book.end({jobs[0].id: FAIL})
        await eventually(lambda: not office.book._moved)
        assert await written(office, jobs[5]) == jobs[5].model_copy(update=long)
        assert await office.state(jobs[0]) == ["failed"]


async def test_an_end_that_can_not_be_written_down_is_none(tmp_path: Path) -> None:
    def odd(job: Record) -> Record:
        return FAIL(job).model_copy(update={"given_up_for": "\ud800"})

    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        with pytest.raises(ValueError, match="surrogates"):
            await office.book.end({job.id: odd})
        assert (await office.state(job), office.book.is_ending(job.id)) == (["accepted"], False)
        assert await office.book.end({job.id: FAIL})


async def test_an_end_takes_the_place_of_one_that_was_not_written_down(tmp_path: Path) -> None:
    def odd(job: Record) -> Record:
        return FAIL(job).model_copy(update={"given_up_for": "\ud800"})

    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        first, second = await asyncio.gather(
            office.book.end({job.id: odd}), office.book.end({job.id: FAIL}), return_exceptions=True
        )
        assert isinstance(first, ValueError)
        assert isinstance(second, list)
        assert [ended.id for ended in second] == [job.id]
        assert await office.state(job) == ["failed"]


async def test_an_end_that_nobody_waits_for_any_more_is_written_down_all_the_same(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        gone = asyncio.ensure_future(office.book.end({job.id: FAIL}))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone})
        await office.book.close()
        assert (job.id in office.book.under_way, office.book.is_ending(job.id)) == (False, False)
        assert office.allowances.counts("anna").under_way == 0


async def test_a_move_that_can_not_be_written_down_keeps_none_from_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        odd, fine = await office.add(1), await office.add(2)
        office.book.move(odd.model_copy(update={"vm": "\ud800"}))
        await eventually(lambda: "moves of jobs are not written" in caplog.text)
        office.book.move(running(fine))
        await eventually(lambda: not office.book._moved)
        assert await written(office, fine) == running(fine)


async def test_so_many_events_are_kept(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        for number in range(MOST_EVENTS + 5):
            office.book.tell(job.id, number, f"{number}".encode())
        office.book.tell(job.id, 99, b"x" * 10_000)
        assert await office.book.events(job.id) == [f"{number}" for number in range(MOST_EVENTS)]
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        office.book.tell(job.id, 100, b"one more")
        assert len(await office.book.events(job.id)) == MOST_EVENTS


async def test_what_is_removed_is_gone_from_everywhere(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        ended = (await office.book.end({job.id: FAIL}))[0]
        await office.book.remove([ended], NOW)
        await office.book.remove([ended], NOW)
        office.book.move(ended)
        assert await office.state(job) == ["removed"]
        assert await office.book.some(Wanted("anna", None, None, 10, None)) == []
        assert office.allowances.counts("anna") == Counts(0, 0)


async def test_one_that_was_never_opened_closes(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        await Book(office.database, office.allowances, office.book._followers).close()
        assert record().id not in office.book.under_way


OPEN = partial(moves.reopened, replays=1, now_ms=NOW + 2, spans=moves.Spans(3_600_000, DAY_MS))


async def test_a_failed_job_is_opened_anew_and_ends_again(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        (failed,) = await office.book.end({job.id: FAIL})
        office.book.move(failed.model_copy(update={"ran_ms": 7}))  # told late, and still to be written
        before = await office.book.reopen("anna", job.id, OPEN)
        assert before is not None
        assert (before.state, before.ran_ms) == ("failed", 7)
        await office.book.write()
        opened = await written(office, job)
        assert opened is not None
        assert (opened, opened.state) == (office.book.under_way[job.id], "queued")
        assert office.allowances.counts("anna") == Counts(1, JOB_BYTES + 100)
        office.book.move(running(opened))
        await office.book.write()
        assert await written(office, job) == running(opened)
        assert await office.book.reopen("anna", job.id, OPEN) is None
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        assert await office.state(job) == ["running"]
        assert len(await office.book.end({job.id: FAIL})) == 1
        assert office.allowances.counts("anna").under_way == 0


async def test_only_a_failed_job_of_that_user_is_opened_anew(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        failed, cancelled = await office.add(1), await office.add(2)
        await office.book.end({failed.id: FAIL, cancelled.id: partial(moves.cancelled, now_ms=NOW, kept_ms=DAY_MS)})
        assert await office.book.reopen("ben", failed.id, OPEN) is None
        assert await office.book.reopen("anna", cancelled.id, OPEN) is None
        assert await office.book.reopen("anna", "f" * 32, OPEN) is None
        assert await office.state(failed, cancelled) == ["failed", "cancelled"]


async def test_of_a_job_that_is_removed_and_opened_anew_at_once_one_holds(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        first, second = await office.add(1), await office.add(2)
        (failed,) = await office.book.end({first.id: FAIL})
        (other,) = await office.book.end({second.id: FAIL})
        opened, gone = await asyncio.gather(
            office.book.reopen("anna", first.id, OPEN), office.book.remove([failed], NOW)
        )
        assert (opened, gone) == (failed, [])
        gone, opened = await asyncio.gather(
            office.book.remove([other], NOW), office.book.reopen("anna", second.id, OPEN)
        )
        assert (opened, gone) == (None, [second.id])
        assert await office.state(first, second) == ["queued", "removed"]
        assert office.allowances.counts("anna") == Counts(1, JOB_BYTES + 100)


async def test_a_job_that_the_disk_does_not_let_be_opened_stays_failed(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        await office.book.end({job.id: FAIL})
        await office.database.run(lambda connection: connection.execute("ALTER TABLE job_desk RENAME TO elsewhere"))
        with pytest.raises(sqlite3.OperationalError, match="job_desk"):
            await office.book.reopen("anna", job.id, OPEN)
        assert await office.state(job) == ["failed"]
        assert office.book.under_way == {}
