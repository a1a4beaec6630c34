"""A picture on its way in: written aside as it comes, then given its name when all of it is on the disk."""

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from bus.errors import BadInput
from bus.problems import Kind, Problem
from ui.web.jobs.allowances import no_room
from ui.web.jobs.pictures import HEAD, check_kind, seen
from ui.web.jobs.record import Picture

log = logging.getLogger(__name__)

T = TypeVar("T")
Piece = bytes | memoryview

_AT_ONCE: Final = 1 << 20
"""Bytes that are written at a time, on a thread: pieces are gathered, not copied together."""
_MOST_PIECES: Final = 256
"""However few bytes they have: a piece costs memory of its own, and a system call takes 1,024."""
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


class Incoming:
    """A picture as it comes, in a file of its own. Use it in `async with`: what was not accepted is removed after.

    Attributes:
        size: Bytes that have come.
        is_kept: Whether it has a file at all: of what was here before, only the digest is of use.
    """

    def __init__(self, path: Path, most_bytes: int, count: Callable[[int], None], *, is_kept: bool = True) -> None:
        """`count` is told of bytes that come (and, negative, of those that go), and raises BadInput for too many."""
        self.size, self.is_kept = 0, is_kept
        self._path, self._most_bytes = path, most_bytes
        self._count: Callable[[int], None] = count if is_kept else lambda _size: None
        self._head = b""
        self._pieces: list[Piece] = []
        self._waiting = 0
        self._accepted = False
        # What follows is the threads', one at a time; a caller who is gone does not end what one of them does.
        self._turn = threading.Lock()
        self._hash = hashlib.sha256()
        self._file: Any = None
        self._left = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if not self._accepted:
            await self.drop()

    async def write(self, piece: Piece) -> None:
        """The next piece, which must not change any more.

        Raises BadInput TOO_MANY_BYTES, NOT_AN_IMAGE (by the first bytes), TOO_MUCH_KEPT, NOT_READY.
        """
        if self.size + len(piece) > self._most_bytes:
            raise BadInput(_too_large(self._most_bytes))
        self._count(len(piece))
        self.size += len(piece)
        if len(self._head) < HEAD:
            self._look_at(piece)
        self._pieces.append(piece)
        self._waiting += len(piece)
        if self._waiting >= _AT_ONCE or len(self._pieces) >= _MOST_PIECES:
            await self._apart(partial(self._write, self._taken()))

    async def digest(self) -> bytes:
        """What tells this picture from others, all of which has come: its SHA-256."""
        return await self._apart(partial(self._digest, self._taken()))

    async def seen(self, most_pixels: int) -> Picture:
        """What it is, by its own bytes; all of them have come. Raises BadInput as `pictures.seen` does."""
        return await self._apart(partial(self._seen, self._taken(), most_pixels))

    async def keep(self, path: Path) -> None:
        """Have it on the disk at `path`, whatever happens to the machine from now on."""
        await self._apart(partial(self._keep, self._taken(), path))

    def accept(self) -> None:
        """Leave it to whoever accepts it, its bytes counted: they `keep` it or `drop` it."""
        self._accepted = True

    async def drop(self) -> None:
        """Remove what came, and count it no more."""
        self._count(-self.size)
        # To its end, though its caller gives up even now.
        await asyncio.shield(asyncio.to_thread(self._in_turn, self._leave))

    def _look_at(self, piece: Piece) -> None:
        self._head += bytes(piece[: HEAD - len(self._head)])
        if len(self._head) == HEAD:
            check_kind(self._head)

    def _taken(self) -> Sequence[Piece]:
        pieces, self._pieces, self._waiting = self._pieces, [], 0
        return pieces

    async def _apart(self, work: Callable[[], T]) -> T:
        with _full_as_problem():
            return await asyncio.to_thread(self._in_turn, work)

    # -- on threads

    def _in_turn(self, work: Callable[[], T]) -> T:
        with self._turn:
            if self._left:
                raise RuntimeError("it was dropped")  # which nobody hears: its caller has gone
            return work()

    def _write(self, pieces: Sequence[Piece]) -> None:
        if self.is_kept:
            self._file = self._file or opened(self._path)
            write_all(self._file.fileno(), pieces)
            return
        for piece in pieces:
            self._hash.update(piece)

    def _digest(self, pieces: Sequence[Piece]) -> bytes:
        self._write(pieces)
        if not self.is_kept:
            return self._hash.digest()
        # Few are asked for it, so it is not made of all as they come.
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").digest()

    def _seen(self, pieces: Sequence[Piece], most_pixels: int) -> Picture:
        self._write(pieces)
        return seen(self._file, self.size, most_pixels)

    def _keep(self, pieces: Sequence[Piece], path: Path) -> None:
        self._write(pieces)
        keep(self._file, self._path, path)
        self._file.close()

    def _leave(self) -> None:
        self._left = True
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)


def opened(path: Path) -> Any:
    """A new file, unbuffered: what is written comes in large pieces. Raises OSError."""
    return path.open("x+b", buffering=0)


def keep(file: Any, aside: Path, path: Path) -> None:
    """Give a file its name, when all of it is on the disk; then the name itself. Raises OSError."""
    os.fsync(file.fileno())
    path.parent.mkdir(mode=0o700, exist_ok=True)
    aside.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, pieces: Sequence[Piece]) -> None:
    """Write pieces to a file: one system call as a rule, though it may take less than all of them. Raises OSError."""
    written = os.writev(handle, pieces)
    for piece in pieces:
        rest = memoryview(piece)[written:]
        written = max(0, written - len(piece))
        while rest:
            rest = rest[os.write(handle, rest) :]


@contextlib.contextmanager
def _full_as_problem() -> Iterator[None]:
    """A disk without room is told to the user, and logged for the operator."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        log.error("no room for a picture: %s", error)  # noqa: TRY400 (what it was doing is plain)
        raise BadInput(no_room("The disk is full.")) from error


def _too_large(most: int) -> Problem:
    detail = f"The picture has more than {most:,} bytes."
    return Problem.of(Kind.TOO_MANY_BYTES, detail, limit=most)
