"""What changes in a user's jobs, as a stream that can be taken up again where it was cut off."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from ui.web.api.schema import Job, Removed
from ui.web.api.streams import event
from ui.web.jobs.desk import Desk
from ui.web.jobs.record import Change, Reset

PAGE: Final = 500
"""Changes read at a time."""
RESET: Final = event("reset", "{}")
"""Says that something was missed for good: look at the jobs anew."""


class Feed:
    """The changes of all jobs of `user`, or of one, after the change `last`; None is from now on."""

    def __init__(self, desk: Desk, user: str, job_id: str | None = None, last: int | None = None) -> None:
        self._desk, self._user, self._job_id, self._last = desk, user, job_id, last

    async def events(self) -> AsyncGenerator[bytes, None]:
        """The events. The stream of a job ends with the job; one that begins now begins with how the job is."""
        async with aclosing(self._changes()) as changes:
            async for change in changes:
                yield told(change)
                if self._job_id is not None and _is_last(change):
                    return

    async def has_news(self) -> bool:
        """Whether anything about it changed since the last change, or nobody knows."""
        page = await self._page()
        return page is None or len(page) == PAGE or any(change.job_id == self._job_id for change in page)

    async def _changes(self) -> AsyncGenerator[Change | Reset, None]:
        # Followed before anything is read: what changes meanwhile comes twice rather than never.
        with self._desk.follow(self._user, self._job_id) as live:
            begin = self._present() if self._last is None else self._missed()
            async for change in begin:
                yield change
            async for change in live:
                if isinstance(change, Reset):
                    async for missed in self._missed():
                        yield missed
                elif self._is_new(change):
                    yield change

    async def _present(self) -> AsyncGenerator[Change | Reset, None]:
        """How the job is now. Of all jobs together nothing: they are fetched as a list."""
        self._last = await self._desk.last_change(self._user)
        if self._job_id is not None:
            record = await self._desk.get(self._user, self._job_id)
            yield Change(self._last, self._user, self._job_id, record)

    async def _missed(self) -> AsyncGenerator[Change | Reset, None]:
        """What changed since the last change that was told, or a reset where nobody knows any more."""
        page = await self._page()
        while page:
            for change in page:
                if self._is_new(change):
                    yield change
            page = await self._page() if len(page) == PAGE else ()
        if page is None:
            self._last = await self._desk.last_change(self._user)
            yield Reset()

    async def _page(self) -> tuple[Change, ...] | None:
        found = await self._desk.changes_after(self._user, self._last or 0, PAGE)
        return None if found is None else tuple(found)

    def _is_new(self, change: Change) -> bool:
        """Whether a change was not told yet; it is noted, so that the next page begins behind it."""
        if change.id is not None:
            if change.id <= (self._last or 0):
                return False
            self._last = change.id
        return self._job_id in {None, change.job_id}


def _is_last(change: Change | Reset) -> bool:
    return isinstance(change, Change) and (change.record is None or change.record.ended)


def told(change: Change | Reset) -> bytes:
    """A change as an event."""
    if isinstance(change, Reset):
        return RESET
    if change.record is None:
        return event("removed", Removed(id=change.job_id).model_dump_json(), change.id)
    return event("job", Job.of(change.record).model_dump_json(), change.id)
