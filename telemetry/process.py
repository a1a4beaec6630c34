"""How each of our processes logs, runs and stops."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from telemetry import logs, traces

Serve = Callable[[asyncio.Event], Awaitable[None]]
"""What a process does until the event is set, and then winds up."""


def set_up_logs(level: str) -> None:
    """Plain lines on stderr from `level` on, for a command that doesn't serve."""
    logs.to_stderr(level, logs.plain_lines())


def run(serve: Serve) -> None:
    """Run `serve` until SIGINT or SIGTERM; a second signal ends the process at once."""
    try:
        asyncio.run(_until_signalled(serve))
    finally:
        traces.flush()


async def _until_signalled(serve: Serve) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    await serve(stop)


async def unless_set(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work` to its end, unless `stop` is set first: then it is cancelled. Returns whether it came to its end."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (stopping, working):
            task.cancel()
        await asyncio.gather(stopping, working, return_exceptions=True)
    if working.cancelled():
        return False
    working.result()
    return True


async def until_set(stop: asyncio.Event, task: "asyncio.Task[None]") -> None:
    """Wait for `stop`, then cancel `task`. Raises what `task` raised if it ended by itself."""
    await unless_set(stop, _ended(task))


async def _ended(task: "asyncio.Task[None]") -> None:
    await task
