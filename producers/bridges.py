"""What the bridges said lately, as far as it is to be believed. Pure.

One bridge works at a time and others stand by, so a word counts while it is fresh and its bridge says it is the active
one; of these, as many as the broker counts consumers of `overflow`, the latest first. So the last words of a bridge
that has died do not add up with those of the one that took over from it, books included.
"""

from dataclasses import dataclass
from math import inf
from typing import Final, TypeVar

from bus.events import BridgeStatus

FRESH_S: Final = 3.5
"""Age up to which a bridge's word, or a count of consumers, is believed: three beats, and one that is a little late."""
_ROUNDING_S: Final = 1e-6

T = TypeVar("T", int, float)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a router has counted in all when it hears a word: jobs sent, their price, and jobs that have left the cloud.

    The difference to now is what a word can't have told.
    """

    sent: int = 0
    cost: float = 0.0
    left: int = 0


_NOTHING: Final = Counts()


@dataclass(frozen=True, slots=True)
class Word:
    """A bridge's word, and what the router had counted when it heard it at `at`, seconds."""

    status: BridgeStatus
    at: float
    counts: Counts


class Words:
    """The words that count at one moment, the latest first.

    What is asked with each job is looked up here once: many come between two words.
    """

    def __init__(self, words: tuple[Word, ...] = ()) -> None:
        told = [word.status for word in words]
        ready = [word for word in words if word.status.state == "ready"]
        self.all = words
        self._ready = None if len(ready) == len(words) else Words(tuple(ready))
        self.since = min([word.counts for word in words], key=_sent, default=_NOTHING)
        """What had been counted when the oldest of them was heard."""
        capacities = [status.capacity for status in told]
        self.capacity = sum(capacities)
        self.is_bounded = bool(capacities) and 0 not in capacities
        """Whether each tells how many jobs it takes at a time."""
        self.in_flight = sum([status.in_flight for status in told])
        self.largest_bytes = min([status.largest_bytes for status in told if status.largest_bytes], default=None)
        """The smallest of what they tell; None where none tells it."""
        self.jobs_per_minute = _least([status.jobs_per_minute for status in told])
        self.money_per_day = _least([status.money_per_day for status in told])
        self.sent_last_minute = max([status.sent_last_minute for status in told], default=0)
        self.spent_today = max([status.spent_today for status in told], default=0.0)
        self._seconds = _most([status.seconds for status in told])
        operations = [status.operations for status in told]
        self._served = frozenset[str]().union(*operations)
        self._serves_all = not operations or () in operations

    @property
    def ready(self) -> "Words":
        """Those of bridges that take jobs."""
        return self._ready or self  # not kept as its own: what holds itself stays until a sweep

    def seconds(self, operation: str) -> float | None:
        """The most seconds to an answer that they tell; None where none tells it."""
        return self._seconds.get(operation)

    def serve(self, operation: str) -> bool:
        """Whether one of them serves it; who names no operations serves all, and where no word counts it is hoped."""
        return self._serves_all or operation in self._served


def _sent(counts: Counts) -> int:
    return counts.sent


def _least(told: list[T | None]) -> T | None:
    return min([each for each in told if each is not None], default=None)


def _most(told: list[dict[str, float]]) -> dict[str, float]:
    most: dict[str, float] = {}
    for each in told:
        for operation, seconds in each.items():
            most[operation] = max(seconds, most.get(operation, seconds))
    return most


class Bridges:
    """Who consumes `overflow`, and what the bridges say of themselves."""

    def __init__(self) -> None:
        self._consumers = 0
        self._waiting = 0
        self._counted_at = 0.0
        self._sent_by_then = 0
        self._heard: dict[str, Word] = {}
        self._words: tuple[float, float, Words] | None = None

    def consumers(self, n: int, waiting: int, counts: Counts, now: float) -> None:
        """`n` others consume `overflow`, in which `waiting` jobs wait for them, as the broker told just now."""
        if n != self.alive(now):
            self._words = None
        self._consumers, self._waiting, self._counted_at, self._sent_by_then = n, waiting, now, counts.sent

    def heard(self, status: BridgeStatus, counts: Counts, now: float) -> None:
        """A bridge told of itself."""
        self._heard = {name: word for name, word in self._heard.items() if _fresh(word.at, now)}
        self._heard[status.bridge] = Word(status, now, counts)
        self._words = None

    def alive(self, now: float) -> int:
        """How many consume `overflow`; 0 when that was not asked lately."""
        return self._consumers if _fresh(self._counted_at, now) else 0

    def are_heard(self, now: float) -> bool:
        """Whether any told of itself lately: it works, stands by, or has just died."""
        return bool(self._fresh_words(now))

    @property
    def waiting(self) -> int:
        """How many jobs lay in `overflow` when that was last asked."""
        return self._waiting

    def piled(self, counts: Counts) -> int:
        """How many may lie there now, if none was taken since."""
        return self._waiting + max(0, counts.sent - self._sent_by_then)

    def words(self, now: float) -> Words:
        """The words that count."""
        # Many jobs are looked at between two words, and what counts is the same until one of them is too old.
        if self._words is None or not self._words[0] <= now < self._words[1]:
            fresh = self._fresh_words(now)
            active = [word for word in fresh if word.status.active]
            words = Words(tuple(sorted(active, key=lambda word: -word.at)[: self.alive(now)]))
            until = min((at for at in (self._counted_at, *(word.at for word in fresh)) if _fresh(at, now)), default=inf)
            self._words = now, max(now, until + FRESH_S - _ROUNDING_S), words
        return self._words[2]

    def absent(self, now: float) -> str:
        """Why nobody takes jobs, when nobody consumes `overflow`: the active bridge says it, or nobody does."""
        fresh = sorted(self._fresh_words(now), key=lambda word: -word.at)
        active = next((word.status for word in fresh if word.status.active), None)
        if active is not None:
            return "the bridge takes no jobs yet" if active.state == "ready" else said(active)
        return "no bridge is active yet, one stands by" if fresh else "no bridge is alive"

    def _fresh_words(self, now: float) -> list[Word]:
        return [word for word in self._heard.values() if _fresh(word.at, now)]


def said(status: BridgeStatus) -> str:
    """A bridge's state, and its reason."""
    return status.state + (f": {status.reason}" if status.reason else "")


def _fresh(at: float, now: float) -> bool:
    return now - at <= FRESH_S
