"""The queue of tickets: what of ours is in the cloud, and which bridge is the active one.

`cloud.tickets` has a single active consumer, so one bridge at a time gets anything of it, and has all of it: every
ticket, unacked until its job has ended, and one *call*, an empty message by which it learnt that it is the active one.
When its connection ends the broker hands everything to the next.
"""

import asyncio
import logging
import uuid
from typing import Final, Protocol

from bridge.tickets import Ticket
from bus.clock import now_ms
from bus.errors import BadInput
from bus.messages import Message
from bus.problems import Problem
from bus.rabbit import Bus, Consumer, Delivery
from bus.topology import CLOUD_TICKETS, DEFAULT_EXCHANGE

log = logging.getLogger(__name__)

PREFETCH: Final = 5000
"""More than the jobs that may be in the cloud at a time."""
RENEW_S: Final = 600.0
"""Under the half hour for which a broker lets a message be held."""
CALL_AGAIN_S: Final = 5.0
"""When the call that tells where the queue's former content ends does not come: the broker had refused it."""
STAND_BY_S: Final = 30.0
"""Who stands by calls again: the broker may have refused the call by which somebody was to become the active one."""
_CALL: Final = "call"


class Holder(Protocol):
    """Who has the office while this bridge is the active one."""

    def take_over(self) -> None:
        """This bridge is the active one; what its predecessor had in the cloud is told next."""

    def told(self, ticket: Ticket, delivery: Delivery) -> None:
        """A ticket has come, to be acked once its job has ended."""

    def unread(self, delivery: Delivery, problem: Problem) -> None:
        """Something has come that can't be read as a ticket, to be acked once its job has ended."""

    def settled_in(self) -> None:
        """All tickets that were there have come."""


class TicketQueue:
    """This bridge's part in the choice of the active one, and where its tickets are written."""

    def __init__(self, bus: Bus, holder: Holder) -> None:
        self._bus = bus
        self._holder = holder
        self._consumer: Consumer | None = None
        self._call: Delivery | None = None
        self._awaited: str | None = None
        self._called_s = 0.0
        self.active = False

    async def start(self) -> None:
        """Stand by from now on, and after each reconnect."""
        self._consumer = await self._bus.consume(CLOUD_TICKETS, self._on_delivery, prefetch=PREFETCH)
        self.call()

    def call(self, name: str = "") -> None:
        """Send a call: it reaches the active bridge, which holds it in place of another, or makes us that."""
        self._bus.publish(DEFAULT_EXCHANGE, Message(routing_key=CLOUD_TICKETS, headers={_CALL: name}))

    def write(self, ticket: Ticket) -> "asyncio.Future[None]":
        """Publish a ticket; the future ends when the broker has it, as that of `Bus.publish`."""
        return self._bus.publish(DEFAULT_EXCHANGE, ticket.to_message(now_ms()))

    def forget(self) -> None:
        """The connection is gone, and with it the office."""
        self._call, self._awaited, self.active = None, None, False

    def tick(self, now_s: float) -> None:
        """Call again from time to time: a broker lets nothing be held for long, and may have refused a call."""
        if self._bus.connected and now_s - self._called_s > self._pause_s:
            self._called_s = now_s
            self.call(self._awaited or "")

    @property
    def _pause_s(self) -> float:
        if not self.active:
            return STAND_BY_S
        return RENEW_S if self._awaited is None else CALL_AGAIN_S

    def _on_delivery(self, delivery: Delivery) -> None:
        if not self.active:
            self.active = True
            # What was there before this call comes before it.
            self._awaited = uuid.uuid4().hex
            self.call(self._awaited)
            self._holder.take_over()
        if _CALL in delivery.message.headers:
            self._keep(delivery)
        else:
            self._read(delivery)

    def _keep(self, call: Delivery) -> None:
        """Hold the latest call, whose ever it is: whoever comes after us must get something to know it by."""
        before, self._call = self._call, call
        if before is not None:
            self._bus.ack(before)
        if call.message.headers[_CALL] == self._awaited:
            self._awaited = None
            self._holder.settled_in()

    def _read(self, delivery: Delivery) -> None:
        try:
            ticket = Ticket.from_message(delivery.message, now_ms())
        except BadInput as error:
            log.error("a ticket can't be read: %s", error)  # noqa: TRY400 (told in full)
            self._holder.unread(delivery, error.problem)
            return
        self._holder.told(ticket, delivery)
