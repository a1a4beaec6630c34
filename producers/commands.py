"""What the router's mind says: jobs it holds, and what is to be done with them. Data only.

What is made for every job, or more often, is a named tuple: a frozen dataclass takes up to four times as long to make.
"""

from dataclasses import dataclass
from typing import NamedTuple

from bus.events import JobEvent, RouterStatus, VmEvent
from bus.messages import Job
from bus.problems import Problem
from bus.topology import VMS
from producers.placement import Wish


class Moment(NamedTuple):
    """Now, twice: `mono_s` for ages and time-outs, `wall_ms` for deadlines and events (Unix epoch)."""

    mono_s: float
    wall_ms: int


class Arrival(NamedTuple):
    """How a job came. `ticket` names its delivery, `returns` counts how often the broker took it back before.

    `is_new` is one as its caller sent it, not handed on by a router or a VM. `sent_ms` is when its caller says it was
    sent.
    """

    ticket: int
    queue: str
    is_new: bool = True
    returns: int = 0
    redelivered: bool = False
    sent_ms: int | None = None


class Held(NamedTuple):
    """A job in the window. `ticket` names its delivery, `queue` where it still lies.

    `seconds` is the computing time predicted for it, `home` the VM that has, or had, its first run. One that came home
    from the cloud is not sent there for `stays_s` seconds from its arrival.
    """

    ticket: int
    queue: str
    job: Job
    wish: Wish
    seconds: float
    arrived_s: float
    home: str | None = None
    sent_ms: int | None = None
    stays_s: float = 0.0

    def carrying(self, job: Job) -> "Held":
        """The same with the job as it goes on; made by position, since `_replace` takes thrice as long."""
        of = self
        return Held(of.ticket, of.queue, job, of.wish, of.seconds, of.arrived_s, of.home, of.sent_ms, of.stays_s)


@dataclass(frozen=True, slots=True)
class Forward:
    """Publish the job to the routing key `key` of an exchange, then settle its delivery and post the event."""

    held: Held
    key: str
    event: JobEvent | None
    exchange: str = VMS


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the delivery's job with the problem, then settle it."""

    ticket: int
    job: Job | None
    problem: Problem


@dataclass(frozen=True, slots=True)
class Bury:
    """Move the delivery to the dead queue: there is nowhere to send an answer."""

    ticket: int
    reason: str


@dataclass(frozen=True, slots=True)
class Settle:
    """The delivery is dealt with."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Announce:
    """Post an event."""

    event: JobEvent | VmEvent | RouterStatus


@dataclass(frozen=True, slots=True)
class Collect:
    """Start (or with `stop` end) taking jobs out of a queue nobody serves: a lost VM's, or a parked operation's."""

    queue: str
    stop: bool = False


Command = Forward | Refuse | Bury | Settle | Announce | Collect
