"""One slot of a worker: a child process that computes, and the worker's grip on it."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Self

from bus.errors import OverspillError
from bus.settings import MIB, Settings
from consumers.child import receive, send

SHARED_OUT = 0.8
"""The part of the machine's memory that the computing processes may take together."""
LOAD_TIMEOUT_S = 600.0
"""First imports of the ML libraries take minutes on a cold, slow disk."""

_Frames = tuple[dict[str, Any], list[bytes]]


@dataclass(frozen=True, slots=True)
class ChildConfig:
    """What a child loads and allows; `memory_bytes` it may take, `threads` for each library that computes.

    `max_bytes` is the largest picture or result, in a message or, where there is a blob store, in there.
    """

    operations: tuple[str, ...]
    models_dir: str
    max_bytes: int
    max_pixels: int
    memory_bytes: int
    threads: int = 1

    @classmethod
    def of(cls, settings: Settings, slots: int, memory_bytes: int) -> Self:
        """One of `slots` children on a machine of so much memory: they leave a part of it to everything else."""
        return cls(
            operations=settings.operations,
            models_dir=str(settings.models_dir or settings.state_dir / "models"),
            max_bytes=_largest(settings),
            max_pixels=settings.max_pixels,
            memory_bytes=(settings.child_memory_mib or 0) * MIB or int(memory_bytes * SHARED_OUT / slots),
        )


def _largest(settings: Settings) -> int:
    # What comes in a message is held to its own, smaller limit before it is here: by the broker and by the router.
    return max(settings.max_image_bytes, settings.max_claim_bytes if settings.blobs else 0)


@dataclass(frozen=True, slots=True)
class Served:
    """What a child that is ready serves, and why it doesn't serve the rest."""

    operations: tuple[str, ...]
    not_served: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """A child's reply for one job: what `head` says is told in `consumers.child.perform`."""

    head: dict[str, Any]
    body: bytes


class ChildDied(OverspillError):
    """The child ended in the middle of a job (crash, kill, out of memory)."""


class ChildTimedOut(OverspillError):
    """The job outran its time; the child was killed."""


class Child:
    """A child process. One run at a time; `run` may be called again after any of its errors."""

    def __init__(self, config: ChildConfig) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Connection | None = None
        self._interrupted = False
        self.start_s = 0.0
        """How long its latest start took, in seconds."""
        # The socket is read and written in a thread: a child that stops reading must not stop the event loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="child")

    @property
    def pid(self) -> int | None:
        """The process id while one runs."""
        return self._process.pid if self._process is not None else None

    @property
    def is_alive(self) -> bool:
        """Whether the process is there to be given a job."""
        return self._process is not None and not self._interrupted and self._process.poll() is None

    async def start(self) -> Served:
        """Start the process and wait until it has loaded. Raises ChildDied or ChildTimedOut."""
        self.kill()
        began_s = time.monotonic()
        try:
            self._spawn()
        except OSError as error:
            raise ChildDied(f"the process could not be started ({error})") from None
        head, _ = await self._in_thread(self._receive, LOAD_TIMEOUT_S)
        self.start_s = time.monotonic() - began_s
        return Served(tuple(head["operations"]), head["not_served"])

    def _spawn(self) -> None:
        self._interrupted = False
        ours, theirs = socket.socketpair()
        self._channel = Connection(ours.detach())
        config = {name: getattr(self._config, name) for name in self._config.__dataclass_fields__}
        threads = str(self._config.threads)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "consumers.child", str(theirs.fileno()), json.dumps(config)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"},
            )

    async def run(
        self, operation: str, params: dict[str, Any], bodies: Sequence[bytes], timeout_s: float
    ) -> list[Reply]:
        """Run one job or several together; the reply to each, in order.

        Raises ChildDied or ChildTimedOut; the process is gone then, and `start` makes a new one. It is gone as well
        after a reply that says it has run out of memory: what it still holds, nobody knows.
        """
        request = {"operation": operation, "params": params}
        head, answers = await self._in_thread(self._ask, timeout_s, request, bodies)
        replies = [Reply(*pair) for pair in zip(head["replies"], answers, strict=True)]
        if any(reply.head["status"] == "exhausted" for reply in replies):
            self.kill()
        return replies

    def interrupt(self) -> None:
        """End the process in the middle of a run, which then raises ChildDied unless its reply has come already."""
        # The socket stays open: the thread reads it, and its number could be another's before the thread knows.
        if self._process is not None:
            self._interrupted = True
            self._process.kill()

    def kill(self) -> None:
        """End the process at once, when nothing runs in it."""
        # Taken out first: `close` may come from another thread while a run that it ended does the same.
        process, self._process = self._process, None
        channel, self._channel = self._channel, None
        if process is not None:
            process.kill()
            process.wait()
        if channel is not None:
            channel.close()

    def close(self) -> None:
        """End the process and the thread."""
        if self._process is not None:
            self._process.kill()  # first: it wakes the thread out of its wait
        self._thread.shutdown()
        self.kill()

    async def _in_thread(self, work: Callable[..., _Frames], timeout_s: float, *args: Any) -> _Frames:
        working = asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
        working.add_done_callback(_seen)  # whoever waits for it here may be cancelled
        await asyncio.wait({working}, timeout=timeout_s)
        timed_out = not working.done()
        if timed_out:
            if self._process is not None:
                self._process.kill()  # wakes the thread out of its read or write, even when the child is frozen
            await asyncio.wait({working})
        error = working.exception()
        if error is None and not timed_out:
            return working.result()
        self.kill()  # whatever it said or didn't: it may be in the middle of saying it
        if timed_out:
            raise ChildTimedOut(f"no result within {timeout_s:g} s") from error
        if isinstance(error, ChildDied):
            raise error
        raise ChildDied(f"the process computing it talks nonsense ({error!r})") from error

    def _ask(self, head: dict[str, Any], bodies: Sequence[bytes]) -> _Frames:
        with contextlib.suppress(OSError):  # a child that is gone is noticed by the reply that does not come
            send(self._open_channel, head, *bodies)
        return self._receive()

    def _receive(self) -> _Frames:
        try:
            return receive(self._open_channel)
        except (EOFError, OSError):
            raise ChildDied(f"the process computing it ended ({self._how_it_ended()})") from None

    @property
    def _open_channel(self) -> Connection:
        if self._channel is None:
            raise ChildDied("no process runs")
        return self._channel

    def _how_it_ended(self) -> str:
        if self._process is None:
            return "it was stopped"
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "it closed its socket"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _seen(working: "asyncio.Future[_Frames]") -> None:
    """Have asyncio not complain of an error that nobody is left to hear of."""
    if not working.cancelled():
        working.exception()
