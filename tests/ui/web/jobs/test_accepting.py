import asyncio
from pathlib import Path

import pytest

from bus.errors import BadInput
from tests.ui.web.jobs.office import DAY_MS, NOWHERE, PHOTO, Office, office_at, order, picture, record
from ui.web.jobs.accepting import Accepting, Bounds, Whole
from ui.web.jobs.allowances import Allowances, Most
from ui.web.jobs.moves import Spans
from ui.web.jobs.record import Accepted, Counts, Record


def accepting_of(office: Office, *, jobs: int = 100, size: int = 1 << 20) -> Accepting:
    office.allowances = Allowances(Most(jobs, size, 1 << 30))
    office.book._allowances = office.allowances
    bounds = Bounds(bytes=10_000, local_bytes=1000, pixels=100_000)
    return Accepting(office.book, office.files, office.allowances, bounds, Spans(1000, DAY_MS), office.clock)


async def hand_in(accepting: Accepting, body: bytes = PHOTO, user: str = "anna", **more: object) -> Accepted:
    async with accepting.incoming(user) as coming:
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
        (PHOTO, {"traceparent": "x" * 500}, "bad-field"),
        (PHOTO + bytes(2000), {"site": "local"}, "too-many-bytes"),
    ],
    ids=["empty", "pixels", "operation", "trace", "local"],
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
        late = accepting.incoming("anna")
        await hand_in(accepting)
        with pytest.raises(BadInput, match="at a time"):
            accepting.incoming("anna")
        async with late:  # it began in time, and another was quicker
            await late.write(PHOTO)
            with pytest.raises(BadInput, match="at a time"):
                await accepting.accept(order(), late)
        assert office.allowances.counts("anna") == Counts(2, 2 * len(PHOTO))
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
        assert office.allowances.counts("anna") == Counts(1, len(PHOTO))


async def test_once_more_within_the_same_bounds(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        accepting = accepting_of(office, jobs=3, size=3 * len(PHOTO))
        first = (await hand_in(accepting)).record
        second = await accepting.again(first)
        assert (second.retry_of, second.state) == (first.id, "accepted")
        with pytest.raises(BadInput, match="not there any more"):
            await accepting.again(first.model_copy(update={"id": "f" * 32}))
        assert office.allowances.counts("anna") == Counts(2, 2 * len(PHOTO))
        await accepting.again(second)
        with pytest.raises(BadInput, match="at a time"):
            await accepting.again(second)
        office.allowances.end("anna")
        with pytest.raises(BadInput, match="MiB"):
            await accepting.again(second)
        assert office.allowances.counts("anna") == Counts(2, 3 * len(PHOTO))


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
