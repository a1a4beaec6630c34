"""How far the router looks into the lanes: as deep as the pictures it may hold allow, and fair between lanes.

An AMQP prefetch counts a consumer's own unacked messages only. So a lane is looked at further by cancelling its
consumer, which leaves what was delivered unacked and the router's, and consuming again: the new consumer brings as many
messages more as its prefetch says. This is the bookkeeping of it; whoever owns the channel does what `plan` says.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

_SAFETY: Final = 1.5
"""Pictures to come are taken to be this much larger than the lane's have been."""
_NEWEST: Final = 0.1
"""Weight of the newest picture in a lane's mean size."""
_GROW_AGAIN: Final = 0.75
_START_AGAIN: Final = 0.5


class Grant(NamedTuple):
    """Cancel the lane's consumer, if it has one, and consume again with this prefetch.

    At 0 only cancel: to a broker a prefetch of 0 would mean no limit.
    """

    queue: str
    prefetch: int


class _Held(NamedTuple):
    queue: str
    size: int
    consumer: int


@dataclass(slots=True)
class _Lane:
    queue: str
    prefetch: int = 0
    consumer: int = 0
    """Counts the lane's consumers: a job belongs to the one that brought it."""
    own: int = 0
    """Unacked jobs that this consumer brought."""
    held: int = 0
    """Unacked jobs of the lane, those of cancelled consumers included."""
    mean: float = 0.0
    pending: int | None = None
    """The prefetch that was granted and is not yet in force."""

    @property
    def hungry(self) -> bool:
        """Its consumer is used up: the lane may hold more, and can't deliver it."""
        return self.pending is None and 0 < self.prefetch <= self.own

    @property
    def deep(self) -> bool:
        """It holds more than one consumer may bring, or will at the next chance."""
        return self.hungry or self.held > self.own

    @property
    def idle(self) -> bool:
        """Its consumer could bring more, and the lane has no more."""
        return self.pending is None and not self.deep and 2 * self.own <= self.prefetch

    @property
    def standing(self) -> int:
        """The larger of its prefetches."""
        return max(self.prefetch, self.pending or 0)

    @property
    def passing(self) -> int:
        """The smaller one, for as long as one follows the other: both consumers may still deliver."""
        return min(self.prefetch, self.pending or 0)

    def coming(self, first: int) -> float:
        """Bytes that may yet come, by what came so far. The `first` of a lane that isn't deep is nothing to expect."""
        consumer = self.prefetch - (self.own if self.deep else max(first, self.own))
        return (max(0, consumer) + (self.pending or 0)) * self.mean * _SAFETY


class Intake:
    """Decides each lane's prefetch.

    Every lane begins at `first`. A lane whose consumer is used up gets another with up to twice the prefetch, lanes
    that hold few jobs before lanes that hold many, while all that is expected stays under half of what is left of the
    budget. Where too little is left, lanes grow again when a quarter of the budget is free; over the budget, lanes that
    hold jobs are stopped until half of it is free. A lane that holds none is never stopped.

    Sizes to come are guessed, and the guess can be wrong. What holds however wrong it is: all prefetches together stay
    under `most` messages, so never more is held than the budget and `most` pictures of the largest size.

    Args:
        lanes: The queues that are looked into.
        first: Jobs to look ahead in a lane to begin with, at least 1.
        budget: Bytes of pictures to hold.
    """

    def __init__(self, lanes: Iterable[str], first: int, budget: int) -> None:
        self._lanes = {queue: _Lane(queue) for queue in lanes}
        self._first = first
        self._budget = budget
        self._spare = max(first, len(self._lanes) * first // 2)
        self._held: dict[Hashable, _Held] = {}
        self._bytes = 0
        self._full = False
        self._over = False

    def __len__(self) -> int:
        """Jobs held."""
        return len(self._held)

    @property
    def held_bytes(self) -> int:
        """Bytes of the jobs held."""
        return self._bytes

    @property
    def most(self) -> int:
        """Messages by which sizes that nobody could foresee may at worst overshoot the budget."""
        return len(self._lanes) * self._first + 2 * self._spare

    def delivered(self, queue: str, ticket: Hashable, size: int) -> None:
        """A job of `size` bytes came. Of a queue that is no lane, only its bytes count."""
        lane = self._lanes.get(queue)
        if lane is not None:
            lane.mean += (size - lane.mean) * (_NEWEST if lane.mean else 1.0)
            lane.own += 1
            lane.held += 1
        self._held[ticket] = _Held(queue, size, lane.consumer if lane else 0)
        self._bytes += size

    def settled(self, ticket: Hashable) -> None:
        """A job was acked or rejected. One that is not held is ignored: it was lost with its connection."""
        job = self._held.pop(ticket, None)
        if job is None:
            return
        self._bytes -= job.size
        lane = self._lanes.get(job.queue)
        if lane is not None:
            lane.held -= 1
            lane.own -= job.consumer == lane.consumer

    def granted(self, queue: str, prefetch: int) -> None:
        """The old consumer is cancelled, and the new one, unless `prefetch` is 0, comes next.

        To be called between the two: whatever is delivered before counts for the old one, whatever comes after for the
        new one.
        """
        lane = self._lanes[queue]
        lane.prefetch, lane.pending, lane.own = prefetch, None, 0
        lane.consumer += 1

    def reset(self) -> None:
        """The connection was lost, and all that it held with it: no lane has a consumer."""
        self._lanes = {
            lane.queue: _Lane(lane.queue, consumer=lane.consumer + 1, mean=lane.mean) for lane in self._lanes.values()
        }
        self._held.clear()
        self._bytes = 0
        self._full = self._over = False

    def plan(self) -> list[Grant]:
        """What to change now; at most one change a lane is under way at a time."""
        self._over = self._bytes > (self._budget * _START_AGAIN if self._over else self._budget)
        grants = self._stops() if self._over else []
        grants += self._starts()
        if not self._over:
            grants += self._growth()
        return grants

    def _grant(self, lane: _Lane, prefetch: int) -> Grant:
        lane.pending = prefetch
        return Grant(lane.queue, prefetch)

    def _stops(self) -> list[Grant]:
        lanes = self._lanes.values()
        return [self._grant(lane, 0) for lane in lanes if lane.pending is None and lane.prefetch and lane.held]

    def _starts(self) -> list[Grant]:
        stopped = [lane for lane in self._lanes.values() if lane.pending is None and not lane.prefetch]
        return [self._grant(lane, self._first) for lane in stopped if not (self._over and lane.held)]

    def _growth(self) -> list[Grant]:
        hungry = sorted(
            (lane for lane in self._lanes.values() if lane.hungry), key=lambda lane: (lane.held, lane.queue)
        )
        if not hungry or (self._full and self._bytes > self._budget * _GROW_AGAIN):
            return []
        deep = sum(lane.deep for lane in self._lanes.values())
        share = min(self._spare, self._first + self._spare // deep)
        grants = [self._grown(lane, share) for lane in hungry]
        # Not even one lane could grow, and nothing is under way that was reckoned too large: wait until it's worth it.
        self._full = not any(grants) and not self._used()[1]
        return [*(grant for grant in grants if grant), *self._given_back(share)]

    def _grown(self, lane: _Lane, share: int) -> Grant | None:
        """Another consumer for the lane, with as much as there is; None when that is not even `first`."""
        standing, passing = self._used()
        free = self._spare - passing
        fitting = self._fitting(lane.mean)
        if min(fitting, free) < self._first:
            return None
        among = [2 * lane.prefetch, share, fitting, lane.prefetch + self._standing_most - standing]
        return self._grant(lane, min(among if lane.prefetch <= free else [*among, free]))

    def _given_back(self, share: int) -> list[Grant]:
        """Lanes with more than `first` that don't use it, cut down when others can't have their share for it."""
        standing, passing = self._used()
        if self._standing_most - standing >= share:
            return []
        lanes = [lane for lane in self._lanes.values() if lane.idle and lane.prefetch > self._first]
        return [self._grant(lane, self._first) for lane in lanes[: (self._spare - passing) // self._first]]

    @property
    def _standing_most(self) -> int:
        return len(self._lanes) * self._first + self._spare

    def _used(self) -> tuple[int, int]:
        """Messages of all prefetches: the standing ones, of which each lane has `first` for good, and the passing."""
        lanes = self._lanes.values()
        return sum(max(self._first, lane.standing) for lane in lanes), sum(lane.passing for lane in lanes)

    def _fitting(self, mean: float) -> int:
        """Jobs of a lane with this mean size that fit half of what is left once all that is coming has come."""
        left = self._budget - self._bytes - sum(lane.coming(self._first) for lane in self._lanes.values())
        return int(left / 2 / (max(1.0, mean) * _SAFETY))
