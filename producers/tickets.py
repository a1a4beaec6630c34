"""The deliveries a router holds, by ticket: numbers for the mind, which knows no broker."""

import itertools
from collections.abc import Callable
from functools import partial

from bus.rabbit import Bus, Delivery


class Tickets:
    """Deliveries not yet settled."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._numbers = itertools.count()
        self._deliveries: dict[int, Delivery] = {}
        self._withheld: dict[str, list[Callable[[], object]]] = {}
        self.on_gone: Callable[[int], object] = lambda _ticket: None
        """Called with a ticket once its delivery is no longer held."""

    def __len__(self) -> int:
        return len(self._deliveries)

    def hold(self, delivery: Delivery) -> int:
        """Hold a delivery; returns its ticket."""
        ticket = next(self._numbers)
        self._deliveries[ticket] = delivery
        return ticket

    def get(self, ticket: int) -> Delivery | None:
        """The delivery, or None when it is settled or its connection is gone."""
        return self._deliveries.get(ticket)

    def settle(self, ticket: int) -> None:
        """The broker may forget it."""
        self._end(ticket, self._bus.ack)

    def give_back(self, ticket: int) -> None:
        """The broker is to deliver it anew."""
        self._end(ticket, partial(self._bus.reject, requeue=True))

    def drop(self, ticket: int) -> None:
        """Its delivery is settled by somebody else."""
        self._end(ticket, lambda _delivery: None)

    def withhold(self, queue: str) -> None:
        """Settle nothing of this queue until `release`: the broker must have no reason to deliver more."""
        self._withheld.setdefault(queue, [])

    def release(self, queue: str) -> None:
        """Settle what was withheld."""
        for settle in self._withheld.pop(queue, ()):
            settle()

    def forget(self) -> None:
        """The connection is gone: all of them come again."""
        self._deliveries.clear()

    def _end(self, ticket: int, how: Callable[[Delivery], object]) -> None:
        delivery = self._deliveries.pop(ticket, None)
        if delivery is None:
            return
        self.on_gone(ticket)
        if delivery.queue in self._withheld:
            self._withheld[delivery.queue].append(partial(how, delivery))
        else:
            how(delivery)
