"""Hears the fleet on the bus, and says how it is once a second, and at once when a VM changes its state."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Final

from bus.clock import now_ms
from bus.errors import BusError
from bus.rabbit import Bus, Consumer, Delivery
from bus.settings import Settings
from bus.topology import EVENTS, EVENTS_HISTORY
from telemetry.garbage import EventReader
from ui.fleet.heard import BINDINGS
from ui.web.live.board import Board
from ui.web.live.columns import Columns
from ui.web.live.pace import doze_s, is_due, rest_s
from ui.web.live.past import LEAD_S, Past, wanted
from ui.web.live.sample import Sample

log = logging.getLogger(__name__)

_COUNT_S: Final = 1.0
_REST: Final = 9.0
"""Times as long as counting took is rested after it: however many queues there are, a tenth of the time at most."""
_BREATHE: Final = 50
"""Events of the past between two pauses in which everything else gets its turn."""
_AGAIN_S: Final = 5.0
_BINDINGS: Final = (*BINDINGS, *((EVENTS, f"job.{state}.*") for state in ("routed", "done", "failed")))


class Feed:
    """One page's view of the fleet. `tell` is called with each sample; `columns` holds the last 15 minutes."""

    def __init__(self, bus: Bus, settings: Settings, tell: Callable[[Sample], None]) -> None:
        self._bus, self._settings, self._tell = bus, settings, tell
        self._board = Board(settings)
        self._events = EventReader(log.warning)
        self.columns = Columns()
        self.complete = False
        """Whether the time before the start has been read."""
        self._depths: dict[str, int | None] = {}
        self._hurry = asyncio.Event()
        self._second = now_ms() // 1000
        self._told_at = 0.0
        self._connected = False
        self._gap_from: int | None = None
        self._consumer: Consumer | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, now if the bus is connected, and after each connect."""
        self._second = now_ms() // 1000
        self._gap_from = self._second - self.columns.rows
        self.columns.advance(self._second)
        self._consumer = await self._bus.listen(_BINDINGS, self._hear)
        self._spawn(self._tick())
        self._spawn(self._count())

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._consumer is not None:
            await self._bus.cancel(self._consumer)

    def sample(self) -> Sample:
        """The fleet as it is now."""
        connected = self._bus.connected
        return self._board.sample(now_ms(), time.monotonic(), self._depths, connected=connected)

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("the fleet is not told any more", exc_info=task.exception())

    def _hear(self, delivery: Delivery) -> None:
        now = time.monotonic()
        event = self._events.read(delivery.message, now)
        if event is not None and self._board.hear(event, now):
            self._hurry.set()

    # -- time

    async def _tick(self) -> None:
        while True:
            await self._wait()
            now, second = time.monotonic(), now_ms() // 1000
            if self._board.tick(now) or self._bus.connected != self._connected:
                self._connected = self._bus.connected
                self._hurry.set()
            turned = second != self._second
            if turned:
                self._turn(second, now)
            if not is_due(now - self._told_at, turned=turned, news=self._hurry.is_set()):
                continue
            self._hurry.clear()
            self._told_at = now
            self._tell(self.sample())

    async def _wait(self) -> None:
        """Until something can't wait, or time has gone by that has to be looked at."""
        if rest := rest_s(time.monotonic() - self._told_at, news=self._hurry.is_set()):
            await asyncio.sleep(rest)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(doze_s(now_ms())):
                await self._hurry.wait()

    def _turn(self, second: int, now: float) -> None:
        """A second is over, or several."""
        over, self._second = self._second, second
        for _ in range(min(max(second - over, 1), self.columns.rows)):
            self._board.roll()
        self.columns.advance(second)
        if not self._bus.connected:
            self._gap_from = self._gap_from or over
            return
        self.columns.write(second - 1, self._board.row(now, self._depths))
        if self._gap_from is not None:
            first, self._gap_from = self._gap_from, None
            self._spawn(self._read_past(first, second - 1))

    # -- queues

    async def _count(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self._depths = await self._bus.depths(self._board.queues(began))
            except BusError as error:
                # Said elsewhere, and once, is that the connection is lost.
                log.debug("the queues can't be counted: %s", error)
            await asyncio.sleep(max(_COUNT_S, _REST * (time.monotonic() - began)))

    # -- the past

    async def _read_past(self, first: int, end: int) -> None:
        """Fill the rows of a time in which nothing was heard: before the start, or while the connection was lost."""
        past = Past(Board(self._settings), self.columns, first=first, end=end)
        try:
            await self._fold(past, (first - LEAD_S) * 1000)
        except (BusError, OSError, TimeoutError) as error:
            log.warning("the fleet's history can't be read now: %s", error)
            await asyncio.sleep(_AGAIN_S)
            self._gap_from = min(first, self._gap_from or first)
            return
        past.finish()
        if not self.complete:
            self._board.latencies.preceded_by(past.board.latencies)
            self.complete = True

    async def _fold(self, past: Past, since_ms: int) -> None:
        number = 0
        async with aclosing(self._bus.replay(EVENTS_HISTORY, since_ms, wanted)) as messages:
            async for message in messages:
                if (event := self._events.read(message, time.monotonic())) is not None:
                    past.tell(event)
                number += 1
                if past.over:
                    return
                if number % _BREATHE == 0:
                    await asyncio.sleep(0)
