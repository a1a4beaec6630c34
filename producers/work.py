"""What runs where: the jobs placed and not ended, and when a slot will be free. Pure; times are seconds."""

from collections.abc import Container, Iterable
from heapq import heappop, heappush
from math import inf
from typing import NamedTuple

from producers.estimates import Range


class Outstanding(NamedTuple):
    """A job placed on a VM: whose, what, and how long it is expected to run from when it begins."""

    placement: str
    vm: str
    user: str
    operation: str
    megapixels: float
    slots: int
    predicted: Range
    placed_at: float
    charged_s: float = 0.0
    """What its user was charged when it was served: predicted on arrival, before what was learnt since."""
    is_guess: bool = False
    """Whether its megapixels are no more than a guess."""


class _Held:
    """A job on a VM, and what is known of when it began: the slots taken ahead of it, and since when so few."""

    __slots__ = ("job", "moves")

    def __init__(self, job: Outstanding, ahead: int) -> None:
        self.job = job
        self.moves = [(ahead, job.placed_at)]

    def moved_up(self, slots: int, now: float) -> None:
        """A job ahead of it, of `slots` slots, has ended."""
        self.moves.append((self.moves[-1][0] - slots, now))

    def began(self, slots: int) -> float | None:
        """When a VM of `slots` slots began it, or None while it waits there."""
        room = max(0, slots - self.job.slots)
        for ahead, at in self.moves:
            if ahead <= room:
                return at
        return None


class Work:
    """The jobs placed and not ended. A VM runs its own first come, first served, as many as its slots hold."""

    def __init__(self) -> None:
        self._vms: dict[str, dict[str, _Held]] = {}
        self._slots: dict[str, int] = {}
        self._jobs: dict[str, Outstanding] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, placement: str) -> bool:
        return placement in self._jobs

    def held_slots(self, vm: str) -> int:
        """Slots that the jobs placed on `vm` take, those that wait there for a slot included."""
        return self._slots.get(vm, 0)

    def placed(self, job: Outstanding) -> None:
        """`job` was sent to its VM. Told twice of a placement, the latter counts."""
        self.ended(job.placement)
        held = self.held_slots(job.vm)
        self._jobs[job.placement] = job
        self._vms.setdefault(job.vm, {})[job.placement] = _Held(job, held)
        self._slots[job.vm] = held + job.slots

    def ended(self, placement: str, now: float | None = None) -> Outstanding | None:
        """The job of a placement that has ended at `now`, which is forgotten; None when it is not known.

        Without `now` a job that waited for its slot counts as begun when it was placed.
        """
        job = self._jobs.pop(placement, None)
        if job is None:
            return None
        line = self._vms[job.vm]
        later = list(line.values())[list(line).index(placement) + 1 :]
        del line[placement]
        self._slots[job.vm] -= job.slots
        for held in later:
            held.moved_up(job.slots, held.job.placed_at if now is None else now)
        if not line:
            del self._vms[job.vm], self._slots[job.vm]
        return job

    def drop(self, vm: str) -> tuple[Outstanding, ...]:
        """Forget the jobs of a VM whose ends will never be told; they, in the order they were placed."""
        self._slots.pop(vm, None)
        gone = tuple(held.job for held in self._vms.pop(vm, {}).values())
        for job in gone:
            del self._jobs[job.placement]
        return gone

    def keep(self, vm: str, held: Container[str]) -> None:
        """Forget the jobs of `vm` that are not among those it still holds: their ends were not told."""
        line = self._vms.get(vm)
        for placement in [placement for placement in line if placement not in held] if line else ():
            self.ended(placement)

    def wait_s(self, vm: str, slots: int, now: float) -> float:
        """Seconds until one of the `slots` of `vm` is expected to be free for another job; 0 when one is.

        Infinite where there are no slots.
        """
        if self.held_slots(vm) < slots:
            return 0.0
        return _first_free(self._vms[vm].values(), slots, now) if slots > 0 else inf


def _first_free(line: Iterable[_Held], slots: int, now: float) -> float:
    """Seconds until one more job could begin behind a line that is served in order."""
    free = [0.0] * slots
    turn = 0.0
    for held in line:
        taken = min(max(1, held.job.slots), slots)
        for _ in range(taken):
            # A job of several slots begins when the last of them is free, and none behind it begins sooner.
            turn = max(turn, heappop(free))
        end = _end(held, slots, turn, now)
        for _ in range(taken):
            heappush(free, end)
    return max(turn, free[0])


def _end(held: _Held, slots: int, turn: float, now: float) -> float:
    began = held.began(slots)
    predicted = held.job.predicted
    return turn + predicted.p50 if began is None else remaining_s(predicted, now - began)


def remaining_s(predicted: Range, elapsed_s: float) -> float:
    """Seconds that a run is expected to take yet, after `elapsed_s`.

    A run that has outlived what half of its like take is one of the slower ones, and is given half of what lies between
    those and nine of ten; one that has outlived these too is given ever more.
    """
    over = elapsed_s - predicted.p50
    return max(-over, (predicted.p90 - predicted.p50) / 2, over / 4)
