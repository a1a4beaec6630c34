"""Calling jobs off: the order is told to routers and VMs until the broker has taken it.

Then a job that nobody has placed yet ends here: it may wait for hours where no router looks. One that is placed ends by
its answer.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from bus.clock import now_ms
from bus.control import Cancel, command_message
from bus.errors import BusError
from bus.rabbit import Bus
from bus.topology import CONTROL
from ui.web.jobs import moves
from ui.web.jobs.book import Book
from ui.web.jobs.record import Record

log = logging.getLogger(__name__)

_AGAIN_S: Final = 0.5


class Cancels:
    """Orders to cancel that the broker has not taken yet."""

    def __init__(self, bus: Bus, book: Book, kept_ms: int, clock_ms: Callable[[], int] = now_ms) -> None:
        """`kept_ms` is how long ended jobs are kept, milliseconds."""
        self._bus, self._book, self._kept_ms, self._clock_ms = bus, book, kept_ms, clock_ms
        self._asking: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Ask again for what may not have been asked before we stopped."""
        for record in self._book.under_way.values():
            if record.cancel_asked:
                self.ask(record)

    async def close(self) -> None:
        """Stop; what is not taken is asked for again after the next start."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def ask(self, record: Record) -> None:
        """Have a job cancelled, wherever it is."""
        if record.id not in self._asking:
            task = self._asking[record.id] = asyncio.create_task(self._ask(record))
            task.add_done_callback(lambda _task: self._asking.pop(record.id, None))

    async def _ask(self, record: Record) -> None:
        command = Cancel(job=record.id, user=record.user)
        order = replace(command_message(command, command.key), timestamp=self._clock_ms() // 1000)
        # Though it may have ended meanwhile: an unconfirmed copy of it may still be somewhere.
        while True:
            try:
                await self._bus.publish(CONTROL, order)
                # Only now: a job that has ended is not asked about again after a crash.
                await self._end(record.id)
            except (BusError, sqlite3.Error) as error:
                about = {"job": record.id, "trace": record.traceparent}
                log.info("the order to cancel job %s is not taken yet: %s", record.id, error, extra=about)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _end(self, job_id: str) -> None:
        """End a job that nobody has placed."""
        record = self._book.under_way.get(job_id)
        if record is not None and not moves.is_placed(record):
            await self._book.end({job_id: partial(moves.cancelled, now_ms=self._clock_ms(), kept_ms=self._kept_ms)})
