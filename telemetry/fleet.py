"""What is known of each VM, from its heartbeats and from what was sent to it.

Pure: `now` is the listener's monotonic clock in seconds, so the senders' clocks don't matter.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from bus.events import Heartbeat, VmEvent
from bus.settings import Settings
from telemetry.ledger import Ledger

State = Literal["joined", "ready", "busy", "draining", "lost"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How the fleet is judged. `settle_beats` is how long a job sent may be missing in a ready VM's beats."""

    beat_interval_s: float = 1.0
    lost_after_s: float = 3.0
    settle_beats: int = 2
    readings: int = 5
    forget_after_s: float = 86_400.0

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """The rules that the settings give."""
        return cls(beat_interval_s=settings.beat_interval_s, lost_after_s=settings.lost_after_s)


@dataclass(frozen=True, slots=True)
class VmView:
    """One VM as it is known now.

    States: `joined` (heard of, but its worker serves nothing yet), `ready`, `busy` (all slots taken; there may be room
    to look ahead), `draining`, `lost` (silent, or without a queue).
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
    held: frozenset[str]
    """Ids of the jobs that take room there."""
    sent_since_beat: int
    """How many of `held` the latest beat doesn't list."""
    operations: tuple[str, ...]
    not_served: Mapping[str, str]
    oldest_running_s: float | None
    heard_at: float
    """When the latest beat was heard, on the listener's clock."""

    @property
    def takes_jobs(self) -> bool:
        """Whether jobs may be sent there at all."""
        return self.state in {"ready", "busy"}

    @property
    def room(self) -> int:
        """How many more jobs it may hold, its look-ahead included."""
        return max(0, self.slots + self.look_ahead - len(self.held)) if self.takes_jobs else 0

    @property
    def free_slots(self) -> int:
        """How many more jobs it would run at once."""
        return max(0, self.slots - len(self.held)) if self.takes_jobs else 0

    def age_s(self, now: float) -> float:
        """Seconds since the latest beat."""
        return now - self.heard_at


@dataclass(frozen=True, slots=True)
class Change:
    """Something to tell about a VM: that it is now in `state`, and why."""

    vm: str
    state: State
    reason: str | None = None

    def event(self, at_ms: int) -> VmEvent:
        """The change as it travels on the bus."""
        return VmEvent(vm=self.vm, state=self.state, at_ms=at_ms, reason=self.reason)


@dataclass(slots=True)
class _Vm:
    """What the fleet keeps of one VM."""

    beat: Heartbeat
    heard_at: float
    ledger: Ledger
    readings: deque[float]
    session_at: float
    lost: bool = False
    announced: State = "joined"
    rival_told: bool = False


@dataclass(slots=True)
class Fleet:
    """All VMs heard of within a day.

    `heard` and `tick` return the changes since either was last called. `placed` is to be called before a job is
    published to a VM, so that the word of its end can't come first.
    """

    rules: Rules = field(default_factory=Rules)
    _vms: dict[str, _Vm] = field(default_factory=dict, init=False)
    _alive: dict[str, _Vm] = field(default_factory=dict, init=False)  # the longest unheard first
    _views: dict[str, VmView] = field(default_factory=dict, init=False)
    _outdated: dict[str, None] = field(default_factory=dict, init=False)  # in order, so that views are too
    _changes: list[Change] = field(default_factory=list, init=False)

    def heard(self, beat: Heartbeat, now: float) -> list[Change]:
        """Take in a heartbeat.

        Ignored are a beat no newer than the last of its session, and beats of a session that began before the one
        being heard: of two machines with one name the one started last is believed. When that one falls silent any
        session is, since a machine's clock may have been set back.
        """
        self._expire(now)
        vm = self._vms.get(beat.vm)
        if vm is None:
            vm = self._vms[beat.vm] = self._joined(beat, now)
            vm.ledger.beat(beat, now)
            self._tell(beat.vm, "joined", _why_joined(beat))
        elif self._is_news(vm, beat, now):
            self._take(vm, beat, now)
        else:
            self._suspect_rival(vm, beat, now)
            return self._told()
        self._revive(vm, beat, now)
        return self._told()

    def tick(self, now: float) -> list[Change]:
        """Let time pass: silent VMs are lost, and forgotten after a day."""
        self._expire(now)
        for name in [name for name, vm in self._vms.items() if now - vm.heard_at > self.rules.forget_after_s]:
            del self._vms[name]
            self._views.pop(name, None)
            self._outdated.pop(name, None)
        return self._told()

    def views(self, now: float) -> Mapping[str, VmView]:
        """Every VM by name, as of `now`: a live, read-only mapping in which only what changed is made anew."""
        self._expire(now)
        for name in self._outdated:
            self._views[name] = _view(name, self._vms[name])
        self._outdated.clear()
        return MappingProxyType(self._views)

    def placed(self, vm: str, job: str, now: float) -> None:
        """A job is being sent to a VM: it takes room there from now on."""
        if vm in self._vms:
            self._vms[vm].ledger.sent(job, now)
            self._outdated[vm] = None

    def finished(self, vm: str, job: str) -> None:
        """A job is answered, failed, handed back by the broker, or taken back: it takes no more room."""
        if vm in self._vms:
            self._vms[vm].ledger.finished(job)
            self._outdated[vm] = None

    def unreachable(self, vm: str, now: float) -> None:
        """The broker had no queue for a VM: it is lost until its next beat."""
        self._expire(now)
        if vm in self._alive:
            self._lose(vm, f"the broker has no queue vm.{vm}")

    def _joined(self, beat: Heartbeat, now: float) -> _Vm:
        rules = self.rules
        ledger = Ledger(rules.settle_beats, rules.settle_beats * rules.beat_interval_s)
        readings = deque([beat.cpu_percent], maxlen=rules.readings)
        return _Vm(beat, heard_at=now, ledger=ledger, readings=readings, session_at=now)

    def _is_news(self, vm: _Vm, beat: Heartbeat, now: float) -> bool:
        if beat.session == vm.beat.session:
            return beat.seq > vm.beat.seq
        later = (beat.started_ms, beat.session) > (vm.beat.started_ms, vm.beat.session)
        return later or self._is_silent(vm, now)

    def _is_silent(self, vm: _Vm, now: float) -> bool:
        return now - vm.heard_at > self.rules.lost_after_s

    def _take(self, vm: _Vm, beat: Heartbeat, now: float) -> None:
        """Let a newer beat replace what was known."""
        restarted = beat.session != vm.beat.session
        if restarted or self._is_silent(vm, now):
            vm.readings.clear()  # figures from before a gap say nothing about now
        if restarted:
            vm.session_at, vm.rival_told = now, False
        vm.readings.append(beat.cpu_percent)
        vm.ledger.beat(beat, now, restarted=restarted)
        vm.beat = beat
        if restarted:
            self._tell(beat.vm, "joined", _why_joined(beat) or "restarted")

    def _revive(self, vm: _Vm, beat: Heartbeat, now: float) -> None:
        """Move a VM just heard to the end of the line, and tell its state if that is another."""
        silent_s = now - vm.heard_at
        back = f"heard again after {silent_s:.1f} s" if vm.announced == "lost" else None
        vm.heard_at, vm.lost = now, False
        self._alive.pop(beat.vm, None)
        self._alive[beat.vm] = vm
        self._outdated[beat.vm] = None
        # Slots fill and empty with every job; that is told once a beat, not each time.
        state = _state(vm, len(vm.ledger.held))
        if state != vm.announced:
            self._tell(beat.vm, state, back or _why(state, beat))

    def _suspect_rival(self, vm: _Vm, beat: Heartbeat, now: float) -> None:
        """An older session still heard well after a newer one began is another machine with the same name."""
        two_live = beat.session != vm.beat.session and now - vm.session_at > self.rules.lost_after_s
        if two_live and not vm.rival_told:
            vm.rival_told = True
            why = (
                "another machine, started earlier, has the same name and is ignored: give it another OVERSPILL_VM_NAME"
            )
            self._tell(beat.vm, vm.announced, why)

    def _expire(self, now: float) -> None:
        while self._alive:
            name, vm = next(iter(self._alive.items()))
            if not self._is_silent(vm, now):
                return
            self._lose(name, f"not heard from for {now - vm.heard_at:.1f} s")

    def _lose(self, name: str, reason: str) -> None:
        self._alive.pop(name).lost = True
        self._outdated[name] = None
        self._tell(name, "lost", reason)

    def _tell(self, name: str, state: State, reason: str | None) -> None:
        self._vms[name].announced = state
        self._changes.append(Change(name, state, reason))

    def _told(self) -> list[Change]:
        changes, self._changes = self._changes, []
        return changes


def _state(vm: _Vm, held: int) -> State:
    if vm.lost:
        return "lost"
    if vm.beat.worker == "draining":
        return "draining"
    if _why_joined(vm.beat):
        return "joined"
    return "busy" if held >= vm.beat.slots else "ready"


def _why_joined(beat: Heartbeat) -> str | None:
    """Why a VM that is alive serves nothing, or None when it does."""
    whys = {"absent": "no worker runs there", "starting": "its worker is starting"}
    return whys.get(beat.worker) or (None if beat.slots else "it offers no slots")


def _why(state: State, beat: Heartbeat) -> str | None:
    return f"all its slots are taken ({beat.slots})" if state == "busy" else _why_joined(beat)


def _view(name: str, vm: _Vm) -> VmView:
    beat, held, unlisted = vm.beat, vm.ledger.held, vm.ledger.unlisted
    cpu_percent = sum(vm.readings) / len(vm.readings)
    return VmView(
        name=name,
        session=beat.session,
        state=_state(vm, len(held)),
        worker=beat.worker,
        cpu_percent=cpu_percent,
        load=min(100.0, cpu_percent + unlisted * 100.0 / beat.cores),
        ram_percent=beat.ram_percent,
        cores=beat.cores,
        slots=beat.slots,
        look_ahead=beat.look_ahead,
        held=held,
        sent_since_beat=unlisted,
        operations=beat.operations,
        not_served=beat.not_served,
        oldest_running_s=beat.oldest_running_s,
        heard_at=vm.heard_at,
    )
