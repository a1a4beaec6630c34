"""What the router learns from the steps of jobs that VMs tell: how long they take, and which VM is in trouble. Pure."""

from collections import OrderedDict

from bus.events import JobEvent
from bus.problems import Kind
from bus.topology import CLOUD_KEY, OVERFLOW, vm_of
from producers.commands import Moment
from producers.placing import Books
from producers.work import Outstanding
from telemetry.fleet import Fleet

TIMED_OUT = Kind.TIMED_OUT.value.slug
VMS_FAULTS = frozenset({TIMED_OUT, *(kind.value.slug for kind in (Kind.TOO_MANY_ATTEMPTS, Kind.OPERATION_FAILED))})
"""The problems that may be the VM's; others are the picture's, or its caller's wish."""
ENDED = frozenset({"done", "failed", "unanswerable"})
"""The states that end a job; `retried` ends a placement alone."""
BLAMED_KEPT = 10_000
"""Jobs whose failures are remembered, until they end."""


class Blame:
    """Whose fault a failure is: the first VM's that a job fails on, until it fails on a second one as well.

    Then it is the job's, so that one user's bad pictures, each tried on VM after VM, can't shut the fleet for all.
    Should a third VM do the job, it was the fault of those two after all.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._failed_on: OrderedDict[tuple[str, str, str], list[str]] = OrderedDict()

    def failed(self, event: JobEvent, vm: str, now: float) -> None:
        """A job failed on `vm` in a way that may be the VM's fault."""
        vms = self._failed_on.setdefault(_key(event), [])
        if vm in vms:
            return  # the same job over again says nothing new
        vms.append(vm)
        if len(vms) == 1:
            self._fleet.judged(vm, now, ok=False)
        elif len(vms) == 2:
            self._fleet.pardoned(vms[0], now)
        if len(self._failed_on) > BLAMED_KEPT:
            self._failed_on.popitem(last=False)

    def done(self, event: JobEvent, vm: str, now: float) -> None:
        """`vm` has done a job: nothing is wrong with that one."""
        vms = self._failed_on.pop(_key(event), [])
        accused = [other for other in vms if other != vm] if len(vms) > 1 else []
        for other in accused:
            self._fleet.judged(other, now, ok=False)

    def forget(self, event: JobEvent) -> None:
        """A job has ended without a result."""
        self._failed_on.pop(_key(event), None)


class Learning:
    """Keeps the books of what runs where, and their lessons."""

    def __init__(self, books: Books) -> None:
        self._fleet = books.fleet
        self._estimates = books.estimates
        self._work = books.work
        self._placed = books.placed
        self._waits = books.waits
        self._cloud = books.cloud
        self._blame = Blame(books.fleet)

    def told(self, event: JobEvent, vm: str, now: Moment) -> float:
        """A step of a job on `vm`; returns how many seconds more (or less) the job computed than was charged for it."""
        self._placed.told(event.user, event.job, event.operation, vm, ended=event.state in ENDED)
        place = event.placement or event.job
        if event.state == "running":
            self._placed.began(place)
            return 0.0
        self._fleet.finished(vm, place)
        self._waits.ended(place, now.mono_s, done=event.state == "done")
        self._judge(event, vm, now.mono_s)
        return self._learn(event, vm, self._work.ended(place, now.mono_s), now.mono_s)

    def told_of_cloud(self, event: JobEvent, now: Moment) -> float:
        """A step of a job in the cloud; returns the seconds to charge, less than 0 for a job that comes home.

        Nothing is learnt of VMs by it, and the run itself is not charged: it took no VM's time.
        """
        place = event.placement or event.job
        ended = event.state in ENDED
        self._placed.told(event.user, event.job, event.operation, CLOUD_KEY, ended=ended)
        if ended:
            self._waits.ended(place, now.mono_s, done=event.state == "done")
            self._blame.forget(event)
            self._cloud.ended(place, event.cost)
        return self.taken_back(CLOUD_KEY, place, now) if event.state == "retried" else 0.0

    def taken_back(self, where: str, place: str, now: Moment) -> float:
        """A placement is over without an end; `where` is the routing key that it went to, or the queue where it lay.

        Returns the seconds to charge: what the cloud did not run is charged when it is placed again.
        """
        vm, in_cloud = vm_of(where), where in {CLOUD_KEY, OVERFLOW}
        if vm is None and not in_cloud:
            return 0.0
        self._waits.ended(place, now.mono_s, done=False)
        if vm is not None:
            self._fleet.finished(vm, place)  # it takes no more room there
            self._work.ended(place, now.mono_s)
        return -self._cloud.came_home(place) if in_cloud else 0.0

    def _judge(self, event: JobEvent, vm: str, now: float) -> None:
        if event.state == "done":
            self._blame.done(event, vm, now)
        elif event.problem in VMS_FAULTS:
            self._blame.failed(event, vm, now)
        if event.state in {"failed", "unanswerable"}:
            self._blame.forget(event)

    def _learn(self, event: JobEvent, vm: str, placed: Outstanding | None, now: float) -> float:
        ran_s = (event.ran_ms or 0) / 1000
        if event.ran_ms is not None:  # else it did not run: it was refused, or is a repeat of one that did
            self._estimate(event, vm, ran_s, _megapixels(event, placed), now)
        return ran_s - placed.charged_s if placed else 0.0

    def _estimate(self, event: JobEvent, vm: str, ran_s: float, megapixels: float | None, now: float) -> None:
        if megapixels is None:
            if event.state == "done":
                self._fleet.judged(vm, now, ok=True)
        elif event.state == "done":
            slowness = self._estimates.slowness(event.operation, megapixels, vm, ran_s)
            self._estimates.observe(event.operation, megapixels, vm, ran_s)
            self._fleet.judged(vm, now, ok=True, slowness=slowness)
        elif event.problem == TIMED_OUT and ran_s > self._estimates.predict(event.operation, megapixels, vm).p50:
            # It would have run for longer. What was to take longer anyway teaches nothing by being cut short.
            self._estimates.observe(event.operation, megapixels, vm, ran_s)


def _megapixels(event: JobEvent, placed: Outstanding | None) -> float | None:
    """The size of the picture; None where it was guessed, or another router's to know, and the VM does not tell it."""
    if placed is not None and not placed.is_guess:
        return placed.megapixels
    return None if event.pixels is None else event.pixels / 1e6


def _key(event: JobEvent) -> tuple[str, str, str]:
    return event.user, event.job, event.operation
