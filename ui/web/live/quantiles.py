"""How long jobs took: quantiles over a sliding window, in little memory and within 1 %. Pure.

Times fall into buckets whose bounds grow by a constant factor, so that the middle of a bucket is within a known part of
every time in it, however many there are (DDSketch: Masson, Rim and Lee, 2019). Of each second the counts are kept, and
taken off the sum when the window has passed it.
"""

import math
from collections import Counter, deque
from typing import Final

from bus.topology import OPERATIONS
from ui.web.live.sample import Latency, Quantiles

WITHIN: Final = 0.01
"""How far a quantile may be from the exact one, as a part of it."""
_GAMMA: Final = (1 + WITHIN) / (1 - WITHIN)
_LOG_GAMMA: Final = math.log(_GAMMA)
_LONGEST_MS: Final = 7 * 86_400_000
_SHARES: Final = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


class SlidingQuantiles:
    """The times of the last `window_s` seconds. `add` counts towards the current second, which `roll` ends."""

    def __init__(self, window_s: int) -> None:
        self.seconds: deque[Counter[int]] = deque([Counter()], maxlen=window_s)
        self._all: Counter[int] = Counter()
        self._n = 0

    def add(self, ms: float) -> None:
        """A job took so many milliseconds."""
        bucket = _bucket(ms)
        self.seconds[-1][bucket] += 1
        self._all[bucket] += 1
        self._n += 1

    def roll(self) -> None:
        """A second is over: the one that leaves the window counts no more."""
        if len(self.seconds) == self.seconds.maxlen:
            for bucket, count in self.seconds[0].items():
                self._all[bucket] -= count
                self._n -= count
                if not self._all[bucket]:
                    del self._all[bucket]
        self.seconds.append(Counter())

    def preceded_by(self, earlier: "SlidingQuantiles") -> None:
        """Put the seconds that another counted just before these in front of them, as far as the window reaches."""
        for second in reversed(earlier.seconds):
            if len(self.seconds) == self.seconds.maxlen:
                return
            self.seconds.appendleft(Counter(second))
            self._all.update(second)
            self._n += second.total()

    @property
    def told(self) -> Quantiles:
        """The quantiles as they are now; none without a job."""
        if not self._n:
            return Quantiles(n=0)
        ranks = {name: math.ceil(share * self._n) for name, share in _SHARES.items()}
        found: dict[str, float] = {}
        seen = 0
        for bucket in sorted(self._all):
            seen += self._all[bucket]
            found |= {name: _middle(bucket) for name, rank in ranks.items() if name not in found and seen >= rank}
        return Quantiles(n=self._n, **found)


class Latencies:
    """The sliding quantiles of all jobs together, and of each operation; as `SlidingQuantiles`."""

    def __init__(self, window_s: int) -> None:
        self.all = SlidingQuantiles(window_s)
        self.of = {operation: SlidingQuantiles(window_s) for operation in OPERATIONS}

    def add(self, operation: str, ms: float) -> None:
        """A job of an operation took so many milliseconds."""
        self.all.add(ms)
        if operation in self.of:
            self.of[operation].add(ms)

    def roll(self) -> None:
        """A second is over."""
        for quantiles in (self.all, *self.of.values()):
            quantiles.roll()

    def preceded_by(self, earlier: "Latencies") -> None:
        """What another counted just before belongs into the window too."""
        self.all.preceded_by(earlier.all)
        for operation, quantiles in self.of.items():
            quantiles.preceded_by(earlier.of[operation])

    @property
    def told(self) -> Latency:
        """As they are now, of those operations that had jobs."""
        by_operation = {operation: quantiles.told for operation, quantiles in self.of.items()}
        return Latency(
            **dict(self.all.told), by_operation={name: told for name, told in by_operation.items() if told.n}
        )


def _bucket(ms: float) -> int:
    return math.ceil(math.log(min(max(ms, 1.0), _LONGEST_MS)) / _LOG_GAMMA)


def _middle(bucket: int) -> float:
    return round(2 * _GAMMA**bucket / (_GAMMA + 1), 1)
