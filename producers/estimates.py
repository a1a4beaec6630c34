"""How long a job will run, learnt from how long others ran: by operation, by size and by VM. Pure.

Run times spread by factors, not by seconds, so all is learnt in logarithms. The logarithm of a run is taken apart as

    prior(operation, megapixels) + shift(operation) + bend(operation, megapixels) + factor(operation, vm) + noise

and each part moves a little towards what the parts before it left unexplained (backfitting with exponential
forgetting). The bend is a line through knots at each doubling of the megapixels. What a run says is cut at three
standard deviations of the noise, and the noise learns from that too: one absurd run moves little, while a lasting
change widens the noise, and with it the cut, until it is believed (winsorised, as Huber's M-estimators, 1964).

A VM's factor is told relative to the mean of all VMs heard of, whichever ran most: a VM not heard of yet has 1.
"""

from collections import deque
from collections.abc import Callable, Mapping
from math import exp, log, log2, sqrt
from types import MappingProxyType
from typing import NamedTuple


class Range(NamedTuple):
    """Seconds that half, and that nine of ten, such runs keep within."""

    p50: float
    p90: float


PRIORS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"sketch": (0.02, 0.006), "remove-background": (0.7, 0.02), "caption": (2.2, 0.0)}
)
"""Operation -> seconds a picture and seconds a megapixel, on one core of the 2010s; what a router starts from."""
UNHEARD_OF = (1.0, 0.0)
VMS_KEPT = 10_000
"""Factors kept for each operation, those of the VMs that ran it last."""
OPERATIONS_KEPT = 256
"""Operations learnt at most; any more keep the estimate of one unheard of."""

_SHORTEST_S, _LONGEST_S = 0.001, 3600.0
_FIRST_KNOT, _LAST_KNOT = -4, 8  # 1/16 to 256 megapixels
_LEAST_MEGAPIXELS, _MOST_MEGAPIXELS = 2.0**_FIRST_KNOT, 2.0**_LAST_KNOT
_P90 = 1.2816  # the 90 % point of the normal distribution
_SPREAD = 0.6  # the standard deviation of the noise before anything is known, and what it weighs, in runs
_SPREAD_WEIGHS = 5
_LEAST_VARIANCE = 0.05**2
_CUT = 3.0
# How much of an unexplained rest each part takes in the long run; at first it takes the mean of the runs so far.
_SHIFT_RATE, _FACTOR_RATE, _BEND_RATE, _VARIANCE_RATE = 0.02, 0.06, 0.04, 0.03
# A job is long if it takes as long as those beyond this quantile do, or half of that.
_LONG, _SHORT = 0.95, 0.5
_LENGTHS_KEPT, _LENGTHS_NEW = 512, 32
_LEFT = (1 - _SHIFT_RATE) * (1 - _FACTOR_RATE)


class _Lengths:
    """How long the latest runs would have been on a typical VM."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=_LENGTHS_KEPT)
        self._new = 0
        self.long_s = 0.0
        """Most keep within this; 0 before the first."""

    def saw(self, seconds: float) -> None:
        """One more run. To sort them all each time would take too long, and little changes from one to the next."""
        self._latest.append(seconds)
        self._new += 1
        if self._new >= _LENGTHS_NEW or len(self._latest) == 1:
            self._new = 0
            self.long_s = sorted(self._latest)[int(len(self._latest) * _LONG)]


class _Part:
    """One learnt part: its value in logarithms, and how many runs it was learnt from."""

    __slots__ = ("runs", "value")

    def __init__(self, value: float = 0.0) -> None:
        self.value = value
        self.runs = 1.0  # what stood before counts as a run

    def learn(self, rest: float, rate: float, weight: float = 1.0) -> float:
        """Take a share of `rest`; the change."""
        self.runs += weight
        change = rest * weight * max(rate, 1 / self.runs)
        self.value += change
        return change


class _Spot(NamedTuple):
    """Where a size lies on a curve: the knots on both sides, and how far it is towards the right one, 0 to 1."""

    megapixels: float
    prior: float
    """The logarithm of the seconds before anything was learnt."""
    left: _Part
    right: _Part
    share: float


class _Curve:
    """What is known of one operation."""

    def __init__(self, operation: str) -> None:
        self._each, self._megapixel = PRIORS.get(operation, UNHEARD_OF)
        self._shift = _Part()
        self._knots = [_Part() for _ in range(_FIRST_KNOT, _LAST_KNOT + 1)]
        self._latest = self._found(1.0)
        self._factors: dict[str, _Part] = {}
        self._factors_sum = 0.0
        self._ratios: dict[str, float] = {}
        self._typical_ratio = 1.0
        self._variance = _SPREAD**2
        self._runs = _SPREAD_WEIGHS
        self.p90_to_p50 = exp(_P90 * _SPREAD)

    @property
    def centre(self) -> float:
        """The mean factor, as a logarithm."""
        return self._factors_sum / len(self._factors) if self._factors else 0.0

    def centre_without(self, vm: str) -> float:
        """The mean factor of the others, as a logarithm; that of all where there is no other."""
        own = self._factors.get(vm)
        if own is None or len(self._factors) == 1:
            return self.centre
        return (self._factors_sum - own.value) / (len(self._factors) - 1)

    def factor(self, vm: str) -> float:
        """A VM's factor, as a logarithm."""
        own = self._factors.get(vm)
        return self.centre if own is None else own.value

    def ratio(self, vm: str) -> float:
        """A VM's factor relative to the mean one, as a plain number: it is asked for each VM with each job."""
        return self._ratios.get(vm, self._typical_ratio) / self._typical_ratio

    def mean(self, megapixels: float) -> float:
        """The logarithm of the seconds, but for a VM's factor."""
        return self._mean(self._spot(megapixels))

    def learn(self, megapixels: float, vm: str, ran_s: float) -> float:
        """Move every part towards a run of `ran_s` seconds; what was expected of it on a typical VM, seconds."""
        spot = self._spot(megapixels)
        mean = self._mean(spot)
        typical_s = exp(mean) * self._typical_ratio
        rest = log(ran_s) - mean - self.factor(vm)
        limit = _CUT * sqrt(self._variance)
        before = rest = max(-limit, min(rest, limit))
        rest -= self._shift.learn(rest, _SHIFT_RATE)
        rest -= self._learn_factor(vm, rest)
        # Before times after, as Welford (1962) has it, so that what the first runs teach does not pass for noise.
        self._learn_variance(before * rest / _LEFT)
        spot.left.learn(rest, _BEND_RATE, 1 - spot.share)
        spot.right.learn(rest, _BEND_RATE, spot.share)
        return typical_s

    def _mean(self, spot: _Spot) -> float:
        _, prior, left, right, share = spot
        bend = left.value + share * (right.value - left.value)
        return prior + self._shift.value + bend

    def _spot(self, megapixels: float) -> _Spot:
        # A job is looked up when it comes, when it is placed and when it has ended, each time more than once.
        if megapixels != self._latest.megapixels:
            self._latest = self._found(megapixels)
        return self._latest

    def _found(self, megapixels: float) -> _Spot:
        sane = _sane(megapixels)
        place = log2(sane) - _FIRST_KNOT
        index = min(int(place), len(self._knots) - 2)
        prior = log(self._each + self._megapixel * sane)
        return _Spot(megapixels, prior, self._knots[index], self._knots[index + 1], place - index)

    def _learn_variance(self, squared: float) -> None:
        self._runs += 1
        variance = self._variance + (squared - self._variance) * max(_VARIANCE_RATE, 1 / self._runs)
        self._variance = max(variance, _LEAST_VARIANCE)
        self.p90_to_p50 = exp(_P90 * sqrt(self._variance))

    def _learn_factor(self, vm: str, rest: float) -> float:
        own = self._factors.pop(vm, None)
        if own is None:
            own = self._newcomer()
        change = own.learn(rest, _FACTOR_RATE)
        self._factors_sum += change
        self._factors[vm] = own  # behind the others: the first is the one not heard of for longest
        self._ratios[vm], self._typical_ratio = exp(own.value), exp(self.centre)
        return change

    def _newcomer(self) -> _Part:
        newcomer = _Part(self.centre)
        self._factors_sum += newcomer.value
        if len(self._factors) >= VMS_KEPT:
            forgotten = next(iter(self._factors))
            self._factors_sum -= self._factors.pop(forgotten).value
            del self._ratios[forgotten]
        return newcomer


class Estimates:
    """Predicts runs and learns from them. Megapixels and seconds beyond reason count as the nearest within it."""

    def __init__(self) -> None:
        self._curves = {operation: _Curve(operation) for operation in PRIORS}
        self._unheard_of = _Curve("")
        self._lengths = _Lengths()

    def predict(self, operation: str, megapixels: float, vm: str | None = None) -> Range:
        """The seconds of a run on `vm`; None, or a VM not heard of, is a typical one of the fleet."""
        curve = self._known(operation)
        p50 = exp(curve.mean(megapixels) + (curve.centre if vm is None else curve.factor(vm)))
        return Range(p50, p50 * curve.p90_to_p50)

    def typical(self, operation: str, megapixels: float) -> Range:
        """The seconds of a run on a typical VM of the fleet; times `factor` it is that of one VM."""
        return self.predict(operation, megapixels)

    def factor(self, operation: str, vm: str) -> float:
        """How many times as long as a typical one this VM takes; 1 until it is heard of."""
        return self._known(operation).ratio(vm)

    def factors(self, operation: str) -> Callable[[str], float]:
        """The same to be asked of many VMs, now and not later."""
        return self._known(operation).ratio

    def enough_s(self, seconds: float) -> float:
        """How soon is soon enough for a job that takes so many seconds on a typical VM: as most jobs take, or longer.

        0 for a job that is long itself: nothing is soon enough for it.
        """
        long_s = self._lengths.long_s
        return long_s if seconds < _SHORT * long_s else 0.0

    def slowness(self, operation: str, megapixels: float, vm: str, ran_s: float) -> float:
        """How many times as long this run took as it typically does on the other VMs of the fleet.

        Where no other VM is heard of, as on this one.
        """
        curve = self._known(operation)
        return _bounded(ran_s) / exp(curve.mean(megapixels) + curve.centre_without(vm))

    def observe(self, operation: str, megapixels: float, vm: str, ran_s: float) -> None:
        """Learn from a run of `ran_s` seconds."""
        if operation not in self._curves and len(self._curves) < OPERATIONS_KEPT:
            self._curves[operation] = _Curve(operation)
        if operation in self._curves:
            self._lengths.saw(self._curves[operation].learn(megapixels, vm, _bounded(ran_s)))

    def _known(self, operation: str) -> _Curve:
        return self._curves.get(operation, self._unheard_of)


def _sane(megapixels: float) -> float:
    return min(max(_LEAST_MEGAPIXELS, megapixels), _MOST_MEGAPIXELS)


def _bounded(seconds: float) -> float:
    return min(max(_SHORTEST_S, seconds), _LONGEST_S)
