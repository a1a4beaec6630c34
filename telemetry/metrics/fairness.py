"""How evenly computing time goes to those who wait for it: Jain's index (Jain, Chiu and Hawe, 1984). Pure.

Who sends little gets little, which is no unfairness. So only users who had jobs in line count, and only with what they
were given while they had.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

WINDOW_S: Final = 300.0
STEP_S: Final = 10.0
LEAST_STEPS: Final = 3
"""Who had to wait for less than half a minute says nothing yet."""
MOST_USERS: Final = 1000
"""Whose computing time is kept in one step; a router tells at most ten that wait."""


@dataclass(slots=True)
class _Step:
    number: int
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    waited: set[str] = field(default_factory=set)


class Fairness:
    """Shares over the last five minutes. Times are seconds on one clock, whichever."""

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        """`weights` are those of the users that have another than 1: twice the weight is meant to get twice as much."""
        self._weights = weights or {}
        self._steps: deque[_Step] = deque()

    def ran(self, user: str, seconds: float, now: float) -> None:
        """A job of a user has run for so long."""
        step = self._step(now)
        if user in step.seconds or len(step.seconds) < MOST_USERS:
            step.seconds[user] += seconds

    def waiting(self, users: Iterable[str], now: float) -> None:
        """These users have jobs in line."""
        self._step(now).waited.update(users)

    def rates(self, now: float) -> dict[str, float]:
        """Of each user who had to wait: seconds computed in a step of waiting, over their weight."""
        self._step(now)
        waited = Counter(user for step in self._steps for user in step.waited)
        return {user: self._given(user) / steps for user, steps in waited.items() if steps >= LEAST_STEPS}

    def _given(self, user: str) -> float:
        given = sum(step.seconds.get(user, 0.0) for step in self._steps if user in step.waited)
        return given / self._weights.get(user, 1.0)

    def _step(self, now: float) -> _Step:
        number = int(now // STEP_S)
        while self._steps and self._steps[0].number <= number - WINDOW_S / STEP_S:
            self._steps.popleft()
        if not self._steps or self._steps[-1].number < number:
            self._steps.append(_Step(number))
        return self._steps[-1]


def jain(shares: Iterable[float]) -> float:
    """Jain's index of shares: (sum of x)^2 over n times (sum of x^2). 1 when there is nothing to compare."""
    given = list(shares)
    squares = sum(share * share for share in given)
    return sum(given) ** 2 / (len(given) * squares) if squares else 1.0
