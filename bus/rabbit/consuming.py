"""What is consumed: a standing wish for a queue's messages, and how it is begun on each new session."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

from pika.channel import Channel
from pika.spec import Basic, BasicProperties

from bus.messages import Message
from bus.rabbit.counting import counts
from bus.rabbit.mapping import message_of
from bus.rabbit.session import Session
from bus.topology import Queue

_RETURNS = "x-delivery-count"
_MOST_RETURNS = 1000
_OPTIONAL_TIMEOUT_S = 3.0
_NUMBERS = itertools.count()
"""A tag is never used again: the broker may still count deliveries of the consumer that had it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message handed to a consumer, to be settled once with `Bus.ack` or `Bus.reject`."""

    message: Message
    queue: str
    redelivered: bool
    returns: int
    """How often the broker took it back from a consumer before (quorum queues count)."""
    tag: int
    session: int
    """Delivery tags die with their session: settling an older one does nothing."""
    exchange: str = ""
    """Where it was published: what callers may publish to and what only we do are told apart by it."""


Handler = Callable[[Delivery], None]


@dataclass(slots=True, eq=False)
class Consumer:
    """A standing wish to consume `queue`; it is renewed with each session until `Bus.cancel`."""

    queue: Queue
    handler: Handler
    prefetch: int
    bindings: tuple[tuple[str, str], ...] = ()
    """(exchange, key) pairs, for a queue of our own; empty for one that the topology declares."""
    optional: bool = False
    """The queue may be missing, or not answer; then there is nothing to consume, in this session."""
    tag: str | None = None
    """What the broker knows it by, in the session called `session`; None when there is nothing to cancel."""
    session: int = 0
    cancelled: bool = False

    @property
    def found(self) -> bool:
        """Whether there was a queue to consume, in the latest session."""
        return self.tag is not None

    @property
    def private(self) -> bool:
        """Whether the queue is exclusive to this connection, and gone with it."""
        return bool(self.bindings)


async def begin(session: Session, consumer: Consumer, handle: Callable[[Consumer, Delivery], None]) -> None:
    """Have the broker deliver to `consumer` in this session. Raises what ended the session."""
    consumer.session, consumer.tag = session.number, None
    queue = await _queue_of(session, consumer)
    if queue is None or consumer.cancelled:
        return

    def deliver(_channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        message = message_of(method.routing_key, properties, body)
        if not consumer.private:
            session.unsettled.add(method.delivery_tag)
        handle(consumer, _delivery(message, queue, method, session.number))

    # The tag is chosen here: the first delivery may come before the reply that would name it.
    tag = consumer.tag = f"{queue}-{next(_NUMBERS)}"
    # The prefetch counts for the consumers begun after it: nothing may come between the two, so neither is awaited.
    session.work.basic_qos(prefetch_count=consumer.prefetch)
    await session.call(session.work.basic_consume, queue, deliver, auto_ack=consumer.private, consumer_tag=tag)


async def end(session: Session, consumer: Consumer) -> None:
    """Stop deliveries, if they were begun in this session; what was delivered and not settled stays ours."""
    tag, consumer.tag = consumer.tag, None
    if tag is not None and consumer.session == session.number:
        await session.call(session.work.basic_cancel, tag)


async def _queue_of(session: Session, consumer: Consumer) -> str | None:
    """The queue to consume; None where an optional one is missing or does not answer."""
    if consumer.private:
        return await _private_queue(session, consumer)
    if consumer.optional:
        # Asked on a channel of its own: a queue without a leader never replies, and would hold up all the others.
        try:
            there = await counts(session, consumer.queue.name, _OPTIONAL_TIMEOUT_S) is not None
        except TimeoutError:
            there = False
        return consumer.queue.name if there else None
    return consumer.queue.name


async def _private_queue(session: Session, consumer: Consumer) -> str:
    arguments = consumer.queue.arguments
    declared = await session.call(session.work.queue_declare, "", exclusive=True, arguments=arguments)
    queue: str = declared.method.queue
    for exchange, key in consumer.bindings:
        await session.call(session.work.queue_bind, queue, exchange, key)
    return queue


def _delivery(message: Message, queue: str, method: Basic.Deliver, session: int) -> Delivery:
    returns = returns_of(message.headers.get(_RETURNS), redelivered=method.redelivered)
    if _RETURNS in message.headers:
        message = replace(message, headers={key: value for key, value in message.headers.items() if key != _RETURNS})
    return Delivery(message, queue, method.redelivered, returns, method.delivery_tag, session, exchange=method.exchange)


def returns_of(told: object, *, redelivered: bool) -> int:
    """How often a message came back, by its header; a broker writes it on a redelivery only, and a caller on any."""
    if not redelivered or not isinstance(told, int):
        return 0
    return min(max(told, 0), _MOST_RETURNS)
