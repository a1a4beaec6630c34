"""What is known of each VM, from its heartbeats and from what was sent to it.

Pure: `now` is the listener's monotonic clock in seconds, so the senders' clocks don't matter.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from bus.events import Heartbeat, VmEvent
from telemetry.attendance import Attendance
from telemetry.fleet_rules import Rules
from telemetry.garbage import Garbage
from telemetry.health import Health, Progress, ease
from telemetry.ledger import Ledger
from telemetry.vm_index import VmIndex
from telemetry.vm_view import State, Vm, VmView, why_joined
from telemetry.vm_views import VmViews

__all__ = ["Change", "Fleet", "Rules", "State", "VmView"]

log = logging.getLogger(__name__)

MOST_VMS: Final = 4_000
"""Names known at a time, since anybody may make them up: each costs kilobytes, and time at every look."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something to tell about a VM: that it is now in `state`, and why."""

    vm: str
    state: State
    reason: str | None = None

    def event(self, at_ms: int) -> VmEvent:
        """The change as it travels on the bus."""
        return VmEvent(vm=self.vm, state=self.state, at_ms=at_ms, reason=self.reason)


class Fleet:
    """All VMs heard of within a day.

    `heard`, `drain` and `tick` return the changes since one of them was last called. `placed` is to be called before a
    job is published to a VM, so that the word of its end can't come first.

    Only what has changed is looked at anew, so that asking costs nothing per VM. What is asked without `now` is as of
    the latest call that had it. Nothing may be called while a collection of views is walked through.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self._vms: dict[str, Vm] = {}
        self._attendance = Attendance(self.rules.lost_after_s)
        self._drained: frozenset[str] = frozenset()
        self._index = VmIndex()
        self._views = VmViews(self._index)
        self._changes: list[Change] = []
        self._passed_over = Garbage()

    # -- what the VMs say

    def heard(self, beat: Heartbeat, now: float) -> list[Change]:
        """Take in a heartbeat.

        Ignored are a beat no newer than the last of its session, and beats of a session that began before the one
        being heard: of two machines with one name the one started last is believed. When that one falls silent any
        session is, since a machine's clock may have been set back.
        """
        self.hears(now)
        self._expire(now)
        vm = self._vms.get(beat.vm)
        if vm is None:
            if not self._has_room(beat.vm, now):
                return self._told()
            vm = self._vms[beat.vm] = self._joined(beat, now)
            self._tell(vm, "joined", why_joined(beat))
        elif not vm.is_news(beat, silent=self._attendance.is_silent(vm, now)):
            self._suspect_rival(vm, beat, now)
            return self._told()
        elif vm.take(beat, now, silent=now - vm.heard_at > self.rules.lost_after_s):
            self._tell(vm, "joined", why_joined(beat) or "restarted")
        self._revive(vm, now)
        return self._told()

    def tick(self, now: float) -> list[Change]:
        """Let time pass: silent VMs are lost, and forgotten after a day."""
        self._expire(now)
        while (vm := self._attendance.longest_lost()) and now - vm.heard_at > self.rules.forget_after_s:
            self._forget(vm)
        return self._told()

    def deaf(self) -> None:
        """Beats can't be heard from here on: until they can again, and a while longer, nobody is lost by silence."""
        self._attendance.deaf()

    def hears(self, now: float) -> None:
        """Beats can be heard again, if they could not; the first one says so too."""
        self._attendance.hears(now)

    def knows(self, vm: str) -> bool:
        """Whether a VM of this name was heard within a day."""
        return vm in self._vms

    # -- what becomes of jobs

    def placed(self, vm: str, placement: str, now: float, slots: int = 1) -> None:
        """A job is being sent to a VM: it takes so many slots there from now on."""
        if vm in self._vms:
            self._vms[vm].ledger.sent(placement, now, slots)
            self._views.changed(self._vms[vm])

    def finished(self, vm: str, placement: str) -> None:
        """A job is answered, failed, handed back by the broker, or taken back: it takes no more room."""
        if vm in self._vms:
            self._vms[vm].ledger.finished(placement)
            self._note_empty(self._vms[vm])
            self._views.changed(self._vms[vm])

    def let_ahead(self, vm: str, *, allowed: bool) -> None:
        """Whether a VM may be given jobs beyond its slots now, up to its look-ahead; at first it may."""
        known = self._vms.get(vm)
        if known is not None and known.ahead != allowed:
            known.ahead = allowed
            self._views.changed(known)

    def judged(self, vm: str, now: float, *, ok: bool, slowness: float | None = None) -> None:
        """A VM did a job well, or failed it in a way that may be its own fault; see `Health` for what comes of it."""
        self._assess(vm, now, lambda health: health.judged(now, ok=ok, slowness=slowness))

    def pardoned(self, vm: str, now: float) -> None:
        """A failure that a VM was judged for was its job's own fault."""
        self._assess(vm, now, Health.pardoned)

    def unreachable(self, vm: str, now: float) -> None:
        """The broker had no queue for a VM: it is lost until its next beat."""
        self._expire(now)
        if self._attendance.is_present(vm):
            self._lose(self._vms[vm], f"the broker has no queue vm.{vm}")

    def drain(self, names: frozenset[str], now: float) -> list[Change]:
        """An operator drains these VMs and no others. Names not heard of yet are kept for when they join."""
        self._expire(now)
        turned, self._drained = names ^ self._drained, names
        for vm in [self._vms[name] for name in sorted(turned) if name in self._vms]:
            vm.drained = vm.beat.vm in names
            self._settle(vm)
        return self._told()

    # -- what is known

    def views(self, now: float) -> Mapping[str, VmView]:
        """Every VM by name, as of `now`: a live, read-only mapping in which only what changed is made anew."""
        self._expire(now)
        return self._views.all()

    def slots_of(self, vm: str, now: float) -> int | None:
        """The slots of a VM; None of one that is not known."""
        self._expire(now)
        known = self._vms.get(vm)
        return None if known is None else known.beat.slots

    def held(self, vm: str) -> frozenset[str]:
        """Ids of the placements that take room on a VM; none of one that is not known."""
        return self._vms[vm].ledger.held if vm in self._vms else frozenset()

    def open(self, operation: str) -> Collection[VmView]:
        """VMs with room that serve it, the least recently changed first."""
        self._views.all()
        return self._index.open(operation)

    def serving(self, operation: str) -> Collection[VmView]:
        """VMs that take jobs and serve it, with room or without."""
        self._views.all()
        return self._index.serving(operation)

    @property
    def stranded(self) -> frozenset[str]:
        """VMs that take no jobs, so that what lies in their queues must go elsewhere."""
        return self._index.stranded

    @property
    def served(self) -> frozenset[str]:
        """Operations that at least one VM that takes jobs serves."""
        return self._index.served

    @property
    def slots(self) -> int:
        """Slots of the VMs that take jobs."""
        return self._index.slots

    def holder(self, prefix: str) -> str | None:
        """The VM, not lost, that holds a placement whose id starts so. Looks through all: not for every job."""
        alive = (view for view in self._views.all().values() if view.state != "lost")
        return next((view.name for view in alive if any(each.startswith(prefix) for each in view.held)), None)

    # -- beats

    def _has_room(self, name: str, now: float) -> bool:
        """Whether one more VM can be known; a lost one that can be spared is forgotten for it."""
        if len(self._vms) < MOST_VMS:
            return True
        if (spare := self._attendance.spare(now)) is not None:
            self._forget(spare)
            return True
        if (more := self._passed_over.met("", now)) is not None:
            log.warning("%d VMs are known, as many as are kept: %.80r is passed over%s", MOST_VMS, name, more)
        return False

    def _forget(self, vm: Vm) -> None:
        name = vm.beat.vm
        self._attendance.forget(name)
        self._views.forget(name)
        del self._vms[name]

    def _joined(self, beat: Heartbeat, now: float) -> Vm:
        rules = self.rules
        ledger = Ledger(rules.settle_beats, rules.settle_beats * rules.beat_interval_s)
        ledger.beat(beat, now)
        readings = deque([beat.cpu_percent], maxlen=rules.readings)
        vm = Vm(beat, heard_at=now, session_at=now, ledger=ledger, readings=readings, progress=Progress(beat.done, now))
        vm.drained = beat.vm in self._drained
        return vm

    def _revive(self, vm: Vm, now: float) -> None:
        """A VM was just heard: tell its state if that is another."""
        back = f"heard again after {now - vm.heard_at:.1f} s" if vm.announced == "lost" else None
        self._attendance.heard(vm, now)
        vm.check(now, self.rules.stuck_after_s)
        self._weigh(vm, now)
        self._settle(vm, back)

    def _weigh(self, vm: Vm, now: float) -> None:
        """How much the VM may hold as of `now`: at its next beat it may be more."""
        rules, eased = self.rules, 1.0
        if vm.ready_at is not None and now - vm.ready_at < rules.ease_in_s:
            # A fleet that starts together has nobody else to give its jobs to.
            relieved = self._index.taken_since(now - rules.ease_in_s, but=vm.beat.vm)
            eased = ease(now - vm.ready_at, rules.ease_in_s) if relieved else 1.0
        vm.capacity = vm.health.capacity(vm.beat.slots + vm.beat.look_ahead, eased, now)

    def _assess(self, vm: str, now: float, by: Callable[[Health], None]) -> None:
        """Let something change what is thought of a VM, and see what comes of it."""
        known = self._vms.get(vm)
        if known is None:
            return
        health, share, was_on_probation = known.health, known.health.share, known.health.on_probation
        by(health)
        if health.on_probation and not was_on_probation and known.out is None:
            self._tell(known, known.announced, "its last jobs failed: it gets one at a time until one succeeds")
        if health.on_probation or was_on_probation or health.share != share:
            self._weigh(known, now)
            self._views.changed(known)

    def _suspect_rival(self, vm: Vm, beat: Heartbeat, now: float) -> None:
        """An older session still heard well after a newer one began is another machine with the same name."""
        two_live = beat.session != vm.beat.session and now - vm.session_at > self.rules.lost_after_s
        if two_live and not vm.rival_told:
            vm.rival_told = True
            why = (
                "another machine, started earlier, has the same name and is ignored: give it another OVERSPILL_VM_NAME"
            )
            self._tell(vm, vm.announced, why)

    # -- changes

    def _expire(self, now: float) -> None:
        while vm := self._attendance.silent(now):
            self._lose(vm, f"not heard from for {now - vm.heard_at:.1f} s")

    def _lose(self, vm: Vm, reason: str) -> None:
        self._attendance.lose(vm, reason)
        self._note_empty(vm)
        self._settle(vm)

    def _note_empty(self, vm: Vm) -> None:
        if vm.lost and not vm.ledger.held_slots:
            self._attendance.emptied(vm)

    def _settle(self, vm: Vm, back: str | None = None) -> None:
        """Derive the VM's state, and tell it if it is another.

        Slots fill and empty with every job; that is told once a beat, not each time.
        """
        vm.settle()
        self._views.settled(vm)
        state, reason = vm.standing()
        if state != vm.announced:
            why = f"all its slots are taken ({vm.beat.slots})" if state == "busy" else reason
            self._tell(vm, state, "; ".join(filter(None, (back, why))) or None)

    def _tell(self, vm: Vm, state: State, reason: str | None) -> None:
        vm.announced = state
        self._changes.append(Change(vm.beat.vm, state, reason))

    def _told(self) -> list[Change]:
        changes, self._changes = self._changes, []
        return changes
