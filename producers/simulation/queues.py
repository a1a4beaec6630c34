"""The broker's queues, as far as routing depends on them: what is ready, and who holds what unacknowledged."""

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from bus.messages import Job
from producers.commands import Arrival


class Parcel(NamedTuple):
    """A job in a queue; `returns` counts how often the broker took it back from a consumer.

    `sent_on` is one that the router put there.
    """

    job: Job
    returns: int = 0
    sent_on: bool = False


@dataclass(slots=True)
class Queue:
    """A durable queue. `prefetch` is what the router may hold of it; 0 when it doesn't consume it."""

    name: str
    ready: deque[Parcel] = field(default_factory=deque)
    prefetch: int = 0
    taken: int = 0
    pull: Callable[[], None] | None = None
    """Lets the VM whose queue this is take what it may."""


class Broker:
    """All queues, and the router's deliveries: each ticket is one message the router holds unacknowledged."""

    def __init__(self, deliver: Callable[[Arrival, Job], None]) -> None:
        self._deliver = deliver
        self._queues: dict[str, Queue] = {}
        self._tickets = itertools.count()
        self._unacked: dict[int, tuple[Queue, Parcel]] = {}

    def __len__(self) -> int:
        return len(self._unacked) + sum(len(queue.ready) for queue in self._queues.values())

    def __getitem__(self, name: str) -> Queue:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = Queue(name)
        return queue

    def put(self, name: str, parcel: Parcel) -> None:
        """A message comes in at the end of a queue."""
        queue = self[name]
        queue.ready.append(parcel)
        self.offer(queue)

    def put_back(self, name: str, parcels: list[Parcel]) -> None:
        """A consumer is gone: what it held is ready again, in front, and counted as returned."""
        queue = self[name]
        queue.ready.extendleft(parcel._replace(returns=parcel.returns + 1) for parcel in reversed(parcels))
        self.offer(queue)

    def consume(self, name: str, prefetch: int) -> None:
        """The router takes `prefetch` messages of a queue at a time; with 0, no more."""
        queue = self[name]
        queue.prefetch = prefetch
        self.offer(queue)

    def offer(self, queue: Queue) -> None:
        """Hand out what is ready: to the VM first, then to the router."""
        if queue.pull is not None:
            queue.pull()
        while queue.ready and queue.taken < queue.prefetch:
            ticket = next(self._tickets)
            parcel = queue.ready.popleft()
            queue.taken += 1
            self._unacked[ticket] = (queue, parcel)
            arrival = Arrival(ticket, queue.name, not parcel.sent_on, parcel.returns, redelivered=parcel.returns > 0)
            self._deliver(arrival, parcel.job)

    def ack(self, ticket: int) -> Job:
        """The router is done with a delivery. Raises KeyError when it was already: a job in two places."""
        queue, parcel = self._unacked.pop(ticket)
        queue.taken -= 1
        self.offer(queue)
        return parcel.job

    def give_back(self, ticket: int) -> None:
        """The router returns a delivery to its queue."""
        queue, parcel = self._unacked.pop(ticket)
        queue.taken -= 1
        self.put_back(queue.name, [parcel])
