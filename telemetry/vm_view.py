"""One VM as it is known: what is kept of it, and the view that everyone else gets. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bus.events import Heartbeat, VmState
from telemetry.health import Health, Progress
from telemetry.ledger import Ledger

State = VmState

TAKES_JOBS = frozenset[State]({"ready", "busy"})
_WHYS_JOINED = {"absent": "no worker runs there", "starting": "its worker is starting"}


class VmView(NamedTuple):
    """One VM as it is known now. A tuple, since one is made for each job twice, and a frozen dataclass takes longer.

    States: `joined` (heard of, but its worker serves nothing yet), `ready`, `busy` (all slots taken; there may be room
    to look ahead), `draining` (by itself or by an operator), `quarantined` (its agent beats but its worker is stuck),
    `lost` (silent, or without a queue).
    """

    name: str
    session: str
    state: State
    worker: Literal["ready", "starting", "draining", "absent"]
    cpu_percent: float
    """Mean of the latest readings, five at most, 0 to 100."""
    load: float
    """`cpu_percent` and a processor's share for each job sent that no beat has listed yet, 0 to 100."""
    ram_percent: float
    cores: float
    slots: int
    look_ahead: int
    capacity: int
    """Slots' worth of jobs it may hold now: its slots and look-ahead, fewer while it is eased in or does badly."""
    held: frozenset[str]
    """Ids of the placements that take room there."""
    held_slots: int
    """Slots that those take: a big job takes more than one."""
    sent_since_beat: int
    """How many of `held` the latest beat doesn't list."""
    operations: tuple[str, ...]
    not_served: Mapping[str, str]
    oldest_running_s: float | None
    heard_at: float
    """When the latest beat was heard, on the listener's clock."""
    share: float = 1.0
    """What failures and slow answers leave of its full share of the jobs, over 0 to 1."""
    drained: bool = False
    """Whether an operator drains it."""
    reason: str | None = None
    """Why it takes no jobs, where there is more to say than its state."""

    @property
    def takes_jobs(self) -> bool:
        """Whether jobs may be sent there at all."""
        return self.state in TAKES_JOBS

    @property
    def room(self) -> int:
        """How many more slots' worth of jobs it may hold, its look-ahead included."""
        return max(0, self.capacity - self.held_slots) if self.state in TAKES_JOBS else 0

    @property
    def free_slots(self) -> int:
        """How many more slots' worth of jobs it would run at once."""
        return min(self.room, max(0, self.slots - self.held_slots))

    def age_s(self, now: float) -> float:
        """Seconds since the latest beat."""
        return now - self.heard_at


@dataclass(slots=True)
class Vm:
    """What the fleet keeps of one VM."""

    beat: Heartbeat
    heard_at: float
    session_at: float
    ledger: Ledger
    readings: deque[float]
    progress: Progress
    health: Health = field(default_factory=Health)
    ready_at: float | None = None
    """When this session was first ready."""
    capacity: int = 0
    cpu_percent: float = 0.0
    stuck: str | None = None
    lost: str | None = None
    drained: bool = False
    out: tuple[State, str | None] | None = None
    """The state in which it takes no jobs, and why; None when it takes them."""
    ahead: bool = True
    """Whether its look-ahead may be used."""
    announced: State = "joined"
    rival_told: bool = False

    def is_news(self, beat: Heartbeat, *, silent: bool) -> bool:
        """Whether a beat is newer than the last of its session, or of a session to be believed instead."""
        if beat.session == self.beat.session:
            return beat.seq > self.beat.seq
        return silent or (beat.started_ms, beat.session) > (self.beat.started_ms, self.beat.session)

    def take(self, beat: Heartbeat, now: float, *, silent: bool) -> bool:
        """Let a newer beat replace what was known; `silent` when the VM was until then. Says whether it restarted."""
        restarted = beat.session != self.beat.session
        if restarted or silent:
            self.readings.clear()  # figures from before a gap say nothing about now
            self.progress = Progress(beat.done, now)
        if restarted:
            self.session_at, self.ready_at, self.rival_told = now, None, False
        self.readings.append(beat.cpu_percent)
        self.ledger.beat(beat, now, restarted=restarted)
        self.beat = beat
        return restarted

    def check(self, now: float, stuck_after_s: float) -> None:
        """Look at the beat just taken in: whether the worker gets on, and whether it is ready for the first time."""
        self.progress.heard(self.beat, now, holds=self.ledger.held_slots > 0)
        self.stuck = self.progress.stuck(self.beat, now, stuck_after_s)
        if self.ready_at is None and self.beat.worker == "ready" and self.beat.slots:
            self.ready_at = now

    def settle(self) -> None:
        """Derive what holds until the next beat, whatever is sent: it costs too much to be done for each job."""
        self.cpu_percent = sum(self.readings) / len(self.readings)
        self.out = self._out()

    def standing(self) -> tuple[State, str | None]:
        """Its state, and why it takes no jobs if it doesn't."""
        return self.out or ("busy" if self.ledger.held_slots >= self.beat.slots else "ready", None)

    def view(self) -> VmView:
        """The VM as it is known now."""
        beat, ledger, unlisted = self.beat, self.ledger, self.ledger.unlisted
        held_slots = ledger.held_slots
        state, reason = self.out or ("busy" if held_slots >= beat.slots else "ready", None)
        # By position: by name it takes half as long again, and this runs twice for each job.
        return VmView(
            beat.vm,
            beat.session,
            state,
            beat.worker,
            self.cpu_percent,
            min(100.0, self.cpu_percent + unlisted * 100.0 / beat.cores),
            beat.ram_percent,
            beat.cores,
            beat.slots,
            beat.look_ahead,
            self.capacity if self.ahead else min(self.capacity, beat.slots),
            ledger.held,
            held_slots,
            unlisted,
            beat.operations,
            beat.not_served,
            beat.oldest_running_s,
            self.heard_at,
            self.health.share,
            self.drained,
            reason,
        )

    def _out(self) -> tuple[State, str | None] | None:
        if self.lost:
            return "lost", self.lost
        if self.drained or self.beat.worker == "draining":
            return "draining", "drained by an operator" if self.drained else None
        why = why_joined(self.beat)
        if why:
            return "joined", why
        return ("quarantined", self.stuck) if self.stuck else None


def why_joined(beat: Heartbeat) -> str | None:
    """Why a VM that is alive serves nothing, or None when it does."""
    return _WHYS_JOINED.get(beat.worker) or (None if beat.slots else "it offers no slots")
