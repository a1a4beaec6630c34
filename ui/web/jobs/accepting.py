"""Taking jobs in: bounds first, then the picture on the disk, then the row; only then is a job accepted."""

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from bus.clock import now_ms
from bus.errors import BadInput
from bus.messages import operation_problem
from bus.problems import Kind, Problem
from bus.topology import OPERATIONS
from producers.client.request import must_stay
from ui.web.jobs import moves
from ui.web.jobs.allowances import Allowances, no_room
from ui.web.jobs.book import Book
from ui.web.jobs.files import Files
from ui.web.jobs.incoming import Incoming
from ui.web.jobs.moves import Spans
from ui.web.jobs.record import Accepted, Order, Record
from ui.web.jobs.sender import message_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest picture: bytes in any way, bytes of one that must not leave the site, pixels."""

    bytes: int
    local_bytes: int
    pixels: int


class Whole:
    """Work that is done to its end, though whoever asked for it has gone."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it, and wait for it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait until all of it is done."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be there any more to be told


class Accepting:
    """Takes new jobs into the book, and tells `added` of each."""

    def __init__(
        self,
        book: Book,
        files: Files,
        allowances: Allowances,
        bounds: Bounds,
        spans: Spans,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._book, self._files, self._allowances = book, files, allowances
        self._bounds, self._spans, self._clock_ms = bounds, spans, clock_ms
        self._whole = Whole()
        self.added: Callable[[Record], None] = lambda _record: None

    async def close(self) -> None:
        """Finish what is being taken in."""
        await self._whole.close()

    @asynccontextmanager
    async def incoming(self, user: str, key: str | None = None) -> AsyncIterator[Incoming]:
        """A picture that is about to come; see `Desk.incoming`."""
        known = key is not None and await self._book.has_key(user, key)
        if not known:
            self._allowances.check(user)
        count = partial(self._count, user)
        async with self._files.incoming(self._bounds.bytes, count, is_kept=not known) as picture:
            yield picture

    async def accept(self, order: Order, picture: Incoming) -> Accepted:
        """Take a job with the picture that came; see `Desk.accept`."""
        key, mark = order.idempotency_key, b""
        if key is not None:
            mark = moves.fingerprint(order, await picture.digest())
            if (repeated := await self._book.repeated(order.user, key, mark)) is not None:
                return repeated
        if not picture.is_kept:
            raise BadInput(Problem.of(Kind.NOT_NOW, "The job of this key was just removed.", remedy="Ask again."))
        record = self._begun(order, await picture.seen(self._bounds.pixels))
        self._check(record)
        self._allowances.begin(order.user)
        picture.accept()
        # From here on it is the page's, and no more its caller's, who may go.
        return await self._whole.do(self._take(record, picture, key, mark))

    async def _take(self, record: Record, picture: Incoming, key: str | None, mark: bytes) -> Accepted:
        try:
            await picture.keep(self._files.picture_path(record))
        except BaseException:
            self._allowances.undo(record.user)
            await picture.drop()
            await self._files.remove([record.id])
            raise
        return await self._enter(record, key, mark)

    async def again(self, of: Record) -> Record:
        """The same job once more, as a new one. Raises BadInput NOT_FOUND without its picture, or as `accept`."""
        return await self._whole.do(self._again(of))

    async def _again(self, of: Record) -> Record:
        record = self._begun(moves.again(of), of.picture)
        self._allowances.begin(of.user)
        try:
            self._allowances.take(of.user, of.picture.bytes)
        except BadInput:
            self._allowances.undo(of.user)
            raise
        try:
            await self._files.share(of, record.id)
        except OSError as error:
            self._uncount(record)
            await self._files.remove([record.id])
            raise BadInput(_not_shared(error)) from error
        return (await self._enter(record, None, b"")).record

    async def _enter(self, record: Record, key: str | None, mark: bytes) -> Accepted:
        accepted = None
        try:
            accepted = await self._book.add(record, key, mark)
        except sqlite3.Error as error:
            raise BadInput(no_room(f"The job can't be kept ({error}).")) from error
        finally:
            if accepted is None or not accepted.is_new:
                self._uncount(record)
                await self._files.remove([record.id])
        if accepted.is_new:
            self.added(accepted.record)
        return accepted

    def _begun(self, order: Order, picture: Any) -> Record:
        return moves.begun(order, picture, uuid.uuid4().hex, self._clock_ms(), self._spans)

    def _check(self, record: Record) -> None:
        """Raises BadInput for what the bus would refuse."""
        if record.operation not in OPERATIONS:
            raise BadInput(operation_problem(record.operation, OPERATIONS))
        if record.site == "local" and record.picture.bytes > self._bounds.local_bytes:
            raise must_stay(record.picture.bytes, self._bounds.local_bytes)
        message_of(record, b"", "checked", record.created_ms)

    def _count(self, user: str, size: int) -> None:
        if size > 0:
            self._allowances.take(user, size)
        else:
            self._allowances.count(user, size=size)

    def _uncount(self, record: Record) -> None:
        self._allowances.undo(record.user)
        self._allowances.count(record.user, size=-record.picture.bytes)


def _not_shared(error: OSError) -> Problem:
    if isinstance(error, FileNotFoundError):
        return Problem.of(Kind.NOT_FOUND, "Its picture is not there any more.")
    return no_room(f"The job can't be kept ({error.strerror}).")
