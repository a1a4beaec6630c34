"""What is to be done with a job out of `overflow`, and who waits for room in the cloud, in which order."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Final

from bridge.checks import Bury, GoHome, Refuse, Wait, check
from bridge.shift import Shift
from bridge.tickets import Ticket
from bus.answers import Answer
from bus.clock import now_ms
from bus.messages import Job
from consumers.answers import identity
from consumers.cancels import Cancels

WAIT_S: Final = 5.0
"""For room, which routers may have overrun between two statuses; handed home, a job begins from behind."""
MOST: Final = 8
"""Jobs that wait at a time: each may be as large as a message can be."""
LOOK_S: Final = 0.5
"""How often who waits looks for what nobody tells: a service has come up, or the job was cancelled."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Only the ack of its placement was lost."""


@dataclass(frozen=True, slots=True)
class Join:
    """It is settled with the job of this ticket: that is being answered at this moment, or is there for sure."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Again:
    """It is a repeat of a job that was answered so."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Follow:
    """It is a repeat of a job that is in the cloud, to be judged once that has ended; `key` is what both are."""

    key: str


@dataclass(frozen=True, slots=True)
class Go:
    """Send it; `before` is its ticket, when a bridge got as far as that without acking the job.

    `key` is what a repeat of it is known by.
    """

    before: Ticket | None
    key: str = field(default="", compare=False)


Next = Refuse | Bury | GoHome | Wait | Settle | Join | Again | Follow | Go


class Turns:
    """The judgement of one shift. Jobs that wait for room go in the order in which they came."""

    def __init__(self, shift: Shift, cancels: Cancels) -> None:
        self._shift = shift
        self._cancels = cancels
        self._turn = asyncio.Lock()
        self._stirred = asyncio.Event()
        self._waiting = 0

    def look(self) -> None:
        """There may be room in the cloud now, or no hope of it."""
        self._stirred.set()

    async def next(self, job: Job) -> Next:
        """What is to be done with a job; `Wait` when it has waited for as long as that makes sense.

        Nothing is awaited after the judgement, so a job may be counted as sent before the next is judged.
        """
        key = identity(job)
        what = self._judge(job, key)
        must_wait = isinstance(what, Wait) or (isinstance(what, Go) and self._turn.locked())
        if not must_wait or self._waiting >= MOST:
            return what
        self._waiting += 1
        try:
            return await self._in_turn(job, key, time.monotonic())
        finally:
            self._waiting -= 1

    async def _in_turn(self, job: Job, key: str, came_s: float) -> Next:
        async with self._turn:
            while isinstance(what := self._judge(job, key), Wait) and await self._stirs(came_s):
                pass
        return what

    async def _stirs(self, came_s: float) -> bool:
        """Wait until something may have changed.

        False when a job that came at that moment has waited long enough, or the cloud has not moved for as long.
        """
        left_s = min(came_s, self._shift.moved_s) + WAIT_S - time.monotonic()
        if left_s <= 0:
            return False
        self._stirred.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), min(left_s, LOOK_S))
        return True

    def _judge(self, job: Job, key: str) -> Next:
        """What is to be done with a job at this moment."""
        shift = self._shift
        before = shift.tickets.of_placement(job.placement)
        if self._is_dealt_with(job):
            return Settle()
        if before is not None and (shift.tickets.is_ending(before.number) or not shift.cloud.keeps):
            return Join(before)
        now = now_ms()
        why = check(job, now, cancelled=self._cancels.cover(job, now))
        if isinstance(why, Bury | GoHome):
            return why
        # As on a VM, a repeat is answered as its first run is, even when it comes too late to be run itself.
        kept = shift.memory.answers.get(key, time.monotonic())
        if kept is not None:
            return Again(kept)
        if why is None and before is None and shift.tickets.has(key):
            return Follow(key)
        return why or self._held_back(job, before) or Go(before, key)

    def _is_dealt_with(self, job: Job) -> bool:
        memory = self._shift.memory
        return job.placement in memory.ended or (self._shift.cloud.keeps and job.placement in memory.sent)

    def _held_back(self, job: Job, before: Ticket | None) -> GoHome | Wait | None:
        in_flight = len(self._shift.tickets) - (before is not None)
        gate = self._shift.gate
        size = len(job.body) if job.claim is None else None
        refusal = gate.refusal(job.operation, size, in_flight, time.monotonic(), time.time())
        if refusal is None:
            return None
        return Wait(refusal.reason) if refusal.passes else GoHome(refusal.reason)
