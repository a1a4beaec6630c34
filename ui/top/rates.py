"""How many jobs come in and go out a second, and how long they take, by operation and place. Pure.

`now` and `at` are seconds on the listener's clock; what was told before it listened has its place on that clock too.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from bus.events import JobEvent

SPANS_S: Final = (10, 60)
"""What rates are of, seconds; times are of the longer one."""
MOST_KEPT: Final = 60_000
"""Steps of jobs that are kept at a time: a minute of 500 jobs a second."""
_LEAST_S: Final = 1.0
_ENDED: Final = {"done": "done", "failed": "failed", "unanswerable": "failed"}

What = Literal["in", "done", "failed"]
Place = Literal["vm", "cloud", "router"]
"""`router` is for jobs that end before they are placed."""


class Step(NamedTuple):
    """A job that came in, or ended."""

    at: float
    what: str
    operation: str
    place: Place
    waited_s: float | None = None
    took_s: float | None = None
    """From being taken up to its end; None for what did not run, as an answer that was kept and sent again."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The jobs of one operation and place; rates are jobs a second over each of `SPANS_S`, times are seconds."""

    operation: str
    place: str
    taken: tuple[float, ...]
    ended: tuple[float, ...]
    failed: int
    """Jobs in the last minute."""
    took_s: tuple[float, float] | None
    """The median, and what 95 of 100 jobs keep: from being taken up to the answer."""
    waited_s: tuple[float, float] | None
    """The same, until their run began."""


def step_of(event: JobEvent, at: float) -> Step | None:
    """What an event tells of a job that comes or ends; None when that is nothing."""
    place: Place = event.route or ("vm" if event.vm else "router")
    if event.state == "routed":
        return Step(at, "in", event.operation, place) if (event.attempt or 1) == 1 else None
    what = _ENDED.get(event.state)
    if what is None:
        return None
    waited_s = None if event.waited_ms is None else event.waited_ms / 1000
    ran = event.state == "done" and event.ran_ms is not None
    took_s = (waited_s or 0.0) + (event.ran_ms or 0) / 1000 if ran else None
    return Step(at, what, event.operation, place, waited_s if ran else None, took_s)


class Rates:
    """The steps of the last minute."""

    def __init__(self, since: float) -> None:
        """`since` is when listening began."""
        self._since = since
        self._steps: deque[Step] = deque(maxlen=MOST_KEPT)

    def add(self, step: Step) -> None:
        """Something just happened."""
        self._steps.append(step)

    def precede(self, steps: Iterable[Step], since: float) -> None:
        """What happened from `since` until listening began."""
        earlier = sorted((step for step in steps if step.at < self._since), key=lambda step: step.at)
        self._since = min(self._since, since)
        self._steps = deque([*earlier, *self._steps], maxlen=MOST_KEPT)

    def told(self, now: float) -> tuple[Rate, ...]:
        """All jobs together, then each operation and place that had any in the last minute."""
        while self._steps and self._steps[0].at <= now - SPANS_S[-1]:
            self._steps.popleft()
        groups: dict[tuple[str, str], list[Step]] = defaultdict(list)
        for step in self._steps:
            groups[step.operation, step.place].append(step)
        spans = [(span, max(_LEAST_S, min(span, now - self._since))) for span in SPANS_S]
        every = _rate("all", "", list(self._steps), now, spans)
        return (every, *(_rate(*key, steps, now, spans) for key, steps in sorted(groups.items())))


def _rate(operation: str, place: str, steps: Sequence[Step], now: float, spans: list[tuple[int, float]]) -> Rate:
    def per_s(*kinds: str) -> tuple[float, ...]:
        ats = [step.at for step in steps if step.what in kinds]
        return tuple(sum(at > now - span for at in ats) / covered for span, covered in spans)

    took = [step.took_s for step in steps if step.took_s is not None]
    waited = [step.waited_s for step in steps if step.waited_s is not None]
    ended, failed = per_s("done", "failed"), sum(step.what == "failed" for step in steps)
    return Rate(operation, place, per_s("in"), ended, failed, _quantiles(took), _quantiles(waited))


def _quantiles(values: list[float]) -> tuple[float, float] | None:
    """The median and the 95th percentile, by the nearest rank."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * 0.5) - 1], ordered[math.ceil(len(ordered) * 0.95) - 1]
