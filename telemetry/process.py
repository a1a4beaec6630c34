"""How each of our processes logs, runs and stops."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.Event], Awaitable[None]]
"""What a process does until the event is set, and then winds up."""


def set_up_logs(level: str) -> None:
    """One line an event on stderr. pika tells each failure several times over; `bus.rabbit` tells it once."""
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S"
    )
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def run(serve: Serve) -> None:
    """Run `serve` until SIGINT or SIGTERM; a second signal ends the process at once."""
    asyncio.run(_until_signalled(serve))


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


async def until_set(stop: asyncio.Event, task: "asyncio.Task[None]") -> None:
    """Wait for `stop`, then cancel `task`. Raises what `task` raised if it ended by itself."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, task}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        task.result()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
