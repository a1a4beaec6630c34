"""What is asked of placement and what it answers. Data only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypedDict

from bus.events import Candidate, CloudSeen

SHOWN = 4
"""Candidates in a receipt at the most, so that an event stays small on a large fleet."""


class Wish(NamedTuple):
    """A job as placement sees it.

    `megapixels` is the picture's size. `slots` is how many slots of a VM it takes; on a VM that has fewer it takes all
    of them. A `local` job may not go to the cloud. `avoid` names the VM where it came to nothing before. `key` is what
    chance is drawn from: alike for the same attempt at the same job, different for others.
    `behind_s` is the predicted computing time, in seconds, of the jobs that stand in line behind it.
    """

    operation: str
    megapixels: float = 0.0
    slots: int = 1
    local: bool = False
    avoid: str | None = None
    key: str = ""
    behind_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of placement: the policy's name, and percents 0-100 from which a VM counts as loaded."""

    policy: str = "threshold"
    cpu_threshold: float = 40.0
    ram_threshold: float = 90.0


class Inputs(TypedDict, total=False):
    """What a policy looked at besides the VMs, under the names of a JobEvent's fields."""

    policy: str
    limits: dict[str, float]
    cloud: CloudSeen


@dataclass(frozen=True, slots=True)
class ToVm:
    """The VM takes it now, and `slots` of its slots are taken."""

    vm: str
    reason: str
    candidates: tuple[Candidate, ...] = ()
    inputs: Inputs = field(default_factory=Inputs)
    slots: int = 1


@dataclass(frozen=True, slots=True)
class Overflow:
    """The cloud takes it."""

    reason: str
    candidates: tuple[Candidate, ...]
    inputs: Inputs

    @property
    def cloud(self) -> CloudSeen:
        """The cloud as it was seen."""
        return self.inputs["cloud"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody should take it now; it stays where it is."""

    reason: str
    candidates: tuple[Candidate, ...] = ()
    inputs: Inputs = field(default_factory=Inputs)


@dataclass(frozen=True, slots=True)
class Park:
    """VMs are alive but none serves its operation: it steps aside, so that its lane moves on."""

    reason: str
    candidates: tuple[Candidate, ...] = ()
    inputs: Inputs = field(default_factory=Inputs)


Choice = ToVm | Overflow | Wait | Park


class Offer(NamedTuple):
    """A VM to choose from: the figures of a receipt's candidate, rounded as they are recorded.

    `load` and `ram` are percents; `held`, `slots` and `room` count slots, `held` and `room` together what it may hold;
    ages and predicted ends are seconds.
    """

    vm: str
    load: float
    ram: float
    age_s: float
    held: int
    slots: int
    room: int
    end_s: float = 0.0
    late_s: float = 0.0

    def needed(self, slots: int) -> int:
        """What a job of `slots` slots takes here: a big job must fit somewhere, if only on an empty VM."""
        return max(1, min(slots, self.slots, self.held + self.room))

    def fits(self, slots: int) -> bool:
        """Whether there is room for a job of `slots` slots."""
        return self.room >= (1 if slots == 1 else self.needed(slots))

    def filled(self, slots: int) -> float:
        """Slots taken per slot, with a job of `slots` slots on it; over 1 where jobs would wait for a slot."""
        return (self.held + min(slots, self.slots)) / (self.slots or 1)


class Asked(NamedTuple):
    """What a policy reads besides the VMs: all of it is recorded.

    `slots` is what the job takes. `behind_s` is in how many seconds the fleet would compute the jobs behind it.
    `enough_s` is how many seconds are soon enough for a short job; 0 for a long one.
    The cloud is as it is to this job: not open to a local one.
    """

    slots: int
    rules: Rules
    cloud: CloudSeen
    behind_s: float = 0.0
    enough_s: float = 0.0

    @property
    def early_s(self) -> float:
        """Seconds within which any VM is as good: no longer than the cloud would take."""
        return min(self.enough_s, self.cloud.end_s) if self.cloud.open else self.enough_s


class Decision(NamedTuple):
    """What a policy says. `shown` are the VMs it decided by, those that count most first; `vm` takes the first.

    Of `shown`, any beginning that is long enough to hold what counts leads to the same decision again.
    """

    route: Literal["vm", "cloud"] | None
    reason: str
    shown: Sequence[Offer]


FULL = "every slot is taken"


def nobody_fits(asked: Asked, offers: Sequence[Offer]) -> Decision:
    """What is left where no VM has room: the cloud if it is open, or to wait."""
    if asked.cloud.open:
        return Decision("cloud", "no VM has room", offers[:SHOWN])
    return Decision(None, FULL, offers[:SHOWN])
