"""The supervisor's hands: start a child, pass on what it says, notice its end, stop it."""

import asyncio
import subprocess
from collections.abc import Callable, Mapping
from typing import Protocol

from ui.stack.plan import BROKER, Program
from ui.stack.processes import die_with_us, kill_group
from ui.stack.rabbitmq import PrivateBroker

Say = Callable[[str, str], None]
"""Says one line in the name of a program."""

_TICK_S = 0.05


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


class BrokerChild:
    """The private broker as a child."""

    name = BROKER

    def __init__(self, broker: PrivateBroker) -> None:
        self._broker = broker

    def spawn(self) -> str:
        """Start the broker without waiting; returns the URL at which it will answer. Raises SetupError."""
        self._broker.spawn()  # not in another thread: the kernel ties the child to the thread that starts it
        return self._broker.url()

    async def wait_ready(self) -> None:
        """Wait until the broker answers. Raises SetupError when it doesn't."""
        await asyncio.to_thread(self._broker.wait_ready)

    async def run(self) -> int:
        """Wait for its end, having started it first where it does not run."""
        if not self._broker.running:
            self.spawn()
            await self.wait_ready()
        return await _end_of(self._broker.process)

    async def stop(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Stop the broker and its epmd."""
        await asyncio.to_thread(self._broker.stop, 0 if hurry.is_set() else grace_s)


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
