"""When a VM may be given a job before it has a free slot: only shortly before one comes free. Pure; times are seconds.

A job that waits on a VM is bound to it, ahead of whoever comes next. It hides the way from router to VM just as well
when it leaves a moment before the slot is free.
"""

from heapq import heappop, heappush

from producers.work import Work
from telemetry.fleet import Fleet

SOONEST_S = 0.005
"""Before a VM is looked at again."""


class LookAhead:
    """Opens and closes the look-ahead of VMs. Without a `lead_s` it is always open, and nothing is to be done."""

    def __init__(self, fleet: Fleet, work: Work, lead_s: float | None) -> None:
        self._fleet = fleet
        self._work = work
        self._lead_s = lead_s
        self._due: list[tuple[float, str]] = []
        self._next: dict[str, float] = {}

    @property
    def next_s(self) -> float | None:
        """When a VM's look-ahead should open; to be told by `open_due`."""
        return self._due[0][0] if self._due else None

    def look(self, vm: str, now: float) -> None:
        """What runs on a VM has changed."""
        if self._lead_s is None:
            return
        slots = self._fleet.slots_of(vm, now)
        if slots is None:
            return
        wait_s = self._work.wait_s(vm, slots, now)
        self._fleet.let_ahead(vm, allowed=wait_s <= self._lead_s)
        self._next.pop(vm, None)
        if self._lead_s < wait_s < float("inf"):
            at = self._next[vm] = now + max(SOONEST_S, wait_s - self._lead_s)
            heappush(self._due, (at, vm))

    def forget(self) -> None:
        """Another router may be the active one by now."""
        self._due.clear()
        self._next.clear()

    def open_due(self, now: float) -> None:
        """Time has passed."""
        while self._due and self._due[0][0] <= now:
            at, vm = heappop(self._due)
            if self._next.get(vm) == at:  # else it was looked at since
                self.look(vm, now)
