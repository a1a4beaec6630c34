"""Times in an HdrHistogram (Tene 2012): a thousandth exact from 10 microseconds to an hour, in constant memory."""

from collections.abc import Iterable
from typing import Final

from hdrh.histogram import HdrHistogram

PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99_9": 99.9}
_TICK_S: Final = 1e-5
_LONGEST: Final = 360_000_000
_DIGITS: Final = 3
_TICKS_A_HALF: Final = 5
"""Lines of the plotter's file for each halving of what is left to 100 %: the library's own default."""


class Times:
    """Lengths of time, seconds."""

    def __init__(self) -> None:
        self._counts = HdrHistogram(1, _LONGEST, _DIGITS)

    def __len__(self) -> int:
        return int(self._counts.get_total_count())

    def add(self, seconds: float) -> None:
        """Count one; what is negative counts as 0, what is over an hour as an hour."""
        self._counts.record_value(min(max(0, round(seconds / _TICK_S)), _LONGEST))

    @classmethod
    def together(cls, parts: Iterable["Times"]) -> "Times":
        """The sum of several."""
        whole = cls()
        for part in parts:
            if len(part):
                whole._counts.add(part._counts)  # noqa: SLF001 (one of us)
        return whole

    @property
    def longest(self) -> float:
        """The longest one, seconds; 0 of none."""
        return float(self._counts.get_max_value()) * _TICK_S if len(self) else 0.0

    def percentiles(self) -> dict[str, float]:
        """`p50` to `p99_9`, and `max`, in seconds; empty of none."""
        if not len(self):
            return {}
        found = self._counts.get_percentile_to_value_dict(list(PERCENTILES.values()))
        longest = self.longest
        return {name: min(found[each] * _TICK_S, longest) for name, each in PERCENTILES.items()} | {"max": longest}

    def hgrm(self) -> str:
        """The distribution in milliseconds, as HdrHistogram's plotter reads it.

        The library's own writer tells the standard deviation in another unit than the rest.
        """
        ms = 1000 * _TICK_S
        lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
        for step in self._counts.get_percentile_iterator(_TICKS_A_HALF) if len(self) else ():
            share = step.percentile_level_iterated_to / 100
            beyond = "" if share == 1 else f" {1 / (1 - share):14.2f}"
            lines.append(
                f"{step.value_iterated_to * ms:12.3f} {share:2.12f} {step.total_count_to_this_value:10}{beyond}"
            )
        mean, deviation = self._counts.get_mean_value() * ms, self._counts.get_stddev() * ms
        lines.append(f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]")
        lines.append(f"#[Max     = {self.longest * 1000:12.3f}, TotalCount     = {len(self):12}]")
        buckets, halves = self._counts.bucket_count, self._counts.sub_bucket_count
        lines.append(f"#[Buckets = {buckets:12}, SubBuckets     = {halves:12}]")
        return "\n".join(lines) + "\n"
