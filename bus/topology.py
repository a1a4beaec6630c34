"""Exchanges, queues and keys, as data: the one place that says what is on the broker.

Durable quorum queues carry work; nothing here is deprecated in RabbitMQ 4, all of it works on 3.10.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

OPERATIONS = ("sketch", "remove-background", "caption")
LANES = 16

JOBS = "jobs"
JOBS_LANES = "jobs.lanes"
JOBS_UNKNOWN = "jobs.unknown"
JOBS_RETURNED = "jobs.returned"
VMS = "vms"
CLOUD_KEY = "cloud"
OVERFLOW = "overflow"
HEARTBEATS = "heartbeats"
EVENTS = "events"
EVENTS_HISTORY = "events.history"
DEAD = "dead"
CONTROL = "control"
CONTROL_ROUTER = "control.router"
CLOUD_TICKETS = "cloud.tickets"
DEFAULT_EXCHANGE = ""
DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"

_VM_PREFIX = "vm."
VM_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""What a VM's name must match to be part of a routing key and a queue's name."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue with its `x-` arguments."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """From exchange `source` to the queue (or, with `to_exchange`, the exchange) `destination`."""

    source: str
    destination: str
    key: str = ""
    to_exchange: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """What to declare, in this order: exchanges, queues, bindings."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    bindings: tuple[Binding, ...] = ()


@lru_cache(4096)  # asked for with each job, of the same few names
def vm_queue(name: str) -> str:
    """The queue, and the routing key on `vms`, of the VM called `name`.

    Raises ValueError when `name` can't be part of a key.
    """
    if not re.fullmatch(VM_NAME, name):
        raise ValueError(f"VM name {name!r}: use 1 to 63 lower-case letters, digits and inner dashes")
    return _VM_PREFIX + name


def vm_of(queue: str) -> str | None:
    """The VM that a queue, or a routing key on `vms`, belongs to; None for any other."""
    return queue.removeprefix(_VM_PREFIX) if queue.startswith(_VM_PREFIX) else None


def lane(number: int) -> str:
    """The name of lane `number` (0 to 15)."""
    return f"lane.{number:02d}"


def parked_queue(operation: str) -> str:
    """Where jobs of an operation wait while no VM serves it, so that they hold up nobody else in their lane."""
    return f"parked.{operation}"


def is_internal(queue: str) -> bool:
    """Whether a queue is overspill's own, so never a place to send an answer."""
    own = {OVERFLOW, DEAD, JOBS_UNKNOWN, JOBS_RETURNED, EVENTS_HISTORY, CONTROL_ROUTER, CLOUD_TICKETS}
    return queue in own or queue.startswith(("lane.", "vm.", "parked."))


def _work(name: str, *, delivery_limit: int, single_active_consumer: bool = False) -> Queue:
    """A quorum queue whose expired or too often delivered messages come back through `jobs.returned`, none lost."""
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": delivery_limit,
        "x-dead-letter-exchange": JOBS_RETURNED,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    if single_active_consumer:
        arguments["x-single-active-consumer"] = True
    return Queue(name, arguments)


def _quorum(name: str) -> Queue:
    # A limit must be set: RabbitMQ 4 would drop after 20 deliveries, and these queues have nowhere to drop to.
    return Queue(name, {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000})


def _kept_when_rejected(name: str) -> Queue:
    """A quorum queue whose messages go to `dead` when a fault of ours rejects them."""
    dead_letter = {
        "x-dead-letter-exchange": DEFAULT_EXCHANGE,
        "x-dead-letter-routing-key": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return Queue(name, {**_quorum(name).arguments, **dead_letter})


def of_vm(name: str) -> Topology:
    """The queue of one VM and its binding; declared by the VM itself, since only it knows that it exists."""
    queue = vm_queue(name)
    return Topology(queues=(_work(queue, delivery_limit=20),), bindings=(Binding(VMS, queue, queue),))


def shared() -> Topology:
    """All that every process may rely on."""
    lanes = [lane(n) for n in range(LANES)]
    parked = [parked_queue(operation) for operation in OPERATIONS]
    return Topology(
        exchanges=(
            Exchange(JOBS_UNKNOWN, "fanout"),
            Exchange(JOBS_RETURNED, "fanout"),
            Exchange(JOBS, "topic", {"alternate-exchange": JOBS_UNKNOWN}),
            Exchange(JOBS_LANES, "x-consistent-hash", {"hash-header": "user"}),
            Exchange(VMS, "direct"),
            Exchange(HEARTBEATS, "fanout"),
            Exchange(EVENTS, "topic"),
            Exchange(CONTROL, "topic"),
        ),
        queues=(
            # A router that reconnects counts as a delivery of what it looked ahead at: a lane's limit is generous.
            *(_work(name, delivery_limit=100, single_active_consumer=True) for name in lanes),
            *(_work(name, delivery_limit=100) for name in parked),
            _work(OVERFLOW, delivery_limit=20),
            _kept_when_rejected(JOBS_UNKNOWN),
            _kept_when_rejected(JOBS_RETURNED),
            _quorum(DEAD),
            # What it delivers tells a router that it is the active one.
            Queue(CONTROL_ROUTER, {**_quorum(CONTROL_ROUTER).arguments, "x-single-active-consumer": True}),
            # Who waits for what is in the cloud. One bridge at a time holds all of it.
            Queue(CLOUD_TICKETS, {**_quorum(CLOUD_TICKETS).arguments, "x-single-active-consumer": True}),
            Queue(
                EVENTS_HISTORY,
                {
                    "x-queue-type": "stream",
                    "x-max-age": "24h",
                    "x-max-length-bytes": 512_000_000,
                    "x-stream-max-segment-size-bytes": 16_000_000,
                },
            ),
        ),
        bindings=(
            *(Binding(JOBS, JOBS_LANES, operation, to_exchange=True) for operation in OPERATIONS),
            *(Binding(JOBS_LANES, name, "1") for name in lanes),  # on this exchange the key is a weight
            Binding(JOBS_UNKNOWN, JOBS_UNKNOWN),
            Binding(JOBS_RETURNED, JOBS_RETURNED),
            Binding(VMS, OVERFLOW, CLOUD_KEY),
            Binding(HEARTBEATS, EVENTS, to_exchange=True),
            Binding(EVENTS, EVENTS_HISTORY, "#"),
            Binding(CONTROL, CONTROL_ROUTER, "#"),
        ),
    )
