"""Thumbnails and previews, made when they are first asked for, by one child process for all, users by turns.

The page itself never decodes a picture. A child that hangs or dies is replaced. A picture that can't be read has no
preview; whatever else went wrong may go well a minute later.
"""

import asyncio
import contextlib
import logging
import math
import multiprocessing
import signal
import time
from collections import OrderedDict
from collections.abc import Callable
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
from ui.web.jobs.shrinking import Task, broken, serve

log = logging.getLogger(__name__)

Of = Literal["picture", "result"]
Size = Literal["thumbnail", "preview"]

SIDES: Final[dict[Size, int]] = {"preview": 1600, "thumbnail": 480}
"""The longest side, pixels."""
PATIENCE_S: Final = 20.0
"""How long one may take; a child that takes longer is killed."""
_START_S: Final = 30.0
_START_AGAIN_S: Final = 5.0
_MOST_FAULTS: Final = 2000
AGAIN_S: Final = 60.0
"""When it is tried again what may not have been the picture's fault."""
_DIES_S: Final = 1.0
_CRASHES: Final = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE}


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

    def make(self, task: Task) -> Problem | None:
        """Have a task done; returns why it can't be: BROKEN_IMAGE, OUT_OF_MEMORY, TIMED_OUT or NOT_READY.

        Raises OSError when there can be no process for it.
        """
        fresh = self._process is None
        connection = self._begun()
        try:
            connection.send(task)
            # A fresh one imports first.
            if not connection.poll(self._patience_s + (_START_S if fresh else 0.0)):
                self.stop()
                return _too_slow(self._patience_s)
            told: Problem | None = connection.recv()
        except (EOFError, OSError):
            return _death(self._died())
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

    def _died(self) -> int | None:
        """The exit code of a process that has hung up."""
        code = None
        if self._process is not None:
            self._process.join(_DIES_S)
            code = self._process.exitcode
        self.stop()
        return code

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


def _too_slow(patience_s: float) -> Problem:
    detail = f"A preview of it takes longer than {patience_s:g} seconds."
    return Problem.of(Kind.TIMED_OUT, detail, remedy="Open the picture itself.", retry_after_s=AGAIN_S)


def _death(code: int | None) -> Problem:
    """By its exit code: a crash is the picture's doing; what was killed may have been in the way of others."""
    if code in _CRASHES:
        return broken("the decoder died of it")
    detail = "What makes previews was ended from outside, for want of memory perhaps."
    return Problem.of(Kind.NOT_READY, detail, retry_after_s=AGAIN_S)


class Previews:
    """What is shown of pictures and results, in WebP, transparency kept."""

    def __init__(
        self,
        files: Files,
        most_pixels: int,
        child: Child | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` tells seconds."""
        self._files = files
        self._clock = clock
        self._most_pixels = most_pixels
        self._child = child or Child()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="previews")
        self._line = OneByOne()
        self._making: dict[Path, asyncio.Task[None]] = {}
        self._faults: OrderedDict[Path, tuple[Problem, float]] = OrderedDict()
        """What was wrong, and until when nobody tries again."""

    async def path(self, record: Record, of: Of, size: Size) -> Path:
        """The file of a preview, made if it isn't there; who asks meanwhile waits for the same one.

        Raises BadInput: NOT_FOUND where there is no picture to show, BROKEN_IMAGE where none can be made of it,
        OUT_OF_MEMORY, TIMED_OUT where none could be this time, NOT_READY where no process can be had to make it.
        """
        source = self._source(record, of)
        target = self._files.preview_path(record, of, size)
        fault, until_s = self._faults.get(target, (None, 0.0))
        if fault is not None and self._clock() < until_s:
            raise BadInput(fault)
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
            self._remember(target, fault)
            raise BadInput(fault)

    def _remember(self, target: Path, fault: Problem) -> None:
        is_for_good = fault.type == Kind.BROKEN_IMAGE.urn
        self._faults[target] = fault, math.inf if is_for_good else self._clock() + AGAIN_S
        if len(self._faults) > _MOST_FAULTS:
            self._faults.popitem(last=False)

    async def _fault_of(self, task: Task) -> Problem | None:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._child.make, task)
        except OSError as error:
            log.error("no process for previews: %s", error)  # noqa: TRY400 (what it was doing is plain)
            detail = "Previews can't be made just now."
            raise BadInput(Problem.of(Kind.NOT_READY, detail, retry_after_s=_START_AGAIN_S)) from error
