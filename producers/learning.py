"""What the router learns from the steps of jobs that VMs tell: how long they take, and which VM is in trouble. Pure."""

from bus.events import JobEvent
from bus.problems import Kind
from producers.commands import Moment
from producers.estimates import Estimates
from producers.placed import Placed
from producers.waits import Waits
from producers.work import Outstanding, Work
from telemetry.fleet import Fleet

VMS_FAULTS = frozenset(kind.value.slug for kind in (Kind.TIMED_OUT, Kind.TOO_MANY_ATTEMPTS, Kind.OPERATION_FAILED))
"""The problems that may be the VM's; others are the picture's, or its caller's wish."""


class Learning:
    """Keeps the books of what runs where, and their lessons."""

    def __init__(self, fleet: Fleet, estimates: Estimates, work: Work, placed: Placed, waits: Waits) -> None:
        self._fleet = fleet
        self._estimates = estimates
        self._work = work
        self._placed = placed
        self._waits = waits

    def told(self, event: JobEvent, vm: str, now: Moment) -> float:
        """A step of a job on `vm`; returns how many seconds more (or less) the job computed than was charged for it."""
        ended = event.state in {"done", "failed", "unanswerable"}
        self._placed.told(event.user, event.job, event.operation, vm, ended=ended)
        place = event.placement or event.job
        if event.state == "running":
            self._placed.began(place)
            return 0.0
        self._fleet.finished(vm, place)
        self._waits.ended(place, now.mono_s, done=event.state == "done")
        return self._judge(event, vm, self._work.ended(place, now.mono_s), now)

    def _judge(self, event: JobEvent, vm: str, placed: Outstanding | None, now: Moment) -> float:
        if event.problem in VMS_FAULTS:
            self._fleet.judged(vm, now.mono_s, ok=False)
        if event.state != "done" or event.ran_ms is None:
            return 0.0
        ran_s = event.ran_ms / 1000
        megapixels = placed.megapixels if placed else (event.pixels or 0) / 1e6
        slowness = self._estimates.slowness(event.operation, megapixels, vm, ran_s)
        self._estimates.observe(event.operation, megapixels, vm, ran_s)
        self._fleet.judged(vm, now.mono_s, ok=True, slowness=slowness)
        return ran_s - placed.charged_s if placed else 0.0
