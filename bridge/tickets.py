"""Who waits for what is in the cloud, and how that is written down. Pure."""

from collections import OrderedDict
from dataclasses import replace
from itertools import chain
from typing import Final, Generic, TypeVar

from pydantic import Field, ValidationError

from bus.errors import BadInput
from bus.messages import CLAIM, Job, Message
from bus.problems import bad_field
from bus.topology import CLOUD_TICKETS
from bus.wire import MOST, WireModel

NUMBER: Final = r"^[0-9a-f]{32}$"
REMEMBERED: Final = 20_000
"""Numbers and placements that are remembered to be dealt with: those of the last hour or so, at 5 jobs a second."""
LONGEST_MS: Final = 1_500_000
"""The longest that the settings let the cloud's answer be waited for: no ticket is believed to be due later."""
GRACE_MS: Final = 30_000
"""For how long a bridge listens to the cloud before it gives up what was sent before it listened."""

D = TypeVar("D")


class _Told(WireModel):
    """The body of a ticket: a job's time in the cloud."""

    number: str = Field(pattern=NUMBER, description="Random, so that nobody can answer a job he was not sent.")
    sent_ms: int = Field(ge=0, le=MOST, description="When it was given to the cloud.")
    due_ms: int = Field(ge=0, le=MOST, description="After this moment it is answered with a problem.")
    bytes: int = Field(ge=0, le=MOST, description="What was sent, picture and all.")
    cost: float = Field(ge=0, description="Its estimated price, US dollars.")
    claim: str | None = Field(
        None, pattern=CLAIM, description="Where we put the picture for the cloud to fetch; to be removed in the end."
    )
    key: str | None = Field(None, pattern=r"^[0-9a-f]{40}$", description="What a repeat of the job is known by.")


class Ticket(_Told):
    """One job in the cloud, where it is known by this number alone.

    As a message it is the job's own, without its picture: properties and headers are those of any hop, so that what a
    caller may send survives, a correlation id that is no text for one. The body, JSON, tells of its time in the cloud.
    """

    job: Job = Field(exclude=True, description="The job without its picture.")

    def to_message(self, now_ms: int) -> Message:
        """The ticket as a message for the queue of tickets.

        It does not expire there, as the job would: a ticket that went would leave a caller without an answer.
        """
        body = self.model_dump_json(exclude_none=True).encode()
        return replace(self.job.to_message(CLOUD_TICKETS, now_ms), body=body, expiration=None)

    @classmethod
    def from_message(cls, message: Message, now_ms: int) -> "Ticket":
        """Read a ticket. Raises BadInput when it is none."""
        job = Job.from_message(replace(message, body=b""), now_ms)
        try:
            told = _Told.model_validate_json(message.body)
        except ValidationError as error:
            raise BadInput(bad_field(error)) from None
        return cls(job=job, **told.model_dump() | {"due_ms": min(told.due_ms, now_ms + LONGEST_MS)})

    @property
    def hurries(self) -> bool:
        """Whether it is due for its job's own deadline, and not for the cloud's."""
        return self.job.deadline_ms is not None and self.job.deadline_ms <= self.due_ms


class Lately:
    """What was dealt with lately, so that a repeat of it is nothing new. It outlives lost connections."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._names: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, name: str | None) -> bool:
        return name in self._names

    def add(self, *names: str | None) -> None:
        """Remember numbers or placements; None is passed over, the oldest are forgotten."""
        for name in names:
            if name is not None:
                self._names.pop(name, None)
                self._names[name] = None
        while len(self._names) > self._most:
            self._names.popitem(last=False)


class Tickets(Generic[D]):
    """The jobs in the cloud, as far as the active bridge knows; a `D` is what is to be settled when a job has ended.

    A job is ended by one at a time: who would answer it, or hand it home, takes its ticket first.
    """

    def __init__(self, ended: Lately) -> None:
        """`ended` is told the numbers and placements of the jobs that end; it may have known others before."""
        self._ended = ended
        self._there: dict[str, Ticket] = {}
        self._in_hand: set[str] = set()
        self._ending: dict[str, Ticket] = {}
        self._held: dict[str, list[D]] = {}

    def __len__(self) -> int:
        return len(self._there)

    def __contains__(self, number: str) -> bool:
        return number in self._there

    def send(self, ticket: Ticket) -> None:
        """A job is about to be sent; until `sent` it is not overdue."""
        self._there[ticket.number] = ticket
        self._in_hand.add(ticket.number)

    def sent(self, number: str) -> None:
        """The sending is over, well or not."""
        self._in_hand.discard(number)

    def hold(self, ticket: Ticket, delivery: D) -> bool:
        """Keep what is to be settled with a ticket; False when its job has ended already, and it can be settled now."""
        if ticket.number in self._ended or ticket.job.placement in self._ended:
            return False
        if ticket.number not in self._ending:
            self._there.setdefault(ticket.number, ticket)
        self._held.setdefault(ticket.number, []).append(delivery)
        return True

    def of_placement(self, placement: str | None) -> Ticket | None:
        """The ticket under which this placement of a job is in the cloud, taken or not."""
        tickets = chain(self._there.values(), self._ending.values())
        return next((t for t in tickets if placement is not None and t.job.placement == placement), None)

    def has(self, key: str) -> bool:
        """Whether a job that is the same as another, by its `key`, is in the cloud, its ticket taken or not."""
        return any(ticket.key == key for ticket in chain(self._there.values(), self._ending.values()))

    def all(self) -> list[Ticket]:
        """The tickets of all jobs in the cloud."""
        return list(self._there.values())

    def of_job(self, user: str, job_id: str) -> list[Ticket]:
        """The tickets of a user's job."""
        return [ticket for ticket in self._there.values() if (ticket.job.user, ticket.job.id) == (user, job_id)]

    def due(self, now_ms: int, began_ms: int) -> list[Ticket]:
        """The tickets whose time is over, as `is_due` says."""
        return [t for t in self._there.values() if t.number not in self._in_hand and is_due(t, now_ms, began_ms)]

    def take(self, number: str) -> Ticket | None:
        """The ticket, for its job to be ended by who asks; None when it is not there, or taken already."""
        ticket = self._there.pop(number, None)
        if ticket is not None:
            self._ending[number] = ticket
        return ticket

    def put_back(self, number: str) -> None:
        """Its job could not be ended."""
        ticket = self._ending.pop(number, None)
        if ticket is not None:
            self._there[number] = ticket

    def is_ending(self, number: str) -> bool:
        """Whether somebody has taken the ticket and is not through yet."""
        return number in self._ending

    def end(self, number: str) -> list[D]:
        """Its job has ended: what there is to settle, its other tickets' included."""
        ticket = self._ending.pop(number, None) or self._there.pop(number, None)
        if ticket is None:
            return []
        numbers = [number]
        # A job that was delivered to a bridge twice may have two.
        while (other := self.of_placement(ticket.job.placement)) is not None:
            self._there.pop(other.number, None)
            self._ending.pop(other.number, None)
            numbers.append(other.number)
        self._ended.add(*numbers, ticket.job.placement)
        return [delivery for each in numbers for delivery in self._held.pop(each, ())]


def is_due(ticket: Ticket, now_ms: int, began_ms: int) -> bool:
    """Whether a job's time in the cloud is over, for a bridge that has listened to the cloud since `began_ms`.

    Of what a predecessor sent the answer may have come while no bridge was there, and is pulled only now.
    """
    if ticket.job.left_ms(now_ms) == 0:
        return True
    listens_until_ms = began_ms + GRACE_MS if ticket.sent_ms < began_ms else 0
    return now_ms >= max(ticket.due_ms, listens_until_ms)


def due_ms(job: Job, sent_ms: int, timeout_s: float) -> int:
    """When a job that is sent now must be back: the cloud's time, or the job's own where that is less."""
    clouds = sent_ms + int(timeout_s * 1000)
    return clouds if job.deadline_ms is None else min(clouds, job.deadline_ms)
