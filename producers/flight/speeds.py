"""How fast each VM does each operation, and what each job would take on a typical one: out of recorded runs. Pure.

Runs of one operation and about one size are compared: a VM's speed is what its runs took against the middle of all
VMs', the median of those ratios, so that neither a few absurd runs nor who was sent the large pictures counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, log, log2
from statistics import median
from typing import Final

from producers.estimates import PRIORS, UNHEARD_OF

ROUNDS: Final = 4
"""Sizes' middles and VMs' speeds are each found by means of the other, in turn."""
FEW: Final = 5
"""Runs of a size from which its middle is believed; where there are fewer the nearest such size is asked."""
SIZES_AN_OCTAVE: Final = 2
UNKNOWN_MEGAPIXELS: Final = 4.0

_Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was recorded: `where` is its VM, or the cloud."""

    operation: str
    megapixels: float | None
    where: str
    seconds: float


class Speeds:
    """What runs took. `speed` 1 is a typical VM of those that ran the operation."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._middles: dict[_Key, float] = {}
        """Logarithm of seconds on a typical VM, by operation and size."""
        self._speeds: dict[tuple[str, str], float] = {}
        by_size: dict[_Key, list[tuple[str, float]]] = defaultdict(list)
        for run in runs:
            by_size[run.operation, _size(run.megapixels)].append((run.where, log(max(run.seconds, 1e-3))))
        for _ in range(ROUNDS):
            self._middles = {key: self._middle(key[0], found) for key, found in by_size.items()}
            self._speeds = self._fitted(by_size)
        self._sizes = _known_sizes(by_size)
        self._works: dict[_Key, float] = {}

    def speed(self, vm: str, operation: str) -> float:
        """How many times as fast as a typical VM; one that was not seen to run it counts as the mean of its others."""
        own = self._speeds.get((vm, operation))
        if own is None:
            others = [value for (name, _), value in self._speeds.items() if name == vm]
            own = sum(others) / len(others) if others else 0.0
        return exp(own)

    def factors(self, vm: str, operations: Iterable[str]) -> dict[str, float]:
        """The speeds of a VM, by operation."""
        return {operation: self.speed(vm, operation) for operation in operations}

    def knows(self, operation: str) -> bool:
        """Whether any run of it was recorded."""
        return operation in self._sizes

    def work_s(self, operation: str, megapixels: float | None) -> float:
        """Seconds that such a job takes on a typical VM: the median of those about its size, or what is usual."""
        sizes, size = self._sizes.get(operation), _size(megapixels)
        if sizes is None:
            each, a_megapixel = PRIORS.get(operation, UNHEARD_OF)
            return each + a_megapixel * (UNKNOWN_MEGAPIXELS if megapixels is None else megapixels)
        work_s = self._works.get((operation, size))
        if work_s is None:
            nearest = min(sizes, key=lambda known: (abs(known - size), known))
            work_s = self._works[operation, size] = exp(self._middles[operation, nearest])
        return work_s

    def _middle(self, operation: str, found: list[tuple[str, float]]) -> float:
        return median(seconds + self._speeds.get((vm, operation), 0.0) for vm, seconds in found)

    def _fitted(self, by_size: Mapping[_Key, list[tuple[str, float]]]) -> dict[tuple[str, str], float]:
        """Logarithms of speeds, whose mean over the VMs is 0 for each operation."""
        rests: dict[tuple[str, str], list[float]] = defaultdict(list)
        for (operation, size), found in by_size.items():
            middle = self._middles[operation, size]
            for vm, seconds in found:
                rests[vm, operation].append(middle - seconds)
        raw = {key: median(rest) for key, rest in rests.items()}
        means: dict[str, list[float]] = defaultdict(list)
        for (_, operation), value in raw.items():
            means[operation].append(value)
        return {(vm, op): value - sum(means[op]) / len(means[op]) for (vm, op), value in raw.items()}


def _known_sizes(by_size: Mapping[_Key, list[tuple[str, float]]]) -> dict[str, list[int]]:
    """By operation, the sizes of which enough runs are known, or else all of which any are."""
    enough: dict[str, list[int]] = defaultdict(list)
    some: dict[str, list[int]] = defaultdict(list)
    for (operation, size), found in by_size.items():
        some[operation].append(size)
        if len(found) >= FEW:
            enough[operation].append(size)
    return {operation: enough.get(operation) or sizes for operation, sizes in some.items()}


def _size(megapixels: float | None) -> int:
    return round(log2(max(megapixels or UNKNOWN_MEGAPIXELS, 1 / 16)) * SIZES_AN_OCTAVE)
