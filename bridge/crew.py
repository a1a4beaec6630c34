"""Who works in a shift, and in which order they begin and end."""

import asyncio
import contextlib

from bridge.forwarder import Forwarder
from bridge.recalls import Recalls
from bridge.returns import Returns
from bridge.shift import Shift
from bridge.ticket_queue import TicketQueue
from bus.clock import now_ms
from bus.control import Cancel
from bus.settings import Settings
from consumers.cancels import Cancels


class Crew:
    """The workers of one shift."""

    def __init__(self, shift: Shift, queue: TicketQueue, cancels: Cancels, settings: Settings) -> None:
        self.shift = shift
        self.returns = Returns(shift)
        self.recalls = Recalls(shift)
        self.work: asyncio.Task[None] | None = None
        """What runs this crew, to be stopped with it."""
        self._forwarder = Forwarder(shift, queue, cancels, timeout_s=settings.cloud_timeout_s)
        self._most = settings.cloud_in_flight
        self._cancels = cancels
        self._opened = False
        self._idle = asyncio.Event()

    async def open(self) -> None:
        """Connect to the cloud, and begin to take jobs. Raises SetupError when the cloud can never work."""
        self._opened = True
        await self.shift.cloud.open()
        now = self.shift.since_ms = now_ms()
        for ticket in self.shift.tickets.all():
            if self._cancels.cover(ticket.job, now):  # it was, while the ticket was on its way to us
                self.recalls.cancel(Cancel(job=ticket.job.id, user=ticket.job.user))
        # Not to be stopped half-way: the bus would go on consuming for us, in its next session too.
        await asyncio.shield(asyncio.create_task(self._forwarder.open(self._most)))

    def changed(self) -> None:
        """A job was sent, or has ended."""
        self._forwarder.look()
        if not self.shift.tickets:
            self._idle.set()

    async def wait_for_answers(self, timeout_s: float) -> None:
        """Wait until nothing is in the cloud, `timeout_s` seconds at most."""
        self._idle.clear()
        if self.shift.tickets:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), timeout_s)

    async def stop_taking(self, grace_s: float) -> None:
        """Take no more jobs, and finish those in hand, in `grace_s` seconds at most."""
        await self._forwarder.close(grace_s)

    async def close(self, grace_s: float) -> None:
        """End the shift, once: nothing new, then what is under way, and the cloud last, to be told of all that."""
        await self.stop_taking(grace_s)
        if self.work is not None:
            self.work.cancel()
            await asyncio.gather(self.work, return_exceptions=True)
        await self.returns.close(grace_s)
        await self.recalls.close(grace_s)
        if self._opened:
            self._opened = False
            await self.shift.cloud.close()
