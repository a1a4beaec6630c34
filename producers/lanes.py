"""Consuming the lanes, each as far ahead as `intake` allows."""

import asyncio
from collections.abc import Callable

from bus.rabbit import Bus, Consumer, Delivery
from producers.intake import Grant, Intake
from producers.tickets import Tickets

PLAN_AFTER_S = 0.003
"""How soon after a delivery the lanes are looked at anew; what comes meanwhile is looked at together."""


QUIET_S = 0.05
OVERHEAD_BYTES = 6 << 10
"""What a job takes in memory besides its picture."""


class Lanes:
    """The lanes of one router, while it is the active one."""

    def __init__(self, bus: Bus, tickets: Tickets, intake: Intake, handler: Callable[[Delivery, int], None]) -> None:
        """`handler` is given each delivery and its ticket."""
        self._bus = bus
        self._tickets = tickets
        self._intake = intake
        self._handler = handler
        self._consumers: dict[str, Consumer] = {}
        self._planned: asyncio.TimerHandle | None = None
        self._terms = 0
        self._open = False
        self._in_order = asyncio.Lock()
        self._granting: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to take jobs from every lane."""
        self._open = True
        self._plan()

    async def close(self) -> None:
        """Take no more; what was taken stays ours until it is settled."""
        self._open = False
        self._terms += 1  # what is under way belongs to the term before
        async with self._in_order:
            for queue in self._consumers:
                self._tickets.withhold(queue)
            if self._consumers and self._bus.connected:
                await asyncio.sleep(QUIET_S)  # what the last acks made room for has come by then
            for queue, consumer in self._consumers.items():
                await self._bus.cancel(consumer)
                self._tickets.release(queue)
            self._consumers.clear()

    def forget(self) -> None:
        """The connection is gone; another router may have the lanes by now."""
        self._open = False
        self._terms += 1
        self._intake.reset()
        self._closing = asyncio.create_task(self.close())

    def count(self, delivery: Delivery, ticket: int) -> None:
        """A job has come into the window, from a lane or elsewhere."""
        self._intake.delivered(delivery.queue, ticket, len(delivery.message.body) + OVERHEAD_BYTES)

    def gone(self, ticket: int) -> None:
        """A job has left the window."""
        self._intake.settled(ticket)
        self._plan_soon()

    def _on_delivery(self, delivery: Delivery) -> None:
        ticket = self._tickets.hold(delivery)
        self.count(delivery, ticket)
        self._handler(delivery, ticket)
        self._plan_soon()

    def _plan_soon(self) -> None:
        if self._planned is None and self._open:
            self._planned = asyncio.get_running_loop().call_later(PLAN_AFTER_S, self._plan)

    def _plan(self) -> None:
        self._planned = None
        for grant in self._intake.plan() if self._open else ():
            task = asyncio.create_task(self._grant(grant, self._terms))
            self._granting.add(task)
            task.add_done_callback(self._granting.discard)

    async def _grant(self, grant: Grant, term: int) -> None:
        """Consume a lane anew, looking so far ahead; what its former consumer brought is still ours."""
        async with self._in_order:
            if term != self._terms:
                return
            queue = grant.queue
            if not self._intake.hungry(queue):
                self._intake.withdrawn(queue)
                return
            before = self._consumers.pop(queue, None)
            if before is not None:
                # Nothing is on its way to a consumer that is used up, as long as nothing is settled meanwhile.
                self._tickets.withhold(queue)
                await self._bus.cancel(before)
                self._tickets.release(queue)
                if term != self._terms:
                    return
            # Before the new consumer begins: what it brings counts for it.
            self._intake.granted(queue, grant.prefetch)
            consumer = await self._bus.consume(queue, self._on_delivery, prefetch=grant.prefetch)
            if term != self._terms:
                await self._bus.cancel(consumer)
                return
            self._consumers[queue] = consumer
