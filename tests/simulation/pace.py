"""How fast a VM computes: its speed, less what its other work takes, in pieces that are known ahead of time."""

from bisect import bisect_right
from collections.abc import Sequence
from random import Random

from tests.simulation.faults import Fault

PIECE_S = 15.0
"""Mean time over which the other work on a VM stays the same."""
SLOWED = 0.2


class Pace:
    """A piecewise constant rate: seconds of work done a second in one slot.

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

    def others(self, now: float) -> float:
        """The share of the VM that its other work takes at `now`, 0 to 1."""
        return self._others[self._piece(now)]

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
