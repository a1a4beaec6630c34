import asyncio
import errno
import os
import shutil
import threading
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from bus.errors import BadInput
from tests.ui.web.jobs.office import DAY_MS, KEPT, NOW, NOWHERE, PHOTO, Office, office_at, order, picture, record
from ui.web.jobs.accepting import Accepting, Bounds, Whole
from ui.web.jobs.allowances import Allowances, Most
from ui.web.jobs.moves import Spans, cancelled
from ui.web.jobs.record import Accepted, Counts, Record


def accepting_of(office: Office, *, jobs: int = 100, size: int = 1 << 20) -> Accepting:
    office.allowances = Allowances(Most(jobs, size, 1 << 30))
    office.book._allowances = office.allowances
    bounds = Bounds(bytes=10_000, local_bytes=1000, pixels=100_000)
    return Accepting(office.book, office.files, office.allowances, bounds, Spans(1000, DAY_MS), office.clock)


async def hand_in(accepting: Accepting, body: bytes = PHOTO, user: str = "anna", **more: object) -> Accepted:
    async with accepting.incoming(user, cast("str | None", more.get("idempotency_key"))) as coming:
        await coming.write(body)
        return await accepting.accept(order(user, **more), coming)


def pictures(office: Office) -> int:
    return len([path for path in office.files.root.rglob("*") if len(path.name) == 32])


@pytest.mark.parametrize(
    ("body", "given", "slug"),
    [
        (b"", {}, "empty-image"),
        (picture(400), {}, "too-many-pixels"),
        (PHOTO, {"operation": "paint"}, "unknown-operation"),
        (PHOTO, {"user": "x" * 129}, "bad-field"),
        (PHOTO + bytes(2000), {"site": "local"}, "too-many-bytes"),
    ],
    ids=["empty", "pixels", "operation", "user", "local"],
)
async def test_what_is_not_accepted_leaves_nothing(
    tmp_path: Path, body: bytes, given: dict[str, str], slug: str
) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        with pytest.raises(BadInput) as error:
            await hand_in(accepting_of(office), body, **given)
        assert error.value.problem.slug == slug
        assert office.allowances.counts("anna") == Counts(0, 0)
        assert pictures(office) == 0


async def test_bounds_are_held_before_anything_is_read(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office, jobs=2)
        await hand_in(accepting)
        async with accepting.incoming("anna") as late:
            await hand_in(accepting)
            with pytest.raises(BadInput, match="at a time"):
                await hand_in(accepting, b"never looked at")
            await late.write(PHOTO)  # it began in time, and another was quicker
            with pytest.raises(BadInput, match="at a time"):
                await accepting.accept(order(), late)
        assert office.allowances.counts("anna") == Counts(2, 2 * KEPT)
        assert pictures(office) == 2


async def test_a_database_that_takes_nothing_accepts_nothing(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office)
        await office.limit(1)
        with pytest.raises(BadInput) as error:
            await hand_in(accepting, params={"a": "x" * 12_000})
        assert error.value.problem.slug == "not-ready"
        assert office.allowances.counts("anna") == Counts(0, 0)
        assert pictures(office) == 0


async def test_a_disk_that_takes_no_picture_accepts_nothing(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office)
        (tmp_path / "pictures").rmdir()
        with pytest.raises(FileNotFoundError):
            await hand_in(accepting)
        assert office.allowances.counts("anna") == Counts(0, 0)


async def test_a_caller_who_goes_does_not_take_the_job_away(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office)
        added: list[Record] = []
        accepting.added = added.append
        gone = asyncio.ensure_future(hand_in(accepting, idempotency_key="k"))
        while not accepting._whole._tasks:  # noqa: ASYNC110 (at the very moment when it is the page's)
            await asyncio.sleep(0)
        gone.cancel()
        await accepting.close()
        assert [job.id for job in added] == list(office.book.under_way)
        assert (await hand_in(accepting, idempotency_key="k")).record == added[0]
        assert office.allowances.counts("anna") == Counts(1, KEPT)


async def test_a_caller_who_goes_while_the_picture_is_written_down_leaves_nothing_uncounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office)
        syncing, go_on = threading.Event(), threading.Event()
        sync = os.fsync

        def slow(handle: int) -> None:
            syncing.set()
            go_on.wait(10)
            sync(handle)

        monkeypatch.setattr(os, "fsync", slow)
        gone = asyncio.ensure_future(hand_in(accepting))
        await asyncio.to_thread(syncing.wait, 10)
        gone.cancel()
        await asyncio.wait({gone})
        go_on.set()
        await accepting.close()
        (job,) = office.book.under_way.values()
        assert office.files.picture_path(job).read_bytes() == PHOTO
        assert pictures(office) == 1
        assert office.allowances.counts("anna") == Counts(1, KEPT)


async def test_a_repeat_is_the_job_it_repeats_though_there_is_room_for_none(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office, jobs=1, size=KEPT)
        first = await hand_in(accepting, idempotency_key="k")
        again = await hand_in(accepting, idempotency_key="k")
        assert (again.record, again.is_new) == (first.record, False)
        for body, given in ((PHOTO + b"x", {}), (PHOTO, {"operation": "caption"})):
            with pytest.raises(BadInput, match="Another request was made"):
                await hand_in(accepting, body, idempotency_key="k", **given)
        with pytest.raises(BadInput, match="at a time"):
            await hand_in(accepting, idempotency_key="another")
        assert office.allowances.counts("anna") == Counts(1, KEPT)
        assert pictures(office) == 1


async def test_a_repeat_of_what_was_removed_meanwhile_is_asked_for_again(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office)
        first = (await hand_in(accepting, idempotency_key="k")).record
        async with accepting.incoming("anna", "k") as repeat:
            await repeat.write(PHOTO)
            await office.book.end({first.id: partial(cancelled, now_ms=NOW, kept_ms=DAY_MS)})
            await office.book.remove([first], NOW)
            with pytest.raises(BadInput, match="just removed") as caught:
                await accepting.accept(order(idempotency_key="k"), repeat)
        assert caught.value.problem.status == 409
        assert (await hand_in(accepting, idempotency_key="k")).is_new


async def test_two_that_come_at_once_under_one_key_are_one_job(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office)
        both = await asyncio.gather(*(hand_in(accepting, idempotency_key="k") for _ in range(2)))
        assert both[0].record.id == both[1].record.id
        assert sorted(accepted.is_new for accepted in both) == [False, True]
        assert office.allowances.counts("anna") == Counts(1, KEPT)
        assert pictures(office) == 1


async def test_once_more_within_the_same_bounds(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office, jobs=3, size=3 * KEPT)
        first = (await hand_in(accepting)).record
        second = await accepting.again(first)
        assert (second.retry_of, second.state) == (first.id, "accepted")
        with pytest.raises(BadInput, match="not there any more"):
            await accepting.again(first.model_copy(update={"id": "f" * 32}))
        assert office.allowances.counts("anna") == Counts(2, 2 * KEPT)
        await accepting.again(second)
        with pytest.raises(BadInput, match="at a time"):
            await accepting.again(second)
        office.allowances.end("anna")
        with pytest.raises(BadInput, match="MiB"):
            await accepting.again(second)
        assert office.allowances.counts("anna") == Counts(2, 3 * KEPT)


async def test_once_more_on_a_full_disk_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_asked: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office)
        first = (await hand_in(accepting)).record
        monkeypatch.setattr(os, "link", full)
        monkeypatch.setattr(shutil, "copyfile", full)
        with pytest.raises(BadInput, match="No space left") as error:
            await accepting.again(first)
        assert error.value.problem.slug == "not-ready"
        assert office.allowances.counts("anna") == Counts(1, KEPT)


async def test_what_must_be_whole_is_done_though_nobody_waits() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError(record().id)

    whole = Whole()
    for wait in (True, False):
        caller = asyncio.ensure_future(whole.do(fail()))
        await asyncio.sleep(0)
        if not wait:
            caller.cancel()
        with pytest.raises(ValueError if wait else asyncio.CancelledError):
            await caller
    await whole.close()
