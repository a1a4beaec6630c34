"""The load generator's loop: sends each job when it is due, and waits for none of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from telemetry.process import unless_set
from ui.bench.schedule import Due
from ui.bench.tally import Reply, Tally

Send = Callable[[Due], Awaitable[Reply]]


async def generate(dues: Iterable[Due], send: Send, tally: Tally, stop: asyncio.Event, for_s: float | None) -> bool:
    """Send all jobs and wait for their ends; returns whether `stop` did not cut it short.

    `send` sends one job and tells how it ended; it must end by itself, and raises nothing. Sending lasts `for_s`
    seconds, or to the last of `dues`.
    """
    began_s = asyncio.get_running_loop().time()
    under_way: set[asyncio.Task[None]] = set()
    whole = await unless_set(stop, _all(dues, _Line(send, tally, began_s, under_way), for_s))
    if tally.until_s is None:
        tally.stop(_now() - began_s)
    for task in tuple(under_way):
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    return whole


class _Line:
    """One run's jobs; times are seconds since it began."""

    def __init__(self, send: Send, tally: Tally, began_s: float, under_way: set[asyncio.Task[None]]) -> None:
        self._send = send
        self.tally = tally
        self.began_s = began_s
        self.under_way = under_way

    @property
    def now_s(self) -> float:
        return _now() - self.began_s

    def start(self, due: Due) -> None:
        task = asyncio.create_task(self._one(due))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _one(self, due: Due) -> None:
        sent_s = self.now_s
        self.tally.send(due, sent_s)
        reply = await self._send(due)
        self.tally.end(due, sent_s, reply, self.now_s)


async def _all(dues: Iterable[Due], line: _Line, for_s: float | None) -> None:
    for due in dues:
        # Slept even when it is late: the others need their turns.
        await asyncio.sleep(max(0.0, due.at_s - line.now_s))
        line.start(due)
    await asyncio.sleep(0 if for_s is None else max(0.0, for_s - line.now_s))
    line.tally.stop(line.now_s)
    while line.under_way:
        await asyncio.wait(line.under_way)


def _now() -> float:
    return asyncio.get_running_loop().time()
