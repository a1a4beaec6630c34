"""How far the router looks into the lanes: as deep as the pictures it may hold allow, and fair between lanes.

An AMQP prefetch counts a consumer's own unacked messages only. So a lane is looked at further by cancelling its
consumer, which leaves what was delivered unacked and the router's, and consuming again: the new consumer brings as many
messages more as its prefetch says. Only a consumer that is used up is ever cancelled: then nothing is on its way to it,
and a RabbitMQ that has a delivery for a consumer just cancelled (3.10 for one) ends the connection.
This is the bookkeeping of it; whoever owns the channel does what `plan` says.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

_SAFETY: Final = 1.5
"""Pictures to come are taken to be this much larger than the lane's have been."""
_NEWEST: Final = 0.1
"""Weight of the newest picture in a lane's mean size."""
_GROW_AGAIN: Final = 0.75


class Grant(NamedTuple):
    """Cancel the lane's consumer, if it has one, and consume again with this prefetch, at least 1."""

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
        return 0 < self.prefetch <= self.own

    @property
    def standing(self) -> int:
        """The larger of its prefetches."""
        return max(self.prefetch, self.pending or 0)

    @property
    def coming(self) -> float:
        """Bytes that its consumer may yet bring, by what it brought so far."""
        more = self.prefetch - self.own if self.pending is None else self.pending
        return more * self.mean * _SAFETY


class Intake:
    """Decides each lane's prefetch.

    Every lane begins at `first`. A lane whose consumer is used up gets another with up to twice the prefetch, lanes
    that hold few jobs before lanes that hold many, while all that is expected stays under half of what is left of the
    budget. Too little left, and nothing grows until a quarter of the budget is free.

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
        return len(self._lanes) * self._first + self._spare

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

    def hungry(self, queue: str) -> bool:
        """Whether a lane's consumer is used up, so that it may be cancelled; one that was never begun counts."""
        lane = self._lanes[queue]
        return lane.hungry or not lane.prefetch

    def granted(self, queue: str, prefetch: int) -> None:
        """The old consumer is cancelled, and the new one comes next.

        To be called between the two: whatever is delivered after counts for the new one.
        """
        lane = self._lanes[queue]
        lane.prefetch, lane.pending, lane.own = prefetch, None, 0
        lane.consumer += 1

    def withdrawn(self, queue: str) -> None:
        """What was granted was not done: the lane's consumer had room again."""
        self._lanes[queue].pending = None

    def reset(self) -> None:
        """The connection was lost, and all that it held with it: no lane has a consumer."""
        self._lanes = {
            lane.queue: _Lane(lane.queue, consumer=lane.consumer + 1, mean=lane.mean) for lane in self._lanes.values()
        }
        self._held.clear()
        self._bytes = 0
        self._full = False

    def plan(self) -> list[Grant]:
        """What to change now; at most one change a lane is under way at a time."""
        settled = [lane for lane in self._lanes.values() if lane.pending is None]
        grants = [self._grant(lane, self._first) for lane in settled if not lane.prefetch]
        hungry = sorted((lane for lane in settled if lane.hungry), key=lambda lane: (lane.held, lane.queue))
        share = self._first + self._spare // max(1, len(hungry))
        return [*grants, *filter(None, (self._grown(lane, share) for lane in hungry))]

    def _grant(self, lane: _Lane, prefetch: int) -> Grant:
        lane.pending = prefetch
        return Grant(lane.queue, prefetch)

    def _grown(self, lane: _Lane, share: int) -> Grant | None:
        """Another consumer for the lane, with as much as there is; None when that is not even `first`."""
        fitting = self._fitting(lane.mean)
        self._full = fitting < self._first or (self._full and self._bytes > self._budget * _GROW_AGAIN)
        if self._full:
            return None
        spare = self.most - sum(max(self._first, other.standing) for other in self._lanes.values())
        return self._grant(lane, max(self._first, min(2 * lane.prefetch, share, fitting, lane.prefetch + spare)))

    def _fitting(self, mean: float) -> int:
        """Jobs of a lane with this mean size that fit half of what is left once all that is coming has come."""
        left = self._budget - self._bytes - sum(lane.coming for lane in self._lanes.values())
        return int(left / 2 / (max(1.0, mean) * _SAFETY))
