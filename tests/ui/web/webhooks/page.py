"""What is around the webhooks in a test: a real database, a clock that the test sets, jobs that end when it says so."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ui.web.jobs import rows
from ui.web.jobs.database import Database
from ui.web.jobs.record import Picture, Record
from ui.web.people import tables
from ui.web.webhooks.calling import Caller
from ui.web.webhooks.deliveries import Delivery
from ui.web.webhooks.webhooks import SCHEMA, Options, Webhooks

MINUTE_MS = 60_000


class Page:
    """What is around the webhooks: the moment at which jobs end, the clock, and the database's file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ms = 1_800_000_000_000
        self.told: list[Callable[[sqlite3.Connection, Record], None]] = []

    def at_end(self, hook: Callable[[sqlite3.Connection, Record], None]) -> None:
        self.told.append(hook)

    @asynccontextmanager
    async def running(self, *, private: bool = True) -> AsyncIterator["Running"]:
        """From a start of the page to its end."""
        self.told.clear()
        database = Database(self.folder / "page.db", rows.SCHEMA + tables.SCHEMA + SCHEMA)
        await database.open()
        options = Options(private=private, clock_ms=lambda: self.now_ms)
        webhooks = Webhooks(database, self, shown, options, Caller(private=private, timeout_s=1))
        await webhooks.start()
        try:
            yield Running(self, database, webhooks)
        finally:
            await webhooks.close()
            await database.close()


class Running:
    def __init__(self, page: Page, database: Database, webhooks: Webhooks) -> None:
        self.page, self.database, self.webhooks = page, database, webhooks

    async def ends(self, job: str, state: str = "done", user: str = "anna") -> None:
        record = ended(job, state, user)
        for hook in self.page.told:
            await self.database.run(hook, record)

    async def end_together(self, jobs: list[str]) -> None:
        """Many in one transaction."""
        (hook,) = self.page.told
        records = [ended(job, "done", "anna") for job in jobs]
        await self.database.run(lambda connection: [hook(connection, record) for record in records])

    def later(self, ms: int) -> None:
        self.page.now_ms += ms
        self.webhooks._rounds.wake()

    async def until(self, hook_id: str, is_so: Callable[[list[Delivery]], bool]) -> list[Delivery]:
        """The deliveries, once they are as they are to be."""
        async with asyncio.timeout(20):
            while not is_so(found := await self.webhooks.deliveries("anna", hook_id, 2000)):  # noqa: ASYNC110 (it is the database that is looked at)
                await asyncio.sleep(0.01)
        return found


def ended(job: str, state: str, user: str) -> Record:
    values: dict[str, Any] = {
        "id": job, "user": user, "operation": "sketch", "params": {}, "state": state, "created_ms": 1, "updated_ms": 2,
        "deadline_ms": 3, "expires_ms": 4, "picture": Picture(bytes=1, type="image/png"),
    }  # fmt: skip
    return Record(**values)


def shown(record: Record) -> dict[str, Any]:
    return {"id": record.id, "state": record.state}


def states(deliveries: list[Delivery]) -> list[str]:
    return [delivery.state for delivery in deliveries]
