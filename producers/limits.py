"""How much one user may ask for: jobs in line at a time, and jobs in a minute."""

import math
from typing import Final

from bus.problems import Kind, Problem

MINUTE_S: Final = 60.0
_EARLY_S: Final = 1e-6
"""How much too early still counts as in time, so that sums of floating-point numbers refuse nobody who waited."""
_SWEEP: Final = 64


class Limits:
    """Says of each new job whether its user may have it in line.

    Args:
        queued: Jobs a user may have in line.
        per_minute: Jobs a user may send in a minute, on average and at once; None is any number.
    """

    def __init__(self, queued: int, per_minute: int | None = None) -> None:
        self._queued = queued
        self._rate = None if per_minute is None else _Rate(per_minute)

    def admit(self, user: str, queued_now: int, seconds_ahead: float, now: float) -> Problem | None:
        """None when the job may join the line, else the problem to answer it with.

        A job refused for the length of the line does not count against the rate. `queued_now` are the user's jobs in
        line, this one not counted; `seconds_ahead` is how long it will take until all of those are done.
        """
        if queued_now >= self._queued:
            return self._too_many(user, queued_now, seconds_ahead)
        return None if self._rate is None else self._rate.admit(user, now)

    def __len__(self) -> int:
        """Users remembered."""
        return 0 if self._rate is None else len(self._rate)

    def _too_many(self, user: str, queued_now: int, seconds_ahead: float) -> Problem:
        # As long as the surplus, this job included, takes of the whole line's time.
        surplus = (queued_now - self._queued + 1) / max(1, queued_now)
        after_s = max(1.0, math.ceil(seconds_ahead * surplus * 10) / 10)
        return Problem.of(
            Kind.TOO_MANY_JOBS,
            f"{user!r} has {queued_now} jobs in line; at most {self._queued} may wait at a time.",
            limit=self._queued,
            retry_after_s=after_s,
        )


class _Rate:
    """A token bucket a user, kept as the one moment at which the bucket is full again.

    That moment is the "theoretical arrival time" of the generic cell rate algorithm (ITU-T I.371): each job puts it off
    by its share of a minute, and a job that would put it off beyond a minute from now is one too many.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._each_s = MINUTE_S / per_minute
        self._full_at: dict[str, float] = {}
        self._sweep_at = _SWEEP

    def __len__(self) -> int:
        return len(self._full_at)

    def admit(self, user: str, now: float) -> Problem | None:
        full_at = max(self._full_at.get(user, now), now) + self._each_s
        early_s = full_at - now - MINUTE_S
        if early_s > _EARLY_S:
            return self._too_fast(user, early_s)
        self._full_at[user] = full_at
        self._forget(now)
        return None

    def _too_fast(self, user: str, early_s: float) -> Problem:
        after_s = math.ceil(early_s * 1000) / 1000
        return Problem.of(
            Kind.TOO_FAST,
            f"{user!r} may send {self._per_minute} jobs a minute; the next one may come in {after_s:g} s.",
            limit=self._per_minute,
            retry_after_s=after_s,
        )

    def _forget(self, now: float) -> None:
        """Drop users whose buckets are full. Swept when twice as many are known as the last sweep left: O(1) a job."""
        if len(self._full_at) > self._sweep_at:
            self._full_at = {user: full_at for user, full_at in self._full_at.items() if full_at > now}
            self._sweep_at = max(_SWEEP, 2 * len(self._full_at))
