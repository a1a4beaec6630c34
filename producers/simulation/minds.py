"""What decides in a simulation: the router's own mind, or a rule it is compared with."""

from dataclasses import replace
from typing import Protocol

from bus.control import Orders
from bus.events import AnyEvent
from bus.messages import Job
from producers.admission import Config
from producers.cloud import Terms
from producers.commands import Arrival, Command, Held, Moment
from producers.dispatcher import Dispatcher
from producers.placement import Rules
from producers.simulation.clouds import PRICES
from telemetry.fleet import Fleet


class Mind(Protocol):
    """What a router asks of its `Dispatcher`."""

    @property
    def wake_s(self) -> float | None:
        """When to call `wake`, if at all."""
        ...

    @property
    def holds(self) -> int:
        """How many jobs are in line."""
        ...

    def activate(self, orders: Orders, places_from_s: float, now: Moment) -> list[Command]:
        """Decide from now on, and place from `places_from_s` on."""
        ...

    def admit(self, arrival: Arrival, job: Job, now: Moment) -> list[Command]:
        """A job was delivered."""
        ...

    def heard(self, event: AnyEvent, now: Moment) -> list[Command]:
        """Somebody told something."""
        ...

    def bridges(self, consumers: int, now: Moment) -> list[Command]:
        """So many bridges take what overflows."""
        ...

    def rejected(self, held: Held, key: str, now: Moment) -> list[Command]:
        """The broker did not take a job."""
        ...

    def tick(self, now: Moment) -> list[Command]:
        """Time passes."""
        ...

    def wake(self, now: Moment) -> list[Command]:
        """The moment of `wake_s` has come."""
        ...


def dispatcher(policy: str, weights: dict[str, float] | None = None) -> Dispatcher:
    """The router's own mind, with the product's settings but for the cap on a user's jobs."""
    config = Config(rules=Rules(policy), user_queued=10**9, user_weights=weights or {}, cloud=Terms(prices=PRICES))
    return mind(config)


def mind(config: Config, *, receipts: bool = True) -> Dispatcher:
    """The router's own mind. Without `receipts` it decides the same, sooner, and does not tell why."""
    return Dispatcher(Fleet(), replace(config, receipts=receipts), name="router", session="s")
