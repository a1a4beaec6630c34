"""When a queued job will end: a range that nine of ten ends fall into, by learning what became of earlier ranges. Pure.

The plain forecast is the work ahead shared by the slots, and the job's own run. What it can't know (who else comes,
whom fairness lets pass, VMs that slow down) shows in the ratio of the actual to the plain seconds. For waits of a like
length the 5 % and 95 % points of that ratio are tracked one end at a time: a step up when it lies above, a step down
when below, in the proportion that holds the point where it belongs (Robbins and Monro, 1951). Whatever the ratios do,
the share outside comes to one in ten, as in adaptive conformal inference (Gibbs and Candès, 2021).
"""

from collections import deque
from dataclasses import dataclass
from math import exp, log

from producers.estimates import Range

TAIL = 0.05
"""The share of ends that may come before the range, and that may come after it."""
REMEMBERED = 1000
WAITS_S = (0.1, 0.4, 1.6, 6.4, 25.6, 102.4, 409.6)
"""Waits up to each of these lengths, in seconds, are of a like length; a last class is longer."""

_LEAST_S = 0.001
_LEAST_SLOTS = 0.25
_WIDE = (-1.5, 1.5)  # the logarithms of the ratios before any is known
_STEP = 0.12  # of the width, so that any scale is learnt in as many steps
_LEAST_WIDTH = 0.02
_TRIM = 0.0005


@dataclass(frozen=True, slots=True)
class Expected:
    """A forecast: seconds to a job's end, plainly and as a range, and the class of its wait."""

    plain_s: float
    soonest_s: float
    latest_s: float
    kind: int

    @property
    def range(self) -> tuple[float, float]:
        """Seconds to the end, from and to."""
        return self.soonest_s, self.latest_s


class _Band:
    """The 5 % and 95 % points of the logarithms of actual to plain seconds, in one class of waits."""

    __slots__ = ("high", "low")

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    def learn(self, ratio: float, tail: float) -> None:
        """Move both points. Each compares with where it stands now, so many late ends at once can't overshoot."""
        step = _STEP * max(self.high - self.low, _LEAST_WIDTH)
        low = self.low + step * (tail - (ratio < self.low))
        high = self.high + step * (1 - tail - (ratio < self.high))
        self.low, self.high = min(low, high), max(low, high)


class Forecast:
    """Forecasts ends, and learns from them."""

    def __init__(self) -> None:
        self._bands: dict[int, _Band] = {}
        self._tail = TAIL
        self._inside: deque[bool] = deque(maxlen=REMEMBERED)

    def expect(self, seconds_ahead: float, own: Range, slots: float) -> Expected:
        """The end of a job behind `seconds_ahead` of computing, shared by `slots`, that itself runs for `own`.

        Fewer slots than a quarter count as a quarter. Keep what is returned for `learn`.
        """
        wait_s = max(0.0, seconds_ahead) / max(slots, _LEAST_SLOTS)
        plain_s = max(_LEAST_S, wait_s + own.p50)
        kind = sum(wait_s > length for length in WAITS_S)
        band = self._nearest(kind)
        return Expected(plain_s, plain_s * exp(band.low), plain_s * exp(band.high), kind)

    def range(self, seconds_ahead: float, own: Range, slots: float) -> tuple[float, float]:
        """Seconds to a job's end, from and to; nine of ten should fall inside. For a forecast nobody learns from."""
        return self.expect(seconds_ahead, own, slots).range

    def learn(self, expected: Expected, actual_s: float) -> None:
        """The job came to its end `actual_s` seconds after this was expected of it."""
        inside = expected.soonest_s <= actual_s <= expected.latest_s
        self._inside.append(inside)
        # What is learnt comes too late for the jobs in line: when too many of them miss, the points aim further out.
        tail = self._tail + _TRIM * (inside - (1 - 2 * TAIL))
        self._tail = min(max(TAIL / 5, tail), 2 * TAIL)
        if expected.kind not in self._bands:
            near = self._nearest(expected.kind)
            self._bands[expected.kind] = _Band(near.low, near.high)
        self._bands[expected.kind].learn(log(max(_LEAST_S, actual_s) / expected.plain_s), self._tail)

    @property
    def coverage(self) -> float:
        """The share, 0 to 1, of the latest 1,000 ends that fell inside their range; 1 when there was none yet."""
        return sum(self._inside) / len(self._inside) if self._inside else 1.0

    def _nearest(self, kind: int) -> _Band:
        """The band of a class, or of the class most like it that something is known of."""
        if not self._bands:
            return _Band(*_WIDE)
        return self._bands[min(self._bands, key=lambda known: (abs(known - kind), known))]
