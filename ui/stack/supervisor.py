"""Keeps a stack running: starts its parts, starts again what dies, stops all of it in the right order."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Sequence

from bus.errors import OverspillError
from ui.stack import plan
from ui.stack.children import Child, Say


class Supervisor:
    """Runs children until it is told to stop.

    Then they are stopped in groups, one after the other: a broker, say, after all that can't finish its work without.
    """

    def __init__(self, say: Say, *, grace_s: float = 20.0) -> None:
        """`grace_s` is how long a child may take to stop, in seconds."""
        self._say = say
        self._grace_s = grace_s
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._keepers: dict[str, asyncio.Task[None]] = {}

    def request_stop(self) -> None:
        """Stop in good order; at the second request, at once."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_set()

    def keep(self, child: Child) -> None:
        """Start a child, and again whenever it ends."""
        self._keepers[child.name] = asyncio.create_task(self._keep(child), name=f"keep-{child.name}")

    async def _keep(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while not self.stopping:
            began = loop.time()
            said = await _run(child)
            if self.stopping:
                return
            failures = plan.failures_after(failures, loop.time() - began)
            delay_s = plan.restart_delay_s(failures)
            self._say(child.name, f"{said}; starting it again in {delay_s:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), delay_s)

    async def unless_stopped(self, work: Awaitable[None]) -> bool:
        """Await `work`, but not beyond a request to stop. Whether it was finished."""
        doing = asyncio.ensure_future(work)
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait({doing, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if doing.done():
            doing.result()
            return True
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        return False

    async def wait_for_stop(self) -> None:
        """Wait until a stop is requested."""
        await self._stop.wait()

    async def stop(self, *groups: Sequence[Child]) -> None:
        """Stop the children, one group after the other, and wait until all are gone."""
        self._stop.set()
        for group in groups:
            await asyncio.gather(*(child.stop(self._grace_s, self._hurry) for child in group))
            keepers = [self._keepers[child.name] for child in group if child.name in self._keepers]
            await asyncio.gather(*keepers, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def signals(self) -> AsyncIterator[None]:
        """Take Ctrl-C, SIGTERM and a closed terminal as requests to stop."""
        loop = asyncio.get_running_loop()
        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in wanted:
            loop.add_signal_handler(number, self.request_stop)
        try:
            yield
        finally:
            for number in wanted:
                loop.remove_signal_handler(number)


async def _run(child: Child) -> str:
    """Run a child to its end; says what happened."""
    try:
        return plan.ended(await child.run())
    except (OverspillError, OSError) as error:
        return str(error)
