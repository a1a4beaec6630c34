"""Which user is next: round-robin, so that one user's thousand jobs delay another's single job by one job. Pure."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class RoundRobin(Generic[T]):
    """Items queued by user, served in turn; within one user, first come first served.

    Nagle 1987, "On packet switches with infinite storage": the exact form of which McKenney's stochastic fair queueing
    (1990), the broker's lanes, is the hashed one.
    """

    def __init__(self) -> None:
        self._queues: OrderedDict[str, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def __iter__(self) -> Iterator[T]:
        for queue in self._queues.values():
            yield from queue

    def add(self, user: str, item: T) -> None:
        """Queue `item` behind the user's others; a user who had none joins the end of the round."""
        self._queues.setdefault(user, deque()).append(item)

    def discard(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Remove and return the items for which `unwanted` holds."""
        gone = [item for item in self if unwanted(item)]
        for user in list(self._queues):
            kept = deque(item for item in self._queues[user] if item not in gone)
            self._replace(user, kept)
        return gone

    def serve(self, take: Callable[[T], bool]) -> None:
        """Offer items in turn, one a user and round, until `take` declines every item that is left.

        An item that is declined is passed over for its user's next: it must not hold up one that another VM can run.
        """
        taken = True
        while taken:
            taken = False
            for user in list(self._queues):
                taken = self._serve_one(user, take) or taken

    def _serve_one(self, user: str, take: Callable[[T], bool]) -> bool:
        queue = self._queues[user]
        for place, item in enumerate(queue):
            if take(item):
                del queue[place]
                self._replace(user, queue)
                return True
        return False

    def _replace(self, user: str, queue: deque[T]) -> None:
        # Served users go to the end of the round, so that the next one starts with somebody else.
        del self._queues[user]
        if queue:
            self._queues[user] = queue
