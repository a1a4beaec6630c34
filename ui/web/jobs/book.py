"""The book of jobs: every record, those under way in memory too, and what is written down of them.

Moves are written a tenth of a second later, many at a time; ends and new jobs before anybody is told of them.
"""

import asyncio
import logging
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ui.web.jobs import rows
from ui.web.jobs.allowances import Allowances
from ui.web.jobs.database import Database
from ui.web.jobs.followers import Followers
from ui.web.jobs.record import Accepted, Change, Record
from ui.web.jobs.reopening import owner_of_failed, reopen
from ui.web.jobs.rows import EndHook, Told, Wanted

log = logging.getLogger(__name__)

MOST_EVENTS: Final = 40
"""Events kept of a job: its retries are bounded, and the last are its end's."""
MOST_EVENT_BYTES: Final = 4096
_WRITE_EVERY_S: Final = 0.1
_WRITE_AGAIN_S: Final = 1.0
_REMEMBERED: Final = 4000
"""Ended jobs of which late events are still taken."""

Ending = Callable[[Record], Record]
Opening = Callable[[Record], Record]


class Book:
    """Every job that is kept, by id."""

    def __init__(self, database: Database, allowances: Allowances, followers: Followers) -> None:
        self.under_way: dict[str, Record] = {}
        """As they are now; the database may be a moment behind."""
        self._database = database
        self._allowances = allowances
        self._followers = followers
        self._late: OrderedDict[str, Record] = OrderedDict()
        self._ending: dict[str, asyncio.Task[list[Record]]] = {}
        """What writes down the end of each job that is just ending."""
        self._moved: dict[str, Record] = {}
        self._told: list[Told] = []
        self._events: Counter[str] = Counter()
        self._hooks: list[EndHook] = []
        self._writer: asyncio.Task[None] | None = None
        self._turning = asyncio.Lock()
        """Held while an ended job is opened anew, or removed: not both."""

    def states(self) -> dict[str, int]:
        """How many jobs under way are in which state; any thread may ask."""
        return Counter(record.state for record in list(self.under_way.values()))

    # -- its own life

    async def open(self) -> None:
        """Take up what is kept."""
        for record in await self._database.run(rows.under_way):
            self.under_way[record.id] = record
            self._allowances.count(record.user, jobs=1)
        for user, size in (await self._database.run(rows.kept_bytes)).items():
            self._allowances.count(user, size=size)
        self._events.update(await self._database.run(rows.event_counts))
        self._writer = asyncio.create_task(self._write_on(), name="book")

    async def close(self) -> None:
        """Write down what is not written yet."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, *self._ending.values(), return_exceptions=True)
            self._writer = None
            await self._write()

    async def write(self) -> None:
        """Write down what is not written yet. Raises sqlite3.Error; it is tried again."""
        # Not given up with the caller: what is written has to be told.
        await asyncio.shield(asyncio.ensure_future(self._write()))

    def at_end(self, hook: EndHook) -> None:
        """Call `hook` in each transaction that ends a job."""
        self._hooks.append(hook)

    # -- what changes it

    async def add(self, record: Record, key: str | None, fingerprint: bytes) -> Accepted:
        """Keep a new job, whose user's allowances are counted already. Raises BadInput KEY_REUSED, sqlite3.Error."""
        accepted, change = await self._database.run(rows.add, record, key, fingerprint)
        if change is None:
            return Accepted(self.under_way.get(accepted.record.id, accepted.record), is_new=False)
        self.under_way[record.id] = accepted.record
        self._followers.tell([change])
        return accepted

    async def has_key(self, user: str, key: str) -> bool:
        """Whether a job bears an idempotency key."""
        return await self._database.run(rows.of_key, user, key) is not None

    async def repeated(self, user: str, key: str, fingerprint: bytes) -> Accepted | None:
        """The job of the same order, if there is one. Raises BadInput KEY_REUSED."""
        record = await self._database.run(rows.repeated, user, key, fingerprint)
        return None if record is None else Accepted(self.under_way.get(record.id, record), is_new=False)

    def show(self, record: Record) -> None:
        """A move that is not kept."""
        if record.id in self.under_way and record.id not in self._ending:
            self.under_way[record.id] = record
            self._followers.tell([Change(None, record.user, record.id, record)])

    def move(self, record: Record) -> None:
        """A move that is kept, soon. One that comes while its job ends is late."""
        where = self.under_way if record.id in self.under_way else self._late
        if record.id in where and record.id not in self._ending:
            where[record.id] = record
            self._moved[record.id] = record

    def tell(self, job_id: str, at_ms: int, document: bytes) -> None:
        """Keep an event of a job, unless there are many of it."""
        if self._events[job_id] < MOST_EVENTS and len(document) <= MOST_EVENT_BYTES:
            self._events[job_id] += 1
            self._told.append(Told(job_id, at_ms, document.decode(errors="replace")))

    async def end(self, endings: Mapping[str, Ending]) -> list[Record]:
        """End jobs, all on the disk when this returns; those that have ended already are left as they are.

        Raises sqlite3.Error when the disk does not take it, and whatever else keeps it from being written: then none
        has ended.
        """
        # Another end that is just being written may fail: then this one is theirs.
        while others := {self._ending[job_id] for job_id in endings if job_id in self._ending}:
            await asyncio.wait(others)
        ended = {
            job_id: ending(self.under_way[job_id]) for job_id, ending in endings.items() if job_id in self.under_way
        }
        if not ended:
            return []
        writing = asyncio.ensure_future(self._end(ended))
        self._ending |= dict.fromkeys(ended, writing)
        for job_id in ended:
            self._moved.pop(job_id, None)  # written after the end, it would undo it
        # To its end, though its caller gives up: what is written has to be told.
        return await asyncio.shield(writing)

    async def _end(self, ended: Mapping[str, Record]) -> list[Record]:
        try:
            changes = await self._database.run(rows.end, list(ended.values()), self._hooks)
        except Exception:
            self._moved |= {job_id: self.under_way[job_id] for job_id in ended}
            raise
        finally:
            for job_id in ended:
                del self._ending[job_id]
        for record in ended.values():
            self._close(record)
        self._followers.tell(changes)
        return list(ended.values())

    def _close(self, record: Record) -> None:
        before = self.under_way.pop(record.id)
        self._allowances.end(record.user)
        self._allowances.count(record.user, size=record.kept_bytes - before.kept_bytes)
        self._late[record.id] = record
        if len(self._late) > _REMEMBERED:
            self._events.pop(self._late.popitem(last=False)[0], None)

    async def reopen(self, user: str, job_id: str, opening: Opening) -> Record | None:
        """Put a user's failed job under way again, on the disk when this returns; returns it as it was before.

        None where there is none that has failed: it is under way, ended otherwise, or removed; and where `opening`
        gives the very same back. Raises sqlite3.Error.
        """
        async with self._turning:
            await self.write()  # what is told late of its end must not come after this
            before = await self.one(user, job_id)
            if before is None or before.state != "failed" or job_id in self.under_way:
                return None
            opened = opening(before)
            return before if opened is not before and await self._reopen(opened) else None

    async def _reopen(self, record: Record) -> bool:
        # In memory first: from here on, what is heard of it is written after this.
        self.under_way[record.id] = record
        self._late.pop(record.id, None)
        self._moved.pop(record.id, None)
        self._events.pop(record.id, None)
        changes: list[Change] = []
        try:
            changes = await self._database.run(reopen, record)
        finally:
            if not changes:
                del self.under_way[record.id]
        if changes:
            self._allowances.count(record.user, jobs=1)
            self._followers.tell(changes)
        return bool(changes)

    async def remove(self, records: Sequence[Record], now_ms: int) -> list[str]:
        """Forget ended jobs; returns the ids of those that are not there now: not of one that was opened anew."""
        async with self._turning:
            ended = [record for record in records if record.id not in self.under_way]
            await self._remove(ended, now_ms)
        return [record.id for record in ended]

    async def _remove(self, records: Sequence[Record], now_ms: int) -> None:
        for record in records:
            self._late.pop(record.id, None)
            self._moved.pop(record.id, None)
            self._events.pop(record.id, None)
        changes = await self._database.run(rows.remove, [record.id for record in records], now_ms)
        removed = {change.job_id for change in changes}
        for record in records:
            if record.id in removed:
                self._allowances.count(record.user, size=-record.kept_bytes)
        self._followers.tell(changes)

    # -- what is asked of it

    def known(self, job_id: str) -> Record | None:
        """A job under way, or one that has ended lately: whose events are of use."""
        return self.under_way.get(job_id) or self._late.get(job_id)

    def is_ending(self, job_id: str) -> bool:
        """Whether its end is being written down."""
        return job_id in self._ending

    async def one(self, user: str, job_id: str) -> Record | None:
        """A user's job."""
        record = self.known(job_id) or await self._database.run(rows.one, user, job_id)
        return record if record is not None and record.user == user else None

    async def owner_of_failed(self, job_id: str) -> str | None:
        """Whose failed job this is."""
        return await self._database.run(owner_of_failed, job_id)

    async def some(self, wanted: Wanted) -> list[Record]:
        """A user's jobs, newest first."""
        return [self.known(record.id) or record for record in await self._database.run(rows.some, wanted)]

    async def events(self, job_id: str) -> list[str]:
        """The documents of a job's events, oldest first."""
        await self.write()
        return await self._database.run(rows.events, job_id)

    # -- writing

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_EVERY_S)
            try:
                await self._write()
            except sqlite3.Error as error:
                log.error("moves of jobs are not written yet: %s", error)  # noqa: TRY400 (they stay, and are tried again)
                await asyncio.sleep(_WRITE_AGAIN_S)
            except Exception:  # one that can't be written must not keep those that come from it
                log.exception("moves of jobs are not written")

    async def _write(self) -> None:
        """Write down what has moved. Raises sqlite3.Error; then it is kept for the next time."""
        if not (self._moved or self._told):
            return
        moved, self._moved = self._moved, {}
        told, self._told = self._told, []
        try:
            changes = await self._database.run(rows.save, list(moved.values()), told)
        except sqlite3.Error:
            self._moved = {**{key: record for key, record in moved.items() if self._is_latest(record)}, **self._moved}
            self._told = [*told, *self._told]
            raise
        self._followers.tell(changes)

    def _is_latest(self, record: Record) -> bool:
        return self.known(record.id) is record and record.id not in self._ending
