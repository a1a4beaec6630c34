"""What came of the jobs, counted as they end. Pure: times are seconds since the bench began, and are given."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final, Literal

from bus.problems import Kind
from ui.bench.histogram import Times
from ui.bench.schedule import Due

Place = Literal["vm", "cloud", "lost", "expired"]
LOST: Final = "no-answer"
"""The problem of a job that nobody answered in time."""
EXPIRED: Final = Kind.EXPIRED.value.slug
"""The problem of a job that was not begun in time, and whose caller was told so."""
_IN_VAIN: Final[dict[str, Place]] = {LOST: "lost", EXPIRED: "expired"}
"""What was waited for to the end, and is counted as long as that took."""
_LATELY: Final = 200
"""Jobs that the line on the screen looks back on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How one job ended: a good answer from a place, or `problem`, its slug. `cost` is in US dollars."""

    place: Literal["vm", "cloud"] | None = None
    problem: str | None = None
    cost: float = 0.0


@dataclass(slots=True)
class Pair:
    """Both ways to count: from when a job was due, and from when it was really sent."""

    latency: Times = field(default_factory=Times)
    service: Times = field(default_factory=Times)

    def add(self, due_s: float, sent_s: float, ended_s: float) -> None:
        """Count a job that ended."""
        self.latency.add(ended_s - due_s)
        self.service.add(ended_s - sent_s)


@dataclass(slots=True)
class Person:
    """One user's jobs: how many were due, how many got a good answer, and the seconds waited for those, in all."""

    asked: int = 0
    good: int = 0
    waited_s: float = 0.0


class Tally:
    """Counts the jobs that are due in the window: from the warm-up's end to the end of sending.

    A job due in the window is counted whenever it ends. One that was lost, or expired, is counted at the time it was
    waited for: a system must not look quicker for each answer that it doesn't give.
    """

    def __init__(self, warm_up_s: float = 0.0) -> None:
        self.warm_up_s = warm_up_s
        self.until_s: float | None = None
        """When sending ended; None while it goes on."""
        self.cpu_s = 0.0
        """Seconds of a core that this program took until then."""
        self.offered = 0
        self.sent = 0
        self.ended = 0
        self.arrived = 0
        """Good answers that came within the window, whenever their jobs were due."""
        self.pairs: dict[tuple[str, Place], Pair] = {}
        self.problems: Counter[str] = Counter()
        self.people: dict[str, Person] = {}
        self.lag = Times()
        self.cost = 0.0
        self.lately: deque[float] = deque(maxlen=_LATELY)

    def send(self, due: Due, now_s: float) -> None:
        """A job is being sent."""
        self.sent += 1
        if due.at_s >= self.warm_up_s:
            self.offered += 1
            self.people.setdefault(due.user, Person()).asked += 1
            self.lag.add(now_s - due.at_s)

    def end(self, due: Due, sent_s: float, reply: Reply, now_s: float) -> None:
        """A job has ended, or was given up as lost."""
        self.ended += 1
        self.lately.append(now_s - due.at_s)
        good = reply.problem is None
        self.arrived += good and self.until_s is None and now_s >= self.warm_up_s
        if due.at_s < self.warm_up_s:
            return
        if reply.problem is not None:
            self.problems[reply.problem] += 1
        place = reply.place or "vm" if reply.problem is None else _IN_VAIN.get(reply.problem)
        if place is not None:
            self.pairs.setdefault((due.operation, place), Pair()).add(due.at_s, sent_s, now_s)
        if good:
            self._good(due, reply, now_s)

    def _good(self, due: Due, reply: Reply, now_s: float) -> None:
        person = self.people[due.user]
        person.good += 1
        person.waited_s += now_s - due.at_s
        self.cost += reply.cost

    def stop(self, now_s: float, cpu_s: float = 0.0) -> None:
        """Sending has ended; `cpu_s` seconds of a core went into it."""
        self.until_s, self.cpu_s = now_s, cpu_s

    @property
    def cpu(self) -> float:
        """The share of a core that sending took; what waiting for the last answers took would hide it."""
        return self.cpu_s / self.until_s if self.until_s else 0.0

    @property
    def under_way(self) -> int:
        """Jobs sent and not ended."""
        return self.sent - self.ended

    @property
    def window_s(self) -> float:
        """Seconds of the window; 0 while it has not ended, and when all of it was warm-up."""
        return max(0.0, (self.until_s or 0.0) - self.warm_up_s)
