"""What `overspill top` knows: events and counts in, one frame after the other out. Pure.

`now` is the listener's monotonic clock in seconds, `now_ms` the Unix time in milliseconds.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from bus.events import AnyEvent, JobEvent, VmEvent, VmState
from bus.settings import Settings
from bus.topology import EVENTS
from telemetry.fleet import Fleet, Rules
from telemetry.vm_view import VmView
from ui.fleet.heard import BINDINGS, GONE_S, Heard
from ui.fleet.look import Look
from ui.top.rates import SPANS_S, Rate, Rates, Step, step_of

SHOWN: Final = (
    "routed",
    "parked",
    "sent",
    "running",
    "retried",
    "done",
    "failed",
    "unanswerable",
    "replayed",
    "purged",
)
"""Steps of jobs that are listened to; that a job still waits is told too often to be read."""
HEARD: Final = (
    *BINDINGS,
    *((EVENTS, f"job.{state}.#") for state in SHOWN),
    *((EVENTS, f"vm.{state}.*") for state in get_args(VmState)),
)
"""(exchange, key) pairs of all that `Top` takes in."""
PAST_S: Final = SPANS_S[-1]
_LATEST: Final = 200
_PAST: Final = tuple(f'{{"kind":"job","state":"{state}"'.encode() for state in SHOWN)

Sort = Literal["trouble", "load", "held", "name"]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
_TROUBLE: Final = {"lost": 0, "quarantined": 1, "joined": 2, "draining": 3}


def is_past_wanted(body: bytes) -> bool:
    """Whether an event of the past counts here, told by how it begins: parsing all of them would take much longer."""
    return body.startswith(_PAST)


@dataclass(frozen=True, slots=True)
class Limits:
    """From which percent of CPU and of RAM a VM counts as loaded."""

    cpu: float = 40.0
    ram: float = 90.0


@dataclass(frozen=True, slots=True)
class Frame:
    """All there is to show at one moment."""

    at_ms: int
    address: str
    look: Look
    rates: tuple[Rate, ...]
    latest: tuple[JobEvent | VmEvent, ...]
    """The oldest first."""
    limits: Limits = field(default_factory=Limits)
    broken_s: float | None = None
    """How long there has been no connection; None while there is one."""
    early: bool = False
    """Listening has just begun, so that silence says nothing yet."""
    paused: bool = False
    sort: Sort = "trouble"
    skip: int = 0
    """VMs that are scrolled past."""

    @property
    def vms(self) -> list[VmView]:
        """The VMs in the order they are shown."""
        return sorted(self.look.vms, key=lambda vm: _place(vm, self.sort))


def _place(vm: VmView, sort: Sort) -> tuple[Any, ...]:
    orders: dict[Sort, tuple[float, ...]] = {
        "trouble": (_TROUBLE.get(vm.state, 9),),  # and by name: rows that change places every second are hard to read
        "load": (-vm.cpu_percent,),
        "held": (-len(vm.held),),
        "name": (),
    }
    return (*orders[sort], vm.name)


class Top:
    """What was heard, counted and read of the past."""

    def __init__(self, settings: Settings, address: str, now: float) -> None:
        """`address` is the broker's, `now` when listening begins."""
        self._heard = Heard(Fleet(Rules.of(settings)))
        self._limits = Limits(settings.cpu_threshold, settings.ram_threshold)
        self._address = address
        self._rates = Rates(now)
        self._latest: deque[JobEvent | VmEvent] = deque(maxlen=_LATEST)
        self._depths: Mapping[str, int | None] = {}
        self._broken_since: float | None = None
        self._listening_since = now
        self._look = self._heard.look({}, now)

    def hear(self, event: AnyEvent, now: float) -> None:
        """Take in an event."""
        if isinstance(event, JobEvent | VmEvent):
            self._latest.append(event)
        if isinstance(event, JobEvent) and (step := step_of(event, now)) is not None:
            self._rates.add(step)
        self._heard.hear(event, now)

    def past(self, events: Sequence[JobEvent], now: float, now_ms: int) -> None:
        """Take in what was told before listening began, oldest first; times are the tellers' own."""
        aged = [(now - (now_ms - event.at_ms) / 1000, event) for event in events]
        steps = [step for at, event in aged if (step := step_of(event, at)) is not None]
        self._rates.precede(_in_time(steps, now), now - PAST_S)
        known = {(event.job, event.state, event.at_ms) for event in self._latest if isinstance(event, JobEvent)}
        older = [event for event in events if (event.job, event.state, event.at_ms) not in known]
        self._latest = deque([*older, *self._latest], maxlen=_LATEST)

    def counted(self, depths: Mapping[str, int | None]) -> None:
        """Take in the queues' depths."""
        self._depths = depths

    def frame(self, now: float, now_ms: int, *, connected: bool) -> Frame:
        """What is known now. Without a connection the fleet is shown as it was last seen: its silence says nothing."""
        if connected:
            if self._broken_since is not None:
                self._broken_since, self._listening_since = None, now
            self._look = self._heard.look(self._depths, now)
        elif self._broken_since is None:
            self._broken_since = now
        broken_s = None if self._broken_since is None else now - self._broken_since
        early = now - self._listening_since < GONE_S
        rates, latest = self._rates.told(now), tuple(self._latest)
        return Frame(now_ms, self._address, self._look, rates, latest, self._limits, broken_s, early)


def _in_time(steps: Iterable[Step], now: float) -> list[Step]:
    """Without what a clock that is wrong puts into the future, or too long ago."""
    return [step for step in steps if now - PAST_S < step.at <= now]
