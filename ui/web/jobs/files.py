"""Pictures and results on the disk: written aside, then renamed, so that a name stands for a whole file or for none.

A file is named after its job, whose id nobody can guess; two of its digits choose the folder.
"""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, Self

from bus.errors import BadInput, SetupError
from bus.problems import Kind, Problem
from ui.web.jobs.allowances import no_room
from ui.web.jobs.pictures import HEAD, check_kind, seen
from ui.web.jobs.record import Picture, Record

log = logging.getLogger(__name__)

Folder = Literal["pictures", "results"]

_PIECE: Final = 1 << 20
"""Bytes that are written, and hashed, at a time."""
_ALL: Final = ("pictures", "results", "previews", "incoming")
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


class Incoming:
    """A picture as it comes, in a file of its own. Use it in `async with`: what was not accepted is removed after."""

    def __init__(self, path: Path, most_bytes: int, count: Callable[[int], None]) -> None:
        """`count` is told of bytes that come (and, negative, of those that go), and raises BadInput for too many."""
        self.size = 0
        self.head = b""
        self._path = path
        self._most_bytes = most_bytes
        self._count = count
        self._hash = hashlib.blake2b(digest_size=32)
        self._buffer = bytearray()
        self._file: Any = None
        self._accepted = False

    async def __aenter__(self) -> Self:
        with _full_as_problem():
            self._file = await asyncio.to_thread(_opened, self._path)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if not self._accepted:
            self._count(-self.size)
        await asyncio.to_thread(self._leave)

    @property
    def digest(self) -> bytes:
        """What tells this picture from others, once it is here in full: 32 bytes of BLAKE2b."""
        return self._hash.digest()

    async def write(self, piece: bytes | memoryview) -> None:
        """The next piece.

        Raises BadInput TOO_MANY_BYTES, NOT_AN_IMAGE (by the first bytes), TOO_MUCH_KEPT, NOT_READY.
        """
        if self.size + len(piece) > self._most_bytes:
            raise BadInput(_too_large(self._most_bytes))
        self._count(len(piece))
        self.size += len(piece)
        self._buffer += piece
        if len(self.head) < HEAD:
            self.head = bytes(self._buffer[:HEAD])
            if len(self.head) == HEAD:
                check_kind(self.head)
        if len(self._buffer) >= _PIECE:
            await self._flush()

    async def seen(self, most_pixels: int) -> Picture:
        """What it is, by its own bytes. Raises BadInput as `pictures.seen` does."""
        await self._flush()
        return await asyncio.to_thread(seen, self._file, self.size, most_pixels)

    async def keep(self, path: Path) -> None:
        """Have it on the disk at `path`, whatever happens to the machine from now on."""
        await self._flush()
        with _full_as_problem():
            await asyncio.to_thread(_keep, self._file, self._path, path)

    def accept(self) -> None:
        """Leave it where it was kept, and its bytes counted."""
        self._accepted = True

    async def _flush(self) -> None:
        with _full_as_problem():
            await asyncio.to_thread(self._write, bytes(self._buffer))
        self._buffer.clear()

    def _write(self, piece: bytes) -> None:
        self._hash.update(piece)
        self._file.seek(0, os.SEEK_END)
        self._file.write(piece)
        self._file.flush()

    def _leave(self) -> None:
        if self._file is not None:
            self._file.close()
        self._path.unlink(missing_ok=True)


class Files:
    """The folder of pictures, results and previews. One page at a time uses it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock: Any = None

    def open(self) -> None:
        """Make the folder ours. Raises SetupError when it can't be written, or another page uses it."""
        try:
            for name in ("", *_ALL):
                (self.root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (self.root / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise SetupError(f"Another page uses {self.root}: end it, or set OVERSPILL_PAGE_DIR.") from None
        except OSError as error:
            self.close()
            raise SetupError(
                f"{self.root} can't be used ({error}): correct its rights, or OVERSPILL_PAGE_DIR."
            ) from error

    def close(self) -> None:
        """Let others use the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def incoming(self, most_bytes: int, count: Callable[[int], None]) -> Incoming:
        """A picture that is about to come; see `Incoming`."""
        return Incoming(self.aside(), most_bytes, count)

    def picture_path(self, record: Record) -> Path:
        """Where a job's picture lies."""
        return self.path("pictures", record.id)

    def result_path(self, record: Record) -> Path:
        """Where its result lies, once it is done."""
        return self.path("results", record.id)

    def preview_path(self, record: Record, of: str, size: str) -> Path:
        """Where a smaller one lies, once it was made."""
        return self.root / "previews" / record.id[:2] / f"{record.id}.{of}.{size}.webp"

    def path(self, folder: Folder, job_id: str) -> Path:
        """Where the file of a job lies."""
        return self.root / folder / job_id[:2] / job_id

    async def keep_result(self, job_id: str, body: bytes) -> None:
        """Have a result on the disk, whatever happens to the machine from now on. Raises OSError."""
        await asyncio.to_thread(self._keep_result, job_id, body)

    async def share(self, of: Record, job_id: str) -> None:
        """Give another job the same picture. Raises OSError; FileNotFoundError when it is not there."""
        await asyncio.to_thread(_share, self.picture_path(of), self.path("pictures", job_id))

    async def remove(self, job_ids: Iterable[str]) -> None:
        """Remove all files of jobs; what is not there is no fault."""
        await asyncio.to_thread(self._remove, list(job_ids))

    def ids(self) -> Iterator[list[str]]:
        """The jobs that files are named after, folder by folder."""
        for kind in ("pictures", "results", "previews"):
            for folder in sorted((self.root / kind).iterdir()):
                yield sorted({path.name.partition(".")[0] for path in folder.iterdir()})

    def sweep_incoming(self) -> None:
        """Remove what came half before a crash."""
        for path in (self.root / "incoming").iterdir():
            path.unlink(missing_ok=True)

    def aside(self) -> Path:
        """A name for a file until it is whole; what is left there is removed at the next start."""
        return self.root / "incoming" / uuid.uuid4().hex

    def _keep_result(self, job_id: str, body: bytes) -> None:
        aside = self.aside()
        try:
            with _opened(aside) as file:
                file.write(body)
                _keep(file, aside, self.path("results", job_id))
        finally:
            aside.unlink(missing_ok=True)

    def _remove(self, job_ids: list[str]) -> None:
        for job_id in job_ids:
            for folder in ("pictures", "results"):
                (self.root / folder / job_id[:2] / job_id).unlink(missing_ok=True)
            for path in (self.root / "previews" / job_id[:2]).glob(f"{job_id}.*"):
                path.unlink(missing_ok=True)


def _opened(path: Path) -> Any:
    return path.open("x+b")


def _keep(file: Any, aside: Path, path: Path) -> None:
    """Give a file its name, when all of it is on the disk; then the name itself."""
    file.flush()
    os.fsync(file.fileno())
    path.parent.mkdir(mode=0o700, exist_ok=True)
    aside.rename(path)
    _sync_folder(path.parent)


def _share(present: Path, path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        os.link(present, path)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(present, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
