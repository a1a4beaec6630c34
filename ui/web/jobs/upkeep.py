"""Keeping order: jobs that nobody answers are ended, old ones removed, and files that belong to no job."""

import asyncio
import itertools
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from bus.problems import Kind, Problem
from ui.web.jobs import moves, removed_users, rows
from ui.web.jobs.book import Book
from ui.web.jobs.database import Database
from ui.web.jobs.files import Files
from ui.web.jobs.moves import Spans
from ui.web.jobs.record import Record
from ui.web.jobs.rows import Wanted

log = logging.getLogger(__name__)

_EVERY_S: Final = 5.0
_AT_ONCE: Final = 200
_REMOVED: Final = "The account was removed."


class Upkeep:
    """What has to be done though nobody asks for it."""

    def __init__(
        self, database: Database, book: Book, files: Files, spans: Spans, call_off: Callable[[Record], None]
    ) -> None:
        """`call_off` has a job that was ended here cancelled wherever it is."""
        self._database, self._book, self._files, self._spans = database, book, files, spans
        self._call_off = call_off

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
            except Exception:
                log.exception("old jobs are not looked after; trying again")
            await asyncio.sleep(_EVERY_S)

    async def once(self, now_ms: int) -> None:
        """End what is overdue, remove what is old. Raises sqlite3.Error, OSError."""
        for name in await self._database.run(removed_users.names):
            await self._clear(name, now_ms)
        overdue = {record.id: moves.overdue(record, now_ms) for record in self._book.under_way.values()}
        await self._end({job_id: problem for job_id, problem in overdue.items() if problem is not None}, now_ms)
        while old := await self._database.run(rows.expired, now_ms, _AT_ONCE):
            await self._remove(old, now_ms)
        await self._database.run(rows.forget_removals, now_ms - self._spans.kept_ms)

    async def _clear(self, name: str, now_ms: int) -> None:
        """Remove all that a removed user has here, and give the name free when it is done."""
        called_off = [record for record in self._book.under_way.values() if record.user == name]
        await self._end({record.id: Problem.of(Kind.CANCELLED, _REMOVED) for record in called_off}, now_ms)
        for record in called_off:
            self._call_off(record)
        while theirs := await self._ended_of(name):
            await self._remove(theirs, now_ms)
        await self._database.run(removed_users.free, name, now_ms)

    async def _ended_of(self, name: str) -> list[Record]:
        """Some of a user's jobs; one whose answer is just being kept is left for the next time."""
        theirs = await self._database.run(rows.some, Wanted(name, None, None, _AT_ONCE, None))
        return [record for record in theirs if record.id not in self._book.under_way]

    async def _end(self, problems: Mapping[str, Problem], now_ms: int) -> None:
        ending = partial(moves.failed, now_ms=now_ms, kept_ms=self._spans.kept_ms)
        await self._book.end({job_id: partial(ending, problem=problem) for job_id, problem in problems.items()})

    async def _remove(self, ended: list[Record], now_ms: int) -> None:
        await self._files.remove(await self._book.remove(ended, now_ms))


def _batches(ids: list[str]) -> Iterable[list[str]]:
    rest = iter(ids)
    while some := list(itertools.islice(rest, _AT_ONCE)):
        yield some
