"""What the active bridge works with, from taking over until its connection is lost."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.cloud import Cloud
from bridge.endings import Endings, now_ms
from bridge.gate import Gate
from bridge.pictures import Pictures
from bridge.tickets import Lately, Ticket, Tickets
from bus.events import JobEvent
from bus.rabbit import Bus, Delivery


@dataclass(frozen=True, slots=True)
class Memory:
    """What a bridge remembers across lost connections, so that a repeat is absorbed."""

    ended: Lately = field(default_factory=Lately)
    """Numbers and placements of jobs that have ended."""
    sent: Lately = field(default_factory=Lately)
    """Placements that a cloud which keeps what it has taken has for sure."""


@dataclass(slots=True, eq=False)
class Shift:
    """One time of being the active bridge. What outlives it comes from outside; tickets come anew with the next."""

    bus: Bus
    cloud: Cloud
    gate: Gate
    endings: Endings
    pictures: Pictures
    memory: Memory
    on_change: Callable[[], object]
    """Called when the state that routers are told may be another."""
    tickets: Tickets[Delivery] = field(init=False)
    since_ms: int | None = None
    """Since when the cloud is listened to."""
    moved_s: float = field(default_factory=time.monotonic)
    """When a job was sent or ended last, by the monotonic clock: how long a full cloud has not moved."""
    _withheld: list[Delivery] | None = None

    def __post_init__(self) -> None:
        self.tickets = Tickets(self.memory.ended)

    def end(self, ticket: Ticket, told: JobEvent) -> None:
        """A job has ended, as the broker has confirmed: settle all that was kept for it, and tell."""
        self.moved_s = time.monotonic()
        self._settle(ticket)
        self.endings.post(told)
        self.on_change()

    def void(self, ticket: Ticket) -> None:
        """Others answer a job."""
        self._settle(ticket)

    def _settle(self, ticket: Ticket) -> None:
        for delivery in self.tickets.end(ticket.number):
            self.ack(delivery)
        self.pictures.remove(ticket.claim)

    # -- acks, which may have to wait: the broker is to have no reason to deliver more while a consumer ends

    def ack(self, delivery: Delivery) -> None:
        """Settle a delivery, now or at `release`."""
        if self._withheld is None:
            self.bus.ack(delivery)
        else:
            self._withheld.append(delivery)

    def withhold(self) -> None:
        """Settle nothing until `release`."""
        self._withheld = []

    def release(self) -> None:
        """Settle what was withheld."""
        withheld, self._withheld = self._withheld, None
        for delivery in withheld or ():
            self.bus.ack(delivery)

    # -- what a job's fate says of the cloud

    def failed(self, reason: str, ticket: Ticket) -> None:
        """The cloud failed a job."""
        self.gate.breaker.failed(reason, time.monotonic(), _sent_s(ticket))
        self.on_change()

    def succeeded(self, ticket: Ticket) -> None:
        """The cloud has dealt with a job."""
        self.gate.breaker.succeeded(time.monotonic(), _sent_s(ticket))
        self.on_change()

    def undecided(self, ticket: Ticket) -> None:
        """A job's end says nothing of the cloud."""
        self.gate.breaker.undecided(time.monotonic(), _sent_s(ticket))
        self.on_change()

    def unsent(self, ticket: Ticket) -> None:
        """A job did not go after all, and costs nothing."""
        self.gate.budget.corrected(ticket.cost, 0.0, ticket.sent_ms / 1000)
        self.undecided(ticket)


def _sent_s(ticket: Ticket) -> float:
    """When a job was sent, by the monotonic clock; another machine may have sent it."""
    return time.monotonic() - (now_ms() - ticket.sent_ms) / 1000
