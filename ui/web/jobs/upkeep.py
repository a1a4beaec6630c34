"""Keeping order: jobs that nobody answers are ended, old ones removed, and files that belong to no job."""

import asyncio
import itertools
import logging
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from ui.web.jobs import moves, rows
from ui.web.jobs.book import Book
from ui.web.jobs.database import Database
from ui.web.jobs.files import Files
from ui.web.jobs.moves import Spans

log = logging.getLogger(__name__)

_EVERY_S: Final = 5.0
_AT_ONCE: Final = 200


class Upkeep:
    """What has to be done though nobody asks for it."""

    def __init__(self, database: Database, book: Book, files: Files, spans: Spans) -> None:
        self._database, self._book, self._files, self._spans = database, book, files, spans

    async def sweep(self) -> int:
        """Remove what a crash has left behind; how many jobs' files it were. Only before any picture comes in."""
        await asyncio.to_thread(self._files.sweep_incoming)
        swept = 0
        for ids in await asyncio.to_thread(list, self._files.ids()):
            swept += await self._sweep(ids)
        return swept

    async def _sweep(self, ids: list[str]) -> int:
        orphans: set[str] = set()
        for some in _batches(ids):
            orphans |= set(some) - await self._database.run(rows.known, some)
        await self._files.remove(orphans)
        return len(orphans)

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Look after everything every few seconds, until cancelled."""
        while True:
            try:
                await self.once(clock_ms())
            except (sqlite3.Error, OSError) as error:
                log.error("old jobs are not looked after: %s; trying again", error)  # noqa: TRY400 (said in full)
            await asyncio.sleep(_EVERY_S)

    async def once(self, now_ms: int) -> None:
        """End what is overdue, remove what is old. Raises sqlite3.Error, OSError."""
        problems = {record.id: moves.overdue(record, now_ms) for record in self._book.under_way.values()}
        kept_ms = self._spans.kept_ms
        await self._book.end(
            {
                job_id: partial(moves.failed, problem=problem, now_ms=now_ms, kept_ms=kept_ms)
                for job_id, problem in problems.items()
                if problem is not None
            }
        )
        while old := await self._database.run(rows.expired, now_ms, _AT_ONCE):
            await self._book.remove(old, now_ms)
            await self._files.remove([record.id for record in old])
        await self._database.run(rows.forget_removals, now_ms - kept_ms)


def _batches(ids: list[str]) -> Iterable[list[str]]:
    rest = iter(ids)
    while some := list(itertools.islice(rest, _AT_ONCE)):
        yield some
