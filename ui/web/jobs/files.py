"""Pictures and results on the disk: written aside, then renamed, so that a name stands for a whole file or for none.

A file is named after its job, whose id nobody can guess; two of its digits choose the folder.
"""

import asyncio
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

from bus.errors import SetupError
from ui.web.jobs.incoming import Incoming, keep, opened, sync_folder, write_all
from ui.web.jobs.record import Record

Folder = Literal["pictures", "results"]

_ALL: Final = ("pictures", "results", "previews", "incoming")


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

    def incoming(self, most_bytes: int, count: Callable[[int], None], *, is_kept: bool = True) -> Incoming:
        """A picture that is about to come; see `Incoming`."""
        return Incoming(self.aside(), most_bytes, count, is_kept=is_kept)

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
            with opened(aside) as file:
                write_all(file.fileno(), [body])
                keep(file, aside, self.path("results", job_id))
        finally:
            aside.unlink(missing_ok=True)

    def _remove(self, job_ids: list[str]) -> None:
        for job_id in job_ids:
            for folder in ("pictures", "results"):
                (self.root / folder / job_id[:2] / job_id).unlink(missing_ok=True)
            for path in (self.root / "previews" / job_id[:2]).glob(f"{job_id}.*"):
                path.unlink(missing_ok=True)


def _share(present: Path, path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        os.link(present, path)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(present, path)
    sync_folder(path.parent)
