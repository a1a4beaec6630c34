"""What is in a recording: the jobs of some hours, and the VMs, routers and cloud that they met. Pure.

`producers.flight.lines` writes it as text, `producers.flight.files` as a file. Times named `_ms` are milliseconds since
the Unix epoch, but for `ran_ms`, which is how long something took.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Literal

VERSION: Final = 1
"""Of the file. A later version may hold more; one that reads differently gets a higher number."""
SECONDS_A_LINE: Final = 60
"""Readings in one `RecordedLoad`, at the most."""
NO_READING: Final = -1
"""In a `RecordedLoad`: nothing was heard of the VM in that second."""

End = Literal["done", "failed", "unanswerable"]
Route = Literal["vm", "cloud"]
Site = Literal["any", "local"]
State = Literal["joined", "ready", "busy", "draining", "quarantined", "lost"]
CloudState = Literal["ready", "full", "broken", "draining"]


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """One job, from the moment a router first took it up to its answer, wherever the two were seen.

    `route`, `vm`, `began_ms`, `ran_ms` and `cost` are those of its last placement. A job that `end`s with None was
    still under way when the recording ended, or was never heard of again.
    """

    id: str
    user: str
    operation: str
    arrived_ms: int
    megapixels: float | None = None
    bytes: int | None = None
    priority: int = 0
    site: Site = "any"
    route: Route | None = None
    vm: str | None = None
    """The VM, or what the cloud calls the service that ran it."""
    began_ms: int | None = None
    ended_ms: int | None = None
    ran_ms: int | None = None
    attempts: int = 0
    """How often it was placed; 0 where that is not known, or it never was."""
    end: End | None = None
    problem: str | None = None
    """The problem's slug; a cancelled job has `failed` with `cancelled`."""
    cost: float | None = None
    """US dollars, estimated, of a job in the cloud."""
    policy: str | None = None
    routed_ms: int | None = None
    """When the router placed it last."""
    lain_ms: int | None = None
    """How long it had lain in its lane when it was taken up, at the least, and by its caller's clock; 0 is not over a
    second, None that the caller did not say when it was sent."""

    @property
    def at_ms(self) -> int:
        """Where in the recording it belongs."""
        return self.arrived_ms


@dataclass(frozen=True, slots=True)
class RecordedVm:
    """What a VM could do, from this moment on: written as it joins, and whenever that changes."""

    vm: str
    at_ms: int
    slots: int
    look_ahead: int
    cores: float
    operations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordedState:
    """A VM changed its state, as a router saw it."""

    vm: str
    at_ms: int
    state: State
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedLoad:
    """What a VM's heartbeats told in the seconds from `at_ms` on, one reading a second, a minute at the most.

    `cpu` and `ram` are percent, 0 to 100, `running` jobs; a second without a beat is -1 in all three.
    """

    vm: str
    at_ms: int
    """A whole second."""
    cpu: tuple[int, ...]
    ram: tuple[int, ...]
    running: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordedRouter:
    """The rule in force from this moment on: a policy, the settings it reads, and what was out of use.

    `paused` and `drained` are an operator's doing; the VMs `quarantined` beat, and got no jobs.
    """

    at_ms: int
    policy: str
    limits: dict[str, float] = field(default_factory=dict)
    paused: tuple[str, ...] = ()
    drained: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedCloud:
    """The cloud as its bridge told of it from this moment on; the fields are those of `bus.events.BridgeStatus`.

    `state` is None when no bridge is heard of any more.
    """

    at_ms: int
    state: CloudState | None
    capacity: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    money_per_day: float | None = None
    jobs_per_minute: int | None = None
    operations: tuple[str, ...] = ()
    largest_bytes: int = 0
    spent_today: float = 0.0


_KINDS: Final = (RecordedJob, RecordedVm, RecordedState, RecordedLoad, RecordedRouter, RecordedCloud)
"""In the order that `Recording` has them."""
Line = RecordedJob | RecordedVm | RecordedState | RecordedLoad | RecordedRouter | RecordedCloud


@dataclass(frozen=True, slots=True)
class Header:
    """When it was recorded, and how far it can be trusted."""

    from_ms: int
    to_ms: int
    complete: bool = True
    """Whether the recorder wrote its last line; a file that was cut off is used as far as it goes."""
    missing: tuple[str, ...] = ()
    """What is known to be left out, in words."""
    anonymous: bool = False
    """Whether users and job ids are pseudonyms."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in memory; each list in order of time, jobs in that of their arrival."""

    header: Header
    jobs: tuple[RecordedJob, ...] = ()
    vms: tuple[RecordedVm, ...] = ()
    states: tuple[RecordedState, ...] = ()
    loads: tuple[RecordedLoad, ...] = ()
    routers: tuple[RecordedRouter, ...] = ()
    clouds: tuple[RecordedCloud, ...] = ()


def recording(header: Header, lines: Iterable[Line]) -> Recording:
    """Lines of all kinds, in any order, as a recording."""
    sorts: dict[type[Line], list[Any]] = {kind: [] for kind in _KINDS}
    for line in lines:
        sorts[type(line)].append(line)
    sorts[RecordedJob] = _once(sorts[RecordedJob])
    return Recording(header, *(tuple(sorted(found, key=attrgetter("at_ms"))) for found in sorts.values()))


def _once(jobs: list[RecordedJob]) -> list[RecordedJob]:
    """Without the first line of a job that was in line for so long that it was written off, and ended after that."""
    ended = {_name(job) for job in jobs if job.end is not None}
    return [job for job in jobs if job.end is not None or job.routed_ms is not None or _name(job) not in ended]


def _name(job: RecordedJob) -> tuple[str, str, str, int]:
    return job.user, job.id, job.operation, job.arrived_ms
