"""What is asked, by whom, and in which proportions. Pure."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite
from typing import Any, Literal

from bus.topology import OPERATIONS

Draw = Callable[[], float]
"""Gives a number from 0 to under 1, evenly spread."""
Spread = Literal["equal", "zipf"]


@dataclass(frozen=True, slots=True)
class Weighted:
    """Names, and how often each is drawn: `ends` are the running sums of their shares, the last one is 1."""

    names: Sequence[str]
    ends: Sequence[float]

    @classmethod
    def of(cls, weights: Mapping[str, float]) -> "Weighted":
        """From weights over 0, of any sum."""
        sums = list(accumulate(weights.values()))
        return cls(tuple(weights), tuple(each / sums[-1] for each in sums))

    def drawn(self, draw: Draw) -> str:
        """One of the names."""
        return self.names[min(bisect_right(self.ends, draw()), len(self.names) - 1)]

    @property
    def shares(self) -> dict[str, float]:
        """Name -> its share, 0 to 1."""
        return {name: end - before for name, end, before in zip(self.names, self.ends, (0.0, *self.ends), strict=False)}


def mix_of(text: str) -> Weighted:
    """The operations in `sketch=3,remove-background=1`; a name alone counts once.

    Raises ValueError naming what can't be meant.
    """
    weights: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, weight = part.partition("=")
        if name not in OPERATIONS:
            raise ValueError(f"{name!r} is no operation: there are {', '.join(OPERATIONS)}.")
        weights[name] = weights.get(name, 0.0) + _weight(part, weight)
    if not weights:
        raise ValueError("the mix is empty: write operations and weights, as in sketch=3,caption=1.")
    return Weighted.of(weights)


def _weight(part: str, weight: str) -> float:
    try:
        value = float(weight or 1)
    except ValueError:
        value = 0.0
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{part!r} has no weight over 0: write a number, as in sketch=3.")
    return value


def users_of(count: int, spread: Spread) -> Weighted:
    """`bench-1`, `bench-2` and so on: of equal weight, or the k-th with 1/k of the first one's (Zipf's law)."""
    return Weighted.of({f"bench-{k}": 1.0 if spread == "equal" else 1.0 / k for k in range(1, count + 1)})


def params_for(operations: Sequence[str], params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Operation -> its parameters: `sketch.style` is that one's alone, `format` everybody's.

    Raises ValueError for the parameter of an operation that is not in the mix.
    """
    found: dict[str, dict[str, Any]] = {operation: {} for operation in operations}
    for name, value in params.items():
        operation, dot, own = name.partition(".")
        if dot and operation not in found:
            raise ValueError(f"{name!r} is for {operation!r}, which is not in the mix ({', '.join(operations)}).")
        for each in [operation] if dot else operations:
            found[each][own or name] = value
    return found
