"""Thumbnails and previews, made when they are first asked for, by one child process for all, users by turns.

The page itself never decodes a picture. A child that hangs, or dies of one, is replaced; its picture has no preview.
"""

import asyncio
import contextlib
import logging
import multiprocessing
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final, Literal

from bus.errors import BadInput
from bus.problems import Kind, Problem
from ui.web.jobs.files import Files
from ui.web.jobs.one_by_one import OneByOne
from ui.web.jobs.record import Record
from ui.web.jobs.shrinking import Task, serve

log = logging.getLogger(__name__)

Of = Literal["picture", "result"]
Size = Literal["thumbnail", "preview"]

SIDES: Final[dict[Size, int]] = {"thumbnail": 480, "preview": 1600}
"""The longest side, pixels."""
PATIENCE_S: Final = 20.0
"""How long one may take; a child that takes longer is killed."""
_START_S: Final = 30.0
_START_AGAIN_S: Final = 5.0
_MOST_FAULTS: Final = 2000


class Child:
    """The process that makes them, begun when it is needed. Its methods block: call them from one thread."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process is not None else None

    def make(self, task: Task) -> str | None:
        """Have a task done; returns what is wrong with its picture, if something is.

        Raises OSError when there can be no process for it.
        """
        fresh = self._process is None
        connection = self._begun()
        try:
            connection.send(task)
            # A fresh one imports first.
            if not connection.poll(self._patience_s + (_START_S if fresh else 0.0)):
                self.stop()
                return f"it takes longer than {self._patience_s:g} seconds"
            told: str | None = connection.recv()
        except (EOFError, OSError):
            self.stop()
            return "the decoder died of it"
        return told

    def kill(self) -> None:
        """End the process from another thread; whoever waits for it is told that it died."""
        with contextlib.suppress(AttributeError, ValueError):  # there is none, or it was just replaced
            self._process.kill()  # type: ignore[union-attr]  # the suppressed AttributeError

    def stop(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if process is not None:
            process.kill()
            process.join()
            process.close()

    def _begun(self) -> Connection:
        if self._connection is None:
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            # Daemonic, and it ends with the pipe: nothing is left behind, however we end.
            process = context.Process(target=serve, args=(theirs,), name="previews", daemon=True)
            with theirs:
                _start(process, ours)
            self._connection, self._process = ours, process
        return self._connection


def _start(process: SpawnProcess, ours: Connection) -> None:
    """Raises OSError: the machine has no room for another process just now."""
    try:
        process.start()
    except BaseException:
        ours.close()
        raise


class Previews:
    """What is shown of pictures and results, in WebP, transparency kept."""

    def __init__(self, files: Files, most_pixels: int, child: Child | None = None) -> None:
        self._files = files
        self._most_pixels = most_pixels
        self._child = child or Child()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="previews")
        self._line = OneByOne()
        self._making: dict[Path, asyncio.Task[None]] = {}
        self._faults: OrderedDict[Path, Problem] = OrderedDict()

    async def path(self, record: Record, of: Of, size: Size) -> Path:
        """The file of a preview, made if it isn't there; who asks meanwhile waits for the same one.

        Raises BadInput: NOT_FOUND where there is no picture to show, BROKEN_IMAGE where none can be made of it,
        NOT_READY where no process can be had to make it.
        """
        source = self._source(record, of)
        target = self._files.preview_path(record, of, size)
        if target in self._faults:
            raise BadInput(self._faults[target])
        if not target.exists():
            await self._made(record.user, source, target, SIDES[size])
        return target

    async def close(self) -> None:
        """End the child; whoever waits for it gets BadInput."""
        self._line.close()
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._child.kill()
        await asyncio.gather(*self._making.values(), return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)
        self._child.stop()

    def _source(self, record: Record, of: Of) -> Path:
        if of == "picture":
            return self._files.picture_path(record)
        if record.result is None or not record.result.type.startswith("image/"):
            raise BadInput(Problem.of(Kind.NOT_FOUND, "The job has no picture for a result."))
        return self._files.result_path(record)

    async def _made(self, user: str, source: Path, target: Path, side: int) -> None:
        making = self._making.get(target)
        if making is None:
            making = self._making[target] = asyncio.create_task(self._make(user, source, target, side))
            making.add_done_callback(partial(self._forget, target))
        # One who gives up does not take it away from the others.
        await asyncio.shield(making)

    def _forget(self, target: Path, making: "asyncio.Task[None]") -> None:
        self._making.pop(target, None)
        if not making.cancelled():
            making.exception()  # nobody may be waiting for it any more

    async def _make(self, user: str, source: Path, target: Path, side: int) -> None:
        if not await asyncio.to_thread(source.exists):
            raise BadInput(Problem.of(Kind.NOT_FOUND, "The picture is not there any more."))
        task = Task(source, target, self._files.aside(), side, self._most_pixels)
        async with self._line.turn(user):
            fault = await self._fault_of(task)
        with contextlib.suppress(FileNotFoundError):
            task.aside.unlink()  # of a child that died
        if fault is not None:
            self._faults[target] = Problem.of(Kind.BROKEN_IMAGE, f"No preview can be made of it: {fault.rstrip('.')}.")
            if len(self._faults) > _MOST_FAULTS:
                self._faults.popitem(last=False)
            raise BadInput(self._faults[target])

    async def _fault_of(self, task: Task) -> str | None:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._child.make, task)
        except OSError as error:
            log.error("no process for previews: %s", error)  # noqa: TRY400 (what it was doing is plain)
            detail = "Previews can't be made just now."
            raise BadInput(Problem.of(Kind.NOT_READY, detail, retry_after_s=_START_AGAIN_S)) from error
