"""What a stream of changes tells when changes come late, twice, or not at all."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from ui.web.api import changes
from ui.web.api.changes import RESET, Feed
from ui.web.jobs.followers import Followers
from ui.web.jobs.record import Change, Picture, Record, State

JOB, OTHER = "a" * 32, "b" * 32


def record(job_id: str = JOB, state: State = "queued") -> Record:
    picture = Picture(bytes=1, type="image/png")
    made: Any = {"created_ms": 1, "updated_ms": 1, "deadline_ms": 2, "expires_ms": 2, "params": {}}
    return Record(id=job_id, user="anna", operation="sketch", picture=picture, state=state, **made)


def change(number: int | None, job_id: str = JOB, state: State = "queued") -> Change:
    return Change(number, "anna", job_id, record(job_id, state))


class Kept:
    """A desk with nothing but its changes: those kept, and those that followers are told."""

    def __init__(self, *kept: Change) -> None:
        self.followers = Followers()
        self.kept: list[Change] | None = list(kept)

    def follow(self, user: str, job_id: str | None = None) -> Any:
        return self.followers.follow(user, job_id)

    async def changes_after(self, user: str, change_id: int, limit: int = 1000) -> Sequence[Change] | None:
        if self.kept is None:
            return None
        return [each for each in self.kept if (each.id or 0) > change_id][:limit]

    async def last_change(self, user: str) -> int:
        return 40

    async def get(self, user: str, job_id: str) -> Record | None:
        return record(job_id)


async def heard(
    desk: Kept, *, job: str | None = None, last: int | None = None, live: Sequence[Change] = ()
) -> list[str]:
    """What a feed tells, in short, with `live` changes as soon as it follows, and no more after them."""
    feed = Feed(desk, "anna", job, last)  # type: ignore[arg-type]  # the desk as far as a feed needs it
    events = feed.events()
    told = []
    first = asyncio.ensure_future(anext(events, None))
    while not desk.followers._of and not first.done():  # noqa: ASYNC110 (a step at a time)
        await asyncio.sleep(0)
    desk.followers.tell(live)
    desk.followers.close()
    event = await first
    while event is not None:
        told.append(short(event))
        event = await anext(events, None)
    return told


def short(event: bytes) -> str:
    if event == RESET:
        return "reset"
    lines = dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))
    job = "a" if JOB in lines["data"] else "b"
    return f"{lines['event']} {job} {lines.get('id', '-')}"


async def test_from_now_on() -> None:
    live = [change(41), change(None, OTHER), Change(42, "anna", JOB, None)]
    assert await heard(Kept(change(1)), live=live[:2]) == ["job a 41", "job b -"]
    assert await heard(Kept(), live=live[2:]) == ["removed a 42"]


async def test_what_was_missed_comes_first_and_nothing_twice() -> None:
    desk = Kept(change(5), change(7, OTHER), change(8))
    assert await heard(desk, last=5, live=[change(8), change(9, OTHER)]) == ["job b 7", "job a 8", "job b 9"]


async def test_what_was_missed_may_be_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "PAGE", 2)
    desk = Kept(*[change(number) for number in range(1, 6)])
    assert await heard(desk, last=0) == [f"job a {number}" for number in range(1, 6)]


async def test_what_nobody_knows_any_more_is_a_reset() -> None:
    desk = Kept()
    desk.kept = None
    assert await heard(desk, last=5, live=[change(39), change(41)]) == ["reset", "job a 41"]


async def test_one_job_begins_with_how_it_is() -> None:
    assert await heard(Kept(), job=JOB, live=[change(41, OTHER), change(42, JOB)]) == ["job a 40", "job a 42"]


async def test_one_job_ends_with_its_end() -> None:
    desk = Kept(change(5, OTHER), change(6, JOB, "done"), change(7, JOB, "done"))
    assert await heard(desk, job=JOB, last=1) == ["job a 6"]


async def test_a_slow_reader_is_told_what_it_lost_from_what_is_kept() -> None:
    desk = Kept()
    many = [change(50 + number, f"{number:032x}") for number in range(300)]
    desk.kept = [change(400, OTHER)]
    assert await heard(desk, live=many) == ["job b 400"]


@pytest.mark.parametrize(
    ("kept", "news"), [([change(6)], True), ([change(6, OTHER)], False), ([], False), (None, True)]
)
async def test_whether_there_is_news(kept: list[Change] | None, news: bool) -> None:
    desk = Kept()
    desk.kept = kept
    feed = Feed(desk, "anna", JOB, 5)  # type: ignore[arg-type]
    assert await feed.has_news() is news
