"""What the active bridge works with, from taking over until its connection is lost."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from bridge.cloud import Cloud
from bridge.endings import Endings
from bridge.gate import Gate
from bridge.pictures import Pictures
from bridge.repeats import KeptAnswers
from bridge.tickets import Lately, Ticket, Tickets
from bus.answers import unreadable
from bus.clock import now_ms
from bus.events import JobEvent
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Delivery
from telemetry.logs import about, bound

log = logging.getLogger(__name__)

UNREAD: Final = "a ticket that can't be read"
LOST: Final = Problem.of(
    Kind.OPERATION_FAILED,
    "What was noted of the job while it was in the cloud can't be read any more.",
    remedy="Send it again.",
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a bridge remembers across lost connections, so that a repeat is absorbed."""

    ended: Lately = field(default_factory=Lately)
    """Numbers and placements of jobs that have ended."""
    sent: Lately = field(default_factory=Lately)
    """Placements that a cloud which keeps what it has taken has for sure."""
    answers: KeptAnswers = field(default_factory=KeptAnswers)
    """For repeats of what was answered lately."""


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
    longest_run_s: float
    """How long a service lets one run of a job take."""
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
        with bound(ticket=ticket.number):
            self.endings.post(told)
        self.on_change()

    def void(self, ticket: Ticket) -> None:
        """Others answer a job."""
        self._settle(ticket)

    def take_back(self, ticket: Ticket) -> None:
        """A router has a job again that was on its way to the cloud."""
        with about(ticket.job):
            log.info("job %s was taken home while no bridge was there; its ticket is void", ticket.job.id)
        if self.tickets.take(ticket.number) is not None:
            self.void(ticket)

    def _settle(self, ticket: Ticket) -> None:
        for delivery in self.tickets.end(ticket.number):
            self.ack(delivery)
        self.pictures.remove(ticket.claim)

    async def end_unread(self, delivery: Delivery, problem: Problem) -> None:
        """End a job whose ticket can't be read: kept for the operator, and answered if it still names who waits."""
        has_caller = unreadable(delivery.message, LOST) is not None
        if has_caller and not await self.endings.keep(delivery.message, f"{UNREAD}: {problem.detail}"):
            return
        told = await self.endings.refuse_unread(delivery.message, LOST)  # kept by that when nobody waits
        if told is not None:
            self.ack(delivery)
            self.endings.post(told)

    # -- acks, which may have to wait: the broker is to have no reason to deliver more while a consumer ends

    def ack(self, delivery: Delivery) -> None:
        """Settle a delivery, now or at `release`."""
        if self._withheld is None:
            self.bus.ack(delivery)
        else:
            self._withheld.append(delivery)

    def requeue(self, delivery: Delivery) -> None:
        """Have a delivery come again; while acks have to wait it does so when the connection ends."""
        if self._withheld is None:
            self.bus.reject(delivery, requeue=True)

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

    def ran_in_vain(self, ticket: Ticket, runs: int = 1) -> None:
        """A job came to no answer: book what so many runs of it may have cost."""
        self.gate.budget.corrected(ticket.cost, self.cost_in_vain(ticket, runs), ticket.sent_ms / 1000)

    def cost_in_vain(self, ticket: Ticket, runs: int = 1) -> float:
        """US dollars that so many runs of a job may have cost that came to no answer, as long as it was there."""
        ran_s = min(there_s(ticket), runs * self.longest_run_s)
        return round(max(ticket.cost, self.gate.budget.cost(ran_s, ticket.bytes)), 9)


def there_s(ticket: Ticket) -> float:
    """Seconds from a job's sending, until it was due at the latest."""
    return max(0.0, (min(now_ms(), ticket.due_ms) - ticket.sent_ms) / 1000)


def _sent_s(ticket: Ticket) -> float:
    """When a job was sent, by the monotonic clock; another machine may have sent it."""
    return time.monotonic() - (now_ms() - ticket.sent_ms) / 1000
