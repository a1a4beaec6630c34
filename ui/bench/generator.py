"""The load generator's loop: sends each job when it is due, and waits for none of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from telemetry.process import unless_set
from ui.bench.schedule import Due
from ui.bench.tally import Reply, Tally

Send = Callable[[Due], Awaitable[Reply]]


async def generate(
    dues: Iterable[Due],
    send: Send,
    tally: Tally,
    stop: asyncio.Event,
    for_s: float | None,
    cpu_s: Callable[[], float] = time.process_time,
) -> bool:
    """Send all jobs and wait for their ends; returns whether `stop` did not cut it short.

    `send` sends one job and tells how it ended; it must end by itself, and raises nothing. Sending lasts `for_s`
    seconds, or to the last of `dues`; `cpu_s` tells the seconds of a core that this process has taken.
    """
    line = _Line(send, tally, cpu_s)
    whole = await unless_set(stop, _all(dues, line, for_s))
    if tally.until_s is None:
        line.stop()
    for task in tuple(line.under_way):
        task.cancel()
    await asyncio.gather(*line.under_way, return_exceptions=True)
    return whole


class _Line:
    """One run's jobs; times are seconds since it began."""

    def __init__(self, send: Send, tally: Tally, cpu_s: Callable[[], float]) -> None:
        self._send = send
        self._tally = tally
        self._cpu_s = cpu_s
        self._began_s, self._before_s = _now(), cpu_s()
        self.under_way: set[asyncio.Task[None]] = set()

    @property
    def now_s(self) -> float:
        return _now() - self._began_s

    def stop(self) -> None:
        self._tally.stop(self.now_s, self._cpu_s() - self._before_s)

    def start(self, due: Due) -> None:
        task = asyncio.create_task(self._one(due))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _one(self, due: Due) -> None:
        sent_s = self.now_s
        self._tally.send(due, sent_s)
        reply = await self._send(due)
        self._tally.end(due, sent_s, reply, self.now_s)


async def _all(dues: Iterable[Due], line: _Line, for_s: float | None) -> None:
    for due in dues:
        # Slept even when it is late: the others need their turns.
        await asyncio.sleep(max(0.0, due.at_s - line.now_s))
        line.start(due)
    await asyncio.sleep(0 if for_s is None else max(0.0, for_s - line.now_s))
    line.stop()
    while line.under_way:
        await asyncio.wait(line.under_way)


def _now() -> float:
    return asyncio.get_running_loop().time()
