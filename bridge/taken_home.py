"""Which tickets are void because the router took their job home while no bridge was there.

A bridge that dies between writing a ticket and acking its job leaves both. Where no other bridge takes over at once,
the router collects the job, and a VM answers it: the ticket must not answer it again. The history tells of that.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import aclosing
from typing import Final

from bridge.tickets import LONGEST_MS, Ticket
from bus.errors import BadInput, BusError
from bus.events import JobEvent, read_event
from bus.rabbit import Bus
from bus.topology import EVENTS_HISTORY

log = logging.getLogger(__name__)

BEFORE_MS: Final = 120_000
"""How long a job may have lain in `overflow` before its ticket was written."""
LOOK_S: Final = 20.0
"""How long it is read at most, while those who wait for the cloud's answers wait for us."""
_STATES: Final = ("routed", "waiting", "parked")
"""What a router tells of jobs that it has."""
_MARKS: Final = tuple(f'"state":"{state}"'.encode() for state in _STATES)

_Key = tuple[str, str, int]


class Whereabouts:
    """Reads a router's events, in the order in which it told them, for what they say of some tickets' jobs."""

    def __init__(self, tickets: Iterable[Ticket]) -> None:
        self._of_job: dict[_Key, list[Ticket]] = {}
        self._overflowed: set[str] = set()
        self.void: dict[str, Ticket] = {}
        """Number -> ticket of a job that the router has had again since it sent it to the cloud."""
        for ticket in tickets:
            job = ticket.job
            if job.received_ms is not None and job.placement is not None:
                self._of_job.setdefault((job.user, job.id, job.received_ms), []).append(ticket)

    def hear(self, event: JobEvent) -> None:
        """One more event.

        Only order counts, no clock: what is told after the ticket's own placement. A caller may use a job's id again;
        when a router first took it up tells the two apart.
        """
        if event.state not in _STATES or event.waited_ms is None:
            return
        for ticket in self._of_job.get((event.user, event.job, event.at_ms - event.waited_ms), ()):
            if event.state == "routed" and event.placement == ticket.job.placement:
                self._overflowed.add(ticket.number)
            elif ticket.number in self._overflowed:
                self.void[ticket.number] = ticket


async def taken_home(bus: Bus, tickets: list[Ticket], now_ms: int) -> list[Ticket]:
    """The tickets, of these, whose job a router has again, as far as the history can be read."""
    where = Whereabouts(tickets)
    if tickets:
        oldest_ms = min(now_ms, *(ticket.sent_ms for ticket in tickets))
        try:
            async with asyncio.timeout(LOOK_S):
                await _read(bus, max(oldest_ms, now_ms - LONGEST_MS) - BEFORE_MS, where)
        except (BusError, TimeoutError) as error:
            log.warning("jobs that were taken home may be answered twice, as the history can't be read: %s", error)
    return list(where.void.values())


async def _read(bus: Bus, since_ms: int, where: Whereabouts) -> None:
    async with aclosing(bus.replay(EVENTS_HISTORY, since_ms, _is_routers)) as told:
        async for message in told:
            try:
                event = read_event(message.body)
            except BadInput:
                continue
            if isinstance(event, JobEvent):
                where.hear(event)


def _is_routers(body: bytes) -> bool:
    return any(mark in body[:60] for mark in _MARKS)
