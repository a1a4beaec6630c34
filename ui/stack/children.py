"""The supervisor's hands: start a child, pass on what it says, notice its end, stop it."""

import asyncio
import subprocess
from collections.abc import Callable, Mapping
from typing import Protocol

from ui.stack.plan import Program
from ui.stack.processes import die_with_us, kill_group

Say = Callable[[str, str], None]
"""Says one line in the name of a program."""

_TICK_S = 0.05
_STARTING_GRACE_S = 2.0


class Child(Protocol):
    """Something that runs until it ends or is stopped, and can be run again."""

    name: str

    async def run(self) -> int:
        """Start it and wait for its end; returns its exit status."""

    async def stop(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Ask it to end; kill it after `grace_s` seconds or as soon as `hurry` is set."""


class ProgramChild:
    """A program whose output is passed on line by line."""

    def __init__(self, program: Program, environ: Mapping[str, str], say: Say) -> None:
        self.name = program.name
        self._program = program
        self._environ = {**environ, **program.environ}
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None

    async def run(self) -> int:
        """Start it and wait for its end; what it may have left behind of its process group goes with it."""
        process = self._process = subprocess.Popen(  # noqa: ASYNC220 (a moment; asyncio's own would watch it from threads)
            die_with_us(self._program.command),
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in the terminal is ours to act on, in the right order
        )
        output = asyncio.create_task(self._pass_on(process))
        status = await _end_of(process)
        kill_group(process.pid)
        await output
        return status

    async def _pass_on(self, process: subprocess.Popen[bytes]) -> None:
        reader = asyncio.StreamReader(limit=1 << 20)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), process.stdout
        )
        async for line in reader:
            self._say(self.name, line.decode(errors="replace").rstrip())
        transport.close()

    async def stop(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Ask it to end, and wait; kill it and its group after the grace."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        if not await _within(grace_s, hurry, process):
            self._say(self.name, "does not stop; killed")
            kill_group(process.pid)
            await _end_of(process)


class Server(Protocol):
    """A server that others wait for: it is there when it answers, and comes back where it was."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server itself."""

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""

    def spawn(self) -> None:
        """Start it without waiting. Raises SetupError."""

    def wait_ready(self) -> None:
        """Wait until it answers. Raises SetupError when it doesn't."""

    def stop(self, grace_s: float) -> None:
        """Stop it, and all that belongs to it."""


class ServerChild:
    """A broker, or the emulator of one, as a child."""

    def __init__(self, name: str, server: Server, say: Say) -> None:
        self.name = name
        self._server = server
        self._say = say
        self._answers = False

    def spawn(self) -> None:
        """Start it without waiting. Raises SetupError."""
        self._answers = False
        self._server.spawn()  # not in another thread: the kernel ties the child to the thread that starts it

    async def wait_ready(self) -> None:
        """Wait until it answers. Raises SetupError when it doesn't."""
        await asyncio.to_thread(self._server.wait_ready)
        self._answers = True
        self._say(self.name, "answers")

    async def run(self) -> int:
        """Wait for its end, having started it first where it does not run."""
        if not self._server.running:
            self.spawn()
        if not self._answers:
            await self.wait_ready()
        return await _end_of(self._server.process)

    async def stop(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Stop it, and all that belongs to it. One that does not answer yet has nothing to finish."""
        # A RabbitMQ that is asked to stop in the middle of its start goes on starting, and never stops.
        grace_s = grace_s if self._answers else min(grace_s, _STARTING_GRACE_S)
        await asyncio.to_thread(self._server.stop, 0 if hurry.is_set() else grace_s)


async def _end_of(process: subprocess.Popen[bytes]) -> int:
    while (status := process.poll()) is None:  # noqa: ASYNC110 (the kernel sets no asyncio.Event)
        await asyncio.sleep(_TICK_S)
    return status


async def _within(grace_s: float, hurry: asyncio.Event, process: subprocess.Popen[bytes]) -> bool:
    """Whether the process ended before the grace did."""
    end = asyncio.create_task(_end_of(process))
    hurried = asyncio.create_task(hurry.wait())
    await asyncio.wait({end, hurried}, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
    ended = end.done()
    end.cancel()
    hurried.cancel()
    return ended
