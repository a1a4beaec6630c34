"""How fast a VM computes, and what its other work takes."""

from bisect import bisect_right
from collections.abc import Sequence
from random import Random
from typing import Protocol

from producers.simulation.faults import Fault

PIECE_S = 15.0
"""Mean time over which the other work on a VM stays the same."""
SLOWED = 0.2


class Pace(Protocol):
    """The rate of a VM: seconds of work done a second in one slot."""

    def load(self, now: float, own: float) -> float:
        """CPU percent at `now` when jobs fill the share `own` of its slots, 0 to 1."""
        ...

    def end(self, began: float, work_s: float) -> float:
        """When a job of `work_s` that begins at `began` is done."""
        ...


class DrawnPace:
    """A piecewise constant rate: its speed, less what its other work takes, in pieces that are known ahead of time.

    It depends on the VM and its seed alone, not on what a policy does, so that all policies meet the same machines.
    """

    def __init__(self, speed: float, background: float, random: Random, slow: Sequence[Fault] = ()) -> None:
        self._speed = speed
        self._background = background
        self._random = random
        self._slow = slow
        self._cuts = sorted(second for fault in slow for second in (fault.at_s, fault.at_s + fault.for_s))
        self._starts = [0.0]
        self._others: list[float] = []
        self._rates: list[float] = []
        self._append_piece()

    def load(self, now: float, own: float) -> float:
        """CPU percent: of what its other work leaves, its jobs take their share."""
        others = self._others[self._piece(now)]
        return 100 * (others + own * (1 - others))

    def end(self, began: float, work_s: float) -> float:
        """When a job of `work_s` that begins at `began` is done."""
        piece = self._piece(began)
        at = began
        while True:
            until = self._starts[piece + 1]
            done = (until - at) * self._rates[piece]
            if done >= work_s:
                return at + work_s / self._rates[piece]
            work_s -= done
            at = until
            piece += 1
            if piece == len(self._rates):
                self._append_piece()

    def _piece(self, now: float) -> int:
        while self._starts[-1] <= now:
            self._append_piece()
        return bisect_right(self._starts, now) - 1

    def _append_piece(self) -> None:
        start = self._starts[-1]
        length = self._random.expovariate(1 / PIECE_S)
        others = min(0.9, self._background * self._random.uniform(0, 2))
        rate = self._speed * (1 - others)
        for cut in [cut for cut in self._cuts if start < cut < start + length]:
            self._add(cut, others, rate)
        self._add(start + length, others, rate)

    def _add(self, until: float, others: float, rate: float) -> None:
        middle = (self._starts[-1] + until) / 2
        slowed = any(fault.at_s <= middle < fault.at_s + fault.for_s for fault in self._slow)
        self._rates.append(rate * SLOWED if slowed else rate)
        self._others.append(others)
        self._starts.append(until)


class ToldPace:
    """A VM as it was recorded: a steady speed, and CPU readings, second by second, of what was not its jobs.

    Those show in its load and slow nothing: what a job took was measured with them.
    """

    def __init__(self, speed: float, others: Sequence[float], *, from_s: float, own: float) -> None:
        """`others` are CPU percents, the first of `from_s`; `own` is the percent that jobs in all slots take."""
        self._speed = speed
        self._others = others
        self._from_s = from_s
        self._own = own

    def load(self, now: float, own: float) -> float:
        """CPU percent: the other work's of that second, and the jobs' on top."""
        second = min(max(0, int(now - self._from_s)), len(self._others) - 1)
        others = self._others[second] if self._others else 0.0
        return others + own * self._own

    def end(self, began: float, work_s: float) -> float:
        """When a job of `work_s` that begins at `began` is done."""
        return began + work_s / self._speed
