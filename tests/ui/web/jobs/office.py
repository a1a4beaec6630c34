"""What tests of the page's jobs share: records, pictures, and a whole desk on a real broker."""

import contextlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bus.blobs import Blobs
from bus.errors import BadInput
from bus.events import JobEvent
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import Queue, Topology, shared
from producers.client.store import Store
from tests.bus.rabbit.foreign import eventually
from ui.web.jobs.accepting import Whole
from ui.web.jobs.allowances import Allowances, Most
from ui.web.jobs.book import Book
from ui.web.jobs.database import Database
from ui.web.jobs.desk import Desk
from ui.web.jobs.files import Files
from ui.web.jobs.followers import Followers
from ui.web.jobs.moves import Spans
from ui.web.jobs.record import JOB_BYTES, Accepted, Order, Picture, Record
from ui.web.jobs.replays import Replays
from ui.web.jobs.rows import SCHEMA
from ui.web.jobs.sender import Terms

NOW = 1_900_000_000_000
"""A moment in 2030."""
DAY_MS = 86_400_000
NOWHERE = "amqp://guest:guest@127.0.0.1:1/"
"""No broker listens there."""


def picture(side: int = 16, kind: str = "PNG", **more: Any) -> bytes:
    """A small picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (side, side * 2), (200, 120, 40)).save(file, kind, **more)
    return file.getvalue()


PHOTO = picture()
KEPT = JOB_BYTES + len(PHOTO)
"""What a job with that picture takes."""


def order(user: str = "anna", **more: Any) -> Order:
    return Order(**{"user": user, "operation": "sketch", "params": {}, "name": "cup.png", **more})


def record(job_id: str = "a" * 32, **more: Any) -> Record:
    """A job of anna's, accepted just now."""
    given: dict[str, Any] = {
        "id": job_id,
        "user": "anna",
        "operation": "sketch",
        "params": {},
        "picture": Picture(bytes=100, type="image/png", width=16, height=32),
        "created_ms": NOW,
        "updated_ms": NOW,
        "deadline_ms": NOW + 3_600_000,
        "expires_ms": NOW + 86_400_000,
    }
    return Record(**{**given, **more})


def step(state: str, placement: str | None = None, **more: Any) -> JobEvent:
    """What is told of that job."""
    given = {"job": "a" * 32, "operation": "sketch", "user": "anna", "at_ms": NOW, "placement": placement}
    return JobEvent.model_validate({**given, "state": state, **more})


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(page_dir=folder, **more)


async def hand_in(desk: Desk, body: bytes = PHOTO, user: str = "anna", **more: Any) -> Accepted:
    """What a route does with a request."""
    async with desk.incoming(user, more.get("idempotency_key")) as coming:
        await coming.write(body)
        return await desk.accept(order(user, **more), coming)


@contextlib.asynccontextmanager
async def database_at(path: Path) -> AsyncIterator[Database]:
    database = Database(path, SCHEMA)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def desk_at(folder: Path, url: str, *, connect: bool = True, **more: Any) -> AsyncIterator[Desk]:
    """A page's desk, from start to close; its broker is at `url`."""
    blobs: Blobs | None = more.pop("store", None)
    bus = Bus(url, name="page", topology=shared())
    async with database_at(folder / "page.sqlite") as database:
        desk = Desk(settings(folder, **more), bus, database, blobs)
        await desk.start()
        if connect:
            await bus.start(30)
        try:
            yield desk
        finally:
            await desk.close()
            await bus.close()


def book_of(desk: Desk) -> Book:
    return desk._book


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now_ms: int = NOW

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Office:
    """The parts of a desk, for tests of one of them."""

    bus: Bus
    database: Database
    book: Book
    files: Files
    allowances: Allowances
    clock: Clock = field(default_factory=Clock)
    replies: str = "page.test"

    @property
    def terms(self) -> Terms:
        return Terms(self.replies, Store(None, 1 << 24), DAY_MS, self.clock)

    @property
    def replayed(self) -> Replays:
        return Replays(self.book, Spans(3_600_000, DAY_MS), Whole(), self.clock)

    async def add(self, number: int = 1, *, body: bytes | None = PHOTO, **more: Any) -> Record:
        """A job in the book, and its picture on the disk."""
        made = record(f"{number:032x}", **more)
        self.allowances.count(made.user, jobs=1, size=made.kept_bytes)
        if body is not None:
            await self.files.keep_result(made.id, body)
            path = self.files.picture_path(made)
            path.parent.mkdir(exist_ok=True)
            self.files.result_path(made).rename(path)
        return (await self.book.add(made, None, b"")).record

    async def state(self, *jobs: Record) -> list[str]:
        found = [await self.book.one(job.user, job.id) for job in jobs]
        return [job.state if job else "removed" for job in found]

    async def limit(self, pages: int) -> None:
        """How large the database may grow: its disk is full, or has room again."""
        await self.database.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())


@contextlib.asynccontextmanager
async def office_at(folder: Path, url: str, *, connect: bool = True, lanes: bool = False) -> AsyncIterator[Office]:
    """`lanes`: with the queues that jobs go to, which take the broker longer than most tests."""
    replies = Queue("page.test", {"x-queue-type": "classic"})
    all_of_it = shared()
    queues, bindings = (all_of_it.queues, all_of_it.bindings) if lanes else ((), ())
    topology = Topology(all_of_it.exchanges, (*queues, replies), bindings)
    bus = Bus(url, name="page", topology=topology)
    files = Files(folder)
    files.open()
    async with database_at(folder / "page.sqlite") as database:
        allowances = Allowances(Most(100, 1 << 30, 1 << 30))
        book = Book(database, allowances, Followers())
        await book.open()
        if connect:
            await bus.start(30)
        try:
            yield Office(bus, database, book, files, allowances)
        finally:
            with contextlib.closing(files):
                await bus.close()
                await book.close()


def refused(error: pytest.ExceptionInfo[BadInput]) -> str:
    """The slug of the problem that was raised."""
    return error.value.problem.slug


async def queued(desk: Desk, *job_ids: str) -> None:
    """Return once the broker has taken jobs."""
    await eventually(lambda: all(book_of(desk).under_way[job_id].state != "accepted" for job_id in job_ids))
