"""The deliveries a router holds, by ticket: numbers for the mind, which knows no broker."""

import itertools
from collections.abc import Callable

from bus.rabbit import Bus, Delivery


class Tickets:
    """Deliveries not yet settled."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._numbers = itertools.count()
        self._deliveries: dict[int, Delivery] = {}
        self._withheld: dict[str, list[Delivery]] = {}
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
        delivery = self._pop(ticket)
        if delivery is None:
            return
        if delivery.queue in self._withheld:
            self._withheld[delivery.queue].append(delivery)
        else:
            self._bus.ack(delivery)

    def withhold(self, queue: str) -> None:
        """Ack nothing of this queue until `release`: the broker must have no reason to deliver more."""
        self._withheld.setdefault(queue, [])

    def release(self, queue: str) -> None:
        """Ack what was withheld."""
        for delivery in self._withheld.pop(queue, ()):
            self._bus.ack(delivery)

    def give_back(self, ticket: int) -> None:
        """The broker is to deliver it anew."""
        delivery = self._pop(ticket)
        if delivery is not None:
            self._bus.reject(delivery, requeue=True)

    def forget(self) -> None:
        """The connection is gone: all of them come again."""
        self._deliveries.clear()

    def _pop(self, ticket: int) -> Delivery | None:
        delivery = self._deliveries.pop(ticket, None)
        if delivery is not None:
            self.on_gone(ticket)
        return delivery
