"""Hearing how jobs get on: routers, VMs and bridges tell each step, and the book moves with them."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from bus.clock import now_ms
from bus.errors import BadInput
from bus.events import JobEvent, read_event
from bus.rabbit import Bus, Delivery
from bus.rabbit.consuming import Consumer
from bus.topology import EVENTS
from ui.web.jobs.book import Book
from ui.web.jobs.moves import is_of, is_worth_keeping, moved
from ui.web.jobs.replays import Replays

log = logging.getLogger(__name__)

AHEAD: Final = 20_000
"""Events that wait for us in the broker; beyond that the oldest are dropped."""
_SHOWN_EVERY_MS: Final = 1000
"""How often a new place in line is shown."""

_Heard = tuple[JobEvent, bytes]


class Progress:
    """Listens to the steps of all jobs."""

    def __init__(self, bus: Bus, book: Book, replays: Replays, clock_ms: Callable[[], int] = now_ms) -> None:
        self._bus, self._book, self._replays, self._clock_ms = bus, book, replays, clock_ms
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._held: dict[str, list[_Heard]] = {}
        """What was heard of a job while it is opened anew: it moves on from there, not from its old end."""
        self._shown_ms: dict[str, int] = {}
        self._consumer: Consumer | None = None

    async def start(self) -> None:
        """Listen, now or as soon as there is a connection."""
        self._consumer = await self._bus.listen([(EVENTS, "job.#")], self._on_event, limit=AHEAD)

    async def close(self) -> None:
        """Listen no more."""
        if self._consumer is not None:
            await self._bus.cancel(self._consumer)
            self._consumer = None
        while self._opening:
            await asyncio.wait(self._opening.values())

    def _on_event(self, delivery: Delivery) -> None:
        try:
            event = read_event(delivery.message.body)
        except BadInput:
            return  # whoever made it may be newer than we are
        if isinstance(event, JobEvent):
            self.heard(event, delivery.message.body)

    def heard(self, event: JobEvent, document: bytes) -> None:
        """Move the job that a step is about, if it is one of ours; one that was sent again is opened first."""
        if event.job in self._held:
            self._held[event.job].append((event, document))
        elif event.state == "replayed":
            self._held[event.job] = [(event, document)]
            self._opening[event.job] = asyncio.create_task(self._open(event), name="replayed")
        else:
            self._move(event, document)

    async def _open(self, event: JobEvent) -> None:
        try:
            await self._replays.told(event)
        except Exception:  # what is held of it must go on
            log.exception("job %s was sent again, and stays as it is until its answer comes", event.job)
        del self._opening[event.job]
        told, *later = self._held.pop(event.job)
        self._go_on(self._move, told)
        for heard in later:
            self._go_on(self.heard, heard)

    def _go_on(self, step: Callable[[JobEvent, bytes], None], heard: _Heard) -> None:
        event, document = heard
        try:
            step(event, document)
        except Exception:  # what was heard after it must be told
            log.exception("job %s: its step %s could not be told", event.job, event.state)

    def _move(self, event: JobEvent, document: bytes) -> None:
        record = self._book.known(event.job)
        if record is None or not is_of(record, event):
            return
        after = moved(record, event, self._clock_ms())
        if is_worth_keeping(record, after):
            self._book.move(after)
        elif after is not record and self._is_time_to_show(event.job):
            self._book.show(after)
        if event.state != "waiting":
            self._shown_ms.pop(event.job, None)
            self._book.tell(event.job, event.at_ms, document)

    def _is_time_to_show(self, job_id: str) -> bool:
        now = self._clock_ms()
        if now - self._shown_ms.get(job_id, now - _SHOWN_EVERY_MS) < _SHOWN_EVERY_MS:
            return False
        # Latest last: those that were shown long ago, or have ended since without a word, are forgotten.
        self._shown_ms.pop(job_id, None)
        self._shown_ms[job_id] = now
        while now - next(iter(self._shown_ms.values())) >= _SHOWN_EVERY_MS:
            del self._shown_ms[next(iter(self._shown_ms))]
        return True
