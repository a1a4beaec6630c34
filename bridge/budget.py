"""What the overflow has cost, what one more job would cost, and whether the caps allow it. Pure.

A price is estimated when a job is sent, and corrected when its answer tells how long it ran. Spending is kept by hours
of the wall clock, since it must outlive this process; all other times are of a monotonic clock.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bus.prices import PRIORS_S, UNKNOWN_S, Prices, over_cap

HOUR_S: Final = 3600
HOURS: Final = 25
"""Hours that the last 24 hours touch, the current one included."""
MINUTE_S: Final = 60
_SWAY: Final = 0.1
"""The weight of a new observation once many were made. The first few weigh the same, and as much as the prior."""


@dataclass(slots=True)
class _Mean:
    value: float
    seen: int = 1

    def add(self, value: float) -> None:
        self.seen += 1
        self.value += (value - self.value) * max(_SWAY, 1 / self.seen)


class Budget:
    """The caps, and what counts against them.

    Money is summed over the current hour and the 24 before it, so no 24 hours cost more than the cap, wherever they
    begin; a minute's jobs likewise over the current second and the 60 before it.

    Args:
        prices: What seconds, requests and bytes cost.
        jobs_per_minute: Jobs that may be sent in a minute; None is any number.
        money_per_day: US dollars that may be spent in 24 hours; None is any sum.
    """

    def __init__(self, prices: Prices, jobs_per_minute: int | None = None, money_per_day: float | None = None) -> None:
        self.prices = prices
        self.jobs_per_minute = jobs_per_minute
        self.money_per_day = money_per_day
        self._minute: deque[list[int]] = deque()
        self._spent: dict[int, float] = {}
        self._answers: dict[str, _Mean] = {}
        self._runs: dict[str, _Mean] = {}

    # What one job costs

    @property
    def seconds(self) -> dict[str, float]:
        """Operation -> seconds from sending a job to its answer, typically; of those learnt."""
        return {operation: round(mean.value, 3) for operation, mean in self._answers.items()}

    def learnt(self, operation: str, seconds: float, ran_s: float | None = None) -> None:
        """An answer came `seconds` after its job was sent; it ran for `ran_s` of those, when it tells."""
        seconds = max(0.0, seconds)
        ran_s = seconds if ran_s is None else min(max(0.0, ran_s), seconds)
        prior = PRIORS_S.get(operation, UNKNOWN_S)
        self._answers.setdefault(operation, _Mean(prior)).add(seconds)
        self._runs.setdefault(operation, _Mean(prior)).add(ran_s)

    def estimate(self, operation: str, size: int) -> float:
        """US dollars that a job with a picture of `size` bytes should cost; its result is taken to be as large."""
        known = self._runs.get(operation)
        return self.cost(PRIORS_S.get(operation, UNKNOWN_S) if known is None else known.value, 2 * size)

    def cost(self, ran_s: float, bytes_both_ways: int) -> float:
        """US dollars that a job has cost which ran so long and moved so much."""
        return self.prices.job(max(0.0, ran_s), bytes_both_ways)

    # What counts against the caps

    def sent(self, cost: float, now: float, wall_s: float) -> None:
        """A job is sent, and `cost` set aside for it."""
        second = int(now // 1)
        if not self._minute or self._minute[-1][0] != second:
            self._minute.append([second, 0])
        self._minute[-1][1] += 1
        self._book(cost, _hour(wall_s))
        self._forget(now, wall_s)

    def corrected(self, estimate: float, actual: float, wall_s: float) -> None:
        """A job that was sent at `wall_s` has cost `actual`, where `estimate` was set aside; 0 if it never went."""
        if _hour(wall_s) in self._spent:
            self._book(actual - estimate, _hour(wall_s))

    def over(self, cost: float, now: float, wall_s: float) -> str | None:
        """Why a job of this cost may not be sent now, or None when it may."""
        jobs = self.sent_last_minute(now)
        if self.jobs_per_minute is not None and jobs >= self.jobs_per_minute:
            return f"budget spent: {jobs} of {self.jobs_per_minute} jobs this minute"
        return over_cap(cost, self.spent_today(wall_s), self.money_per_day)

    def spent_today(self, wall_s: float) -> float:
        """US dollars of the last 24 hours, and of the rest of the hour in which they began."""
        return sum(spent for hour, spent in self._spent.items() if _is_near(hour, wall_s))

    def sent_last_minute(self, now: float) -> int:
        """Jobs sent in the last 60 seconds, and in the rest of the second in which those began."""
        return sum(jobs for second, jobs in self._minute if second >= now // 1 - MINUTE_S)

    # What outlives this process

    def by_hour(self) -> dict[str, float]:
        """Hour since the epoch -> US dollars, for who takes over: the latest 25 hours in which anything was spent."""
        hours = sorted(hour for hour, spent in self._spent.items() if round(spent, 7) > 0)
        return {str(hour): round(self._spent[hour], 7) for hour in hours[-HOURS:]}

    def restore(self, by_hour: Mapping[str, Any], wall_s: float) -> None:
        """Take over what a predecessor told: of each hour, whichever is more. What is no hour or no sum is ignored."""
        for text, spent in by_hour.items():
            hour = _read_hour(text)
            if hour is not None and 0 <= _hour(wall_s) - hour < HOURS and _is_sum(spent):
                self._spent[hour] = max(self._spent.get(hour, 0.0), float(spent))

    def _book(self, amount: float, hour: int) -> None:
        self._spent[hour] = max(0.0, self._spent.get(hour, 0.0) + amount)

    def _forget(self, now: float, wall_s: float) -> None:
        while self._minute[0][0] < now // 1 - MINUTE_S:
            self._minute.popleft()
        if len(self._spent) > HOURS:
            self._spent = {hour: spent for hour, spent in self._spent.items() if _is_near(hour, wall_s)}


def _hour(wall_s: float) -> int:
    return int(wall_s // HOUR_S)


def _is_near(hour: int, wall_s: float) -> bool:
    """Whether it is one of the last hours; or of the next, in which money was spent before the clock was set back."""
    return abs(_hour(wall_s) - hour) < HOURS


def _read_hour(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20 else None


def _is_sum(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
