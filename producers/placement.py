"""Which machine takes a job: (job, fleet, rules) in, one choice with its reasons out. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from bus.events import Candidate
from bus.messages import Job
from telemetry.fleet import VmView

SHOWN = 5
"""Candidates in a receipt at the most, so that an event stays under 1 KB on a large fleet."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings a policy reads; percents 0-100."""

    cpu_threshold: float = 40.0
    ram_threshold: float = 90.0


@dataclass(frozen=True, slots=True)
class ToVm:
    """The VM takes it now."""

    vm: str
    reason: str
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Overflow:
    """The cloud takes it."""

    reason: str
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody can take it now; it stays where it is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """VMs are alive but none serves its operation: it steps aside, so that its lane moves on."""

    reason: str


Choice = ToVm | Overflow | Wait | Park


@dataclass(frozen=True, slots=True)
class _Weighed:
    view: VmView
    verdict: str
    fits: bool
    """It may be given the job: alive, serving the operation, with room."""
    under: bool
    """It fits and is under the thresholds."""

    @property
    def order(self) -> tuple[float, float, str]:
        """The emptiest first, then the least loaded; the name makes it deterministic."""
        return (len(self.view.held) / max(1, self.view.slots), self.view.load, self.view.name)


def threshold(job: Job, fleet: Iterable[VmView], rules: Rules, now: float, *, cloud_open: bool) -> Choice:
    """The 40 % rule: a VM under the thresholds takes the job; when all are over, it overflows.

    Without an open cloud a VM over the thresholds that has room takes it all the same: the thresholds choose between
    a VM and the cloud, not between working and idling. `local` jobs see no cloud. `now` is the fleet's clock, seconds.
    """
    weighed = [_weigh(job, view, rules) for view in fleet]
    fitting = sorted((w for w in weighed if w.fits), key=lambda w: (not w.under, *w.order))
    if fitting and fitting[0].under:
        best = fitting[0].view
        return ToVm(best.name, f"under {rules.cpu_threshold:g} % load", _receipt(weighed, now))
    if cloud_open and job.site != "local" and any(_serves(job, w.view) for w in weighed):
        return Overflow("every VM is over the threshold or full", _receipt(weighed, now))
    if fitting:
        return ToVm(
            fitting[0].view.name, "every VM is over the threshold, and no cloud is open", _receipt(weighed, now)
        )
    return _nobody(job, weighed)


def _serves(job: Job, view: VmView) -> bool:
    return view.takes_jobs and job.operation in view.operations


def _weigh(job: Job, view: VmView, rules: Rules) -> _Weighed:
    if not view.takes_jobs:
        return _Weighed(view, view.state, fits=False, under=False)
    if job.operation not in view.operations:
        why = view.not_served.get(job.operation, "not offered")
        return _Weighed(view, f"does not serve {job.operation}: {why}", fits=False, under=False)
    if view.room <= 0:
        return _Weighed(view, "no free slot", fits=False, under=False)
    if view.load >= rules.cpu_threshold:
        return _Weighed(view, f"CPU over {rules.cpu_threshold:g} %", fits=True, under=False)
    if view.ram_percent >= rules.ram_threshold:
        return _Weighed(view, f"RAM over {rules.ram_threshold:g} %", fits=True, under=False)
    return _Weighed(view, "can take it", fits=True, under=True)


def _nobody(job: Job, weighed: list[_Weighed]) -> Wait | Park:
    alive = [w for w in weighed if w.view.takes_jobs]
    if not alive:
        lost = ", ".join(f"{w.view.name} is {w.verdict}" for w in weighed) or "none was ever heard"
        return Wait(f"no VM is alive ({lost})")
    if not any(_serves(job, w.view) for w in alive):
        whys = "; ".join(f"{w.view.name} {w.verdict}" for w in alive[:SHOWN])
        return Park(f"no VM serves {job.operation} ({whys})")
    return Wait("every slot is taken")


def _receipt(weighed: list[_Weighed], now: float) -> tuple[Candidate, ...]:
    shown = sorted(weighed, key=lambda w: (not w.fits, not w.under, *w.order))[:SHOWN]
    return tuple(
        Candidate(
            vm=w.view.name,
            load=round(w.view.load, 1),
            age_s=round(w.view.age_s(now), 2),
            held=len(w.view.held),
            verdict=w.verdict[:120],
        )
        for w in shown
    )
