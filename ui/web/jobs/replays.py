"""Jobs that were sent again out of the dead queue, by whomever: those of this page are under way again.

The page may hear of it before it happens (its own API does it), by the event, or by the answer alone: when the event
was lost, as while the page was down, or is late. The number of the time tells them apart, so each time counts once.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from bus.answers import Answer
from bus.clock import now_ms
from bus.events import JobEvent
from ui.web.jobs import moves
from ui.web.jobs.accepting import Whole
from ui.web.jobs.book import Book
from ui.web.jobs.moves import Spans


class Replays:
    """Opens failed jobs anew. All of it raises sqlite3.Error when the disk does not take it."""

    def __init__(self, book: Book, spans: Spans, whole: Whole, clock_ms: Callable[[], int] = now_ms) -> None:
        self._book, self._spans, self._whole, self._clock_ms = book, spans, whole, clock_ms

    @asynccontextmanager
    async def during(self, user: str, job_id: str, replays: int) -> AsyncIterator[None]:
        """While a job is sent again for the `replays`-th time: from its beginning it is under way.

        It is put back when what is done inside fails. A job that has not failed, or was removed, is left alone.
        """
        opening = partial(moves.reopened, replays=replays, now_ms=self._clock_ms(), spans=self._spans)
        before = await self._whole.do(self._book.reopen(user, job_id, opening))
        try:
            yield
        except BaseException:
            if before is not None:
                await self._whole.do(self._book.end({job_id: partial(moves.failed_still, before=before)}))
            raise

    async def told(self, event: JobEvent) -> None:
        """A job, of ours or not, was sent again."""
        record = await self._book.one(event.user, event.job)
        if record is not None and moves.is_of(record, event) and event.replays:
            await self._open(event.user, event.job, event.replays)

    async def answered(self, answer: Answer) -> None:
        """An answer came: if it is to a time we have not heard of, its job was sent again."""
        if not answer.replays:
            return
        user = await self._book.owner_of_failed(answer.job)
        if user is not None:
            await self._open(user, answer.job, answer.replays)

    async def _open(self, user: str, job_id: str, replays: int) -> None:
        opening = partial(moves.replayed, replays=replays, now_ms=self._clock_ms(), spans=self._spans)
        await self._whole.do(self._book.reopen(user, job_id, opening))
