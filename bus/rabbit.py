"""The only module that speaks AMQP: one self-mending connection on the caller's event loop.

Everything here runs on that loop's thread, so a delivery is always acked on the connection's own thread. Three
channels keep unlike traffic apart: deliveries and their acks, confirmed publishes, and unconfirmed telemetry.
"""

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils import io_services_utils
from pika.channel import Channel
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)
from pika.spec import Basic, BasicProperties

from bus.errors import BusError, Disconnected, Refused, SetupError, Unroutable
from bus.messages import Message
from bus.topology import Queue, Topology

log = logging.getLogger(__name__)

_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 10.0
_OPEN_TIMEOUT_S: Final = 15.0
_BLOCKED_TIMEOUT_S: Final = 300.0
_PERSISTENT: Final = 2
_TRANSIENT: Final = 1


def _read_in_large_pieces() -> None:
    """Let pika read a socket 256 KiB at a time; by default it reads 4 KiB and joins, half of a relay's CPU.

    The names are private to pika: where they are gone, its own pace is kept.
    """
    transport: Any = getattr(io_services_utils, "_AsyncTransportBase", None)
    if hasattr(transport, "_MAX_RECV_BYTES") and hasattr(transport, "_MAX_CONSUME_BYTES"):
        transport._MAX_RECV_BYTES = 1 << 18  # noqa: SLF001
        transport._MAX_CONSUME_BYTES = 1 << 20  # noqa: SLF001


_read_in_large_pieces()


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
    """The queue may be missing; then there is nothing to consume, in this session."""
    tag: str | None = None

    @property
    def private(self) -> bool:
        """Whether the queue is exclusive to this connection, and gone with it."""
        return bool(self.bindings)


@dataclass(slots=True)
class _Pending:
    """A publish that the broker has not confirmed yet."""

    exchange: str
    routing_key: str
    message_id: str | None
    future: "asyncio.Future[None]"


class _Session:
    """One connection from open to close, with its channels and unconfirmed publishes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[BaseException] = self.loop.create_future()
        self.blocked = False
        self.pending: dict[int, _Pending] = {}
        self._sequence = 0
        self._connection: AsyncioConnection | None = None

    async def open(self, parameters: pika.connection.Parameters) -> None:
        """Connect and open the channels; raises what pika says went wrong."""
        opened: asyncio.Future[object] = self.loop.create_future()
        self._connection = connection = AsyncioConnection(
            parameters,
            on_open_callback=lambda c: _resolve(opened, c),
            on_open_error_callback=lambda _c, error: _fail(opened, _as_exception(error)),
            on_close_callback=lambda _c, error: self.end(error),
            custom_ioloop=self.loop,
        )
        await asyncio.wait_for(opened, _OPEN_TIMEOUT_S)
        connection.add_on_connection_blocked_callback(lambda *_: setattr(self, "blocked", True))
        connection.add_on_connection_unblocked_callback(lambda *_: setattr(self, "blocked", False))
        self.work = await self.channel()
        self.work.add_on_cancel_callback(lambda frame: self.end(_cancelled(frame)))
        self.telemetry = await self.channel()
        self.confirmed = await self.channel()
        self.confirmed.add_on_return_callback(self._returned)
        await self.call(self.confirmed.confirm_delivery, ack_nack_callback=self._settled)

    async def channel(self, *, essential: bool = True) -> Channel:
        """Open a channel; the end of an `essential` one ends the session, since pika would go on without a word."""
        assert self._connection is not None  # noqa: S101 (open() came first)
        channel: Channel = await self.call(self._connection.channel, ready="on_open_callback")
        if essential:
            channel.add_on_close_callback(lambda _channel, error: self.end(error))
        return channel

    async def call(self, method: Callable[..., Any], *args: Any, ready: str = "callback", **kwargs: Any) -> Any:
        """Call a pika method and wait for the broker's reply, or raise why the session ended."""
        reply: asyncio.Future[Any] = self.loop.create_future()
        method(*args, **{ready: lambda frame: _resolve(reply, frame)}, **kwargs)
        await asyncio.wait({reply, self.closed}, return_when=asyncio.FIRST_COMPLETED, timeout=_OPEN_TIMEOUT_S)
        if reply.done():
            return reply.result()
        raise _as_exception(self.closed.result()) if self.closed.done() else TimeoutError("the broker does not reply")

    def publish(self, exchange: str, message: Message, *, mandatory: bool) -> "asyncio.Future[None]":
        """Publish with a confirm; the future ends with it."""
        future: asyncio.Future[None] = self.loop.create_future()
        self._sequence += 1  # the broker numbers the publishes of a channel the same way
        self.pending[self._sequence] = _Pending(exchange, message.routing_key, message.message_id, future)
        self.confirmed.basic_publish(
            exchange, message.routing_key, message.body, _properties(message, _PERSISTENT), mandatory=mandatory
        )
        return future

    def _settled(self, frame: Any) -> None:
        method = frame.method
        tag = method.delivery_tag
        tags = [t for t in self.pending if t <= tag] if method.multiple else [tag]
        for done in tags:
            pending = self.pending.pop(done, None)
            if pending is None:
                continue
            if isinstance(method, Basic.Ack):
                _resolve(pending.future, None)
            else:
                _fail(pending.future, Refused(f"the broker refused a message for {pending.routing_key!r}"))

    def _returned(self, _channel: Channel, method: Basic.Return, properties: BasicProperties, _body: bytes) -> None:
        # A return comes just before the confirm of the same message but does not carry its number.
        returned = (method.exchange, method.routing_key, properties.message_id)
        for pending in self.pending.values():
            same = (pending.exchange, pending.routing_key, pending.message_id) == returned
            if same and not pending.future.done():
                pending.future.set_exception(Unroutable(f"no queue for {method.routing_key!r} ({method.reply_text})"))
                return

    def end(self, error: BaseException) -> None:
        """Note why the session is over, once, and close what is open."""
        if self.closed.done():
            return
        self.closed.set_result(error)
        for pending in self.pending.values():
            if not pending.future.done():
                pending.future.set_exception(Disconnected("connection lost before the broker confirmed"))
                pending.future.exception()  # whoever still waits sees it; nobody waiting is no fault
        self.pending.clear()
        self.close()

    def close(self) -> None:
        """Close the connection if it is open; harmless otherwise."""
        if self._connection is not None and not (self._connection.is_closed or self._connection.is_closing):
            with contextlib.suppress(AMQPError):
                self._connection.close()

    async def wait_closed(self) -> None:
        """Wait until the socket is really gone, a few seconds at most."""
        for _ in range(100):
            if self._connection is None or self._connection.is_closed:
                return
            await asyncio.sleep(0.02)


class Bus:
    """A connection that mends itself: topology, consumers and back-off, on the running event loop.

    Publishes that a lost connection leaves unconfirmed fail with Disconnected: the caller still holds the delivery
    they came from, or the job it submitted, and does it again. Deliveries of a lost session come again by themselves.
    """

    def __init__(self, url: str, *, name: str, topology: Topology, heartbeat_s: int = 5) -> None:
        """`name` is shown in the broker's list of connections; `heartbeat_s` is AMQP's own, in seconds."""
        self._parameters = _parameters(url, name, heartbeat_s)
        self._topology = topology
        self._consumers: list[Consumer] = []
        self._session: _Session | None = None
        self._sessions = 0
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._failed: SetupError | None = None
        self._changed = asyncio.Event()
        self.on_connect: Callable[[], None] = lambda: None
        self.on_disconnect: Callable[[], None] = lambda: None

    @property
    def connected(self) -> bool:
        """Whether a session is open, declared and consuming."""
        return self._ready.is_set()

    @property
    def blocked(self) -> bool:
        """Whether the broker, short of memory or disk, has asked publishers to wait."""
        return self._session is not None and self._session.blocked

    async def start(self, timeout_s: float | None = None) -> None:
        """Connect, and stay connected until `close`.

        Waits up to `timeout_s` for a broker to answer (None: for ever). Raises SetupError, naming the remedy, when the
        broker refuses what we need (account, plugin, queue of another make) or does not answer in time.
        """
        self._task = asyncio.create_task(self._run(), name="bus")
        waiting = asyncio.create_task(self._changed.wait())
        await asyncio.wait({waiting}, timeout=timeout_s)
        waiting.cancel()
        if not self.connected:
            failed = self._failed or SetupError(f"No broker answers at {self.address}. Start it, or correct AMQP_URL.")
            await self.close()
            raise failed

    @property
    def address(self) -> str:
        """host:port/vhost of the broker, without the password."""
        p = self._parameters
        return f"{p.host}:{p.port}/{p.virtual_host.strip('/')}"

    async def close(self) -> None:
        """Close the connection; unacked deliveries go back to their queues."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._session is not None:
            self._session.close()
            await self._session.wait_closed()
            self._session.end(Disconnected("closed"))
            self._session = None
        self._ready.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    # -- out

    def publish(self, exchange: str, message: Message, *, mandatory: bool = True) -> "asyncio.Future[None]":
        """Publish a persistent message; the future ends when the broker has taken responsibility.

        It fails with Unroutable (mandatory, and no queue), Refused (nack) or Disconnected. Publishing many before
        awaiting the first pipelines the confirms.
        """
        session = self._session
        if session is None or not self.connected or session.closed.done():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.set_exception(Disconnected(f"no connection to the broker at {self.address}"))
            return future
        return session.publish(exchange, message, mandatory=mandatory)

    def post(self, exchange: str, message: Message) -> bool:
        """Publish telemetry: transient, unconfirmed, and dropped (False) while there is no open way to the broker."""
        session = self._session
        if session is None or not self.connected or session.blocked or session.closed.done():
            return False
        session.telemetry.basic_publish(exchange, message.routing_key, message.body, _properties(message, _TRANSIENT))
        return True

    # -- in

    async def consume(self, queue: str, handler: Handler, *, prefetch: int, optional: bool = False) -> Consumer:
        """Consume a queue of the topology with manual acks, now and after each reconnect.

        `handler` is called on the loop and must not block. One that raises has its message rejected to the queue's
        dead-letter exchange: a fault of ours must not stop the queue. A missing queue ends the session, unless it is
        `optional`.
        """
        return await self._add(Consumer(Queue(queue), handler, prefetch, optional=optional))

    async def listen(self, bindings: Iterable[tuple[str, str]], handler: Handler, *, limit: int = 10_000) -> Consumer:
        """Listen to (exchange, key) pairs on a bounded queue of our own that drops its oldest when we are slow.

        Deliveries need no ack.
        """
        arguments = {"x-max-length": limit, "x-overflow": "drop-head"}
        return await self._add(Consumer(Queue("", arguments), handler, 0, tuple(bindings)))

    async def _add(self, consumer: Consumer) -> Consumer:
        self._consumers.append(consumer)
        if self._session is not None and self.connected:
            await self._consume(self._session, consumer)
        return consumer

    async def cancel(self, consumer: Consumer) -> None:
        """Stop consuming; what was delivered and not settled stays ours until it is."""
        with contextlib.suppress(ValueError):
            self._consumers.remove(consumer)
        session, tag, consumer.tag = self._session, consumer.tag, None
        if session is not None and self.connected and tag is not None:
            with contextlib.suppress(AMQPError, TimeoutError):
                await session.call(session.work.basic_cancel, tag)

    def ack(self, delivery: Delivery) -> bool:
        """Settle a delivery for good. False when its session is gone, and the broker will deliver it again."""
        session = self._current(delivery)
        if session is not None:
            session.work.basic_ack(delivery.tag)
        return session is not None

    def reject(self, delivery: Delivery, *, requeue: bool) -> bool:
        """Give a delivery back: to its queue (`requeue`), or to the queue's dead-letter exchange."""
        session = self._current(delivery)
        if session is not None:
            session.work.basic_reject(delivery.tag, requeue=requeue)
        return session is not None

    def is_live(self, delivery: Delivery) -> bool:
        """Whether the delivery is still ours to settle; if not, the broker gives the message out again."""
        return self._current(delivery) is not None

    def _current(self, delivery: Delivery) -> _Session | None:
        session = self._session
        stale = session is None or session.number != delivery.session or session.closed.done()
        return None if stale else session

    async def declare(self, topology: Topology) -> None:
        """Declare more than the topology given at the start, now and after each reconnect."""
        ours = self._topology
        self._topology = Topology(
            ours.exchanges + topology.exchanges, ours.queues + topology.queues, ours.bindings + topology.bindings
        )
        if self._session is not None and self.connected:
            await _declare(self._session, topology)

    async def depths(self, queues: Iterable[str]) -> dict[str, int | None]:
        """Messages ready in each queue, or None where there is no such queue. Raises Disconnected."""
        if self._session is None or not self.connected:
            raise Disconnected(f"no connection to the broker at {self.address}")
        return {queue: await _depth(self._session, queue) for queue in queues}

    # -- the life of the connection

    async def _run(self) -> None:
        delay_s = _FIRST_DELAY_S
        while True:
            reason = await self._one_session()
            if self._ready.is_set():
                delay_s = _FIRST_DELAY_S
                self._ready.clear()
                self.on_disconnect()
            self._failed = _setup_fault(reason, self.address)
            level = logging.ERROR if self._failed else logging.WARNING
            log.log(level, "%s; trying again", self._failed or f"connection to {self.address} lost: {_said(reason)}")
            if self._failed:
                self._changed.set()
            await asyncio.sleep(delay_s * random.uniform(0.7, 1.3))  # noqa: S311 (spreads reconnects, no secret)
            delay_s = min(delay_s * 2, _LONGEST_DELAY_S)

    async def _one_session(self) -> BaseException:
        """Connect, declare, consume, then wait for the end; returns why it ended."""
        self._sessions += 1
        session = self._session = _Session(self._sessions)
        try:
            await session.open(self._parameters)
            await _declare(session, self._topology)
            for consumer in list(self._consumers):
                await self._consume(session, consumer)
            self._ready.set()
            self._changed.set()
            self.on_connect()
            return await session.closed
        except (AMQPError, OSError, TimeoutError, BusError) as error:
            session.end(error)
            return error

    async def _consume(self, session: _Session, consumer: Consumer) -> None:
        queue = consumer.queue.name
        if consumer.optional and await _depth(session, queue) is None:
            return
        if consumer.private:
            declared = await session.call(
                session.work.queue_declare, "", exclusive=True, arguments=consumer.queue.arguments
            )
            queue = declared.method.queue
            for exchange, key in consumer.bindings:
                await session.call(session.work.queue_bind, queue, exchange, key)

        def deliver(_channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
            message = _message(method.routing_key, properties, body)
            self._handle(consumer, _delivery(message, queue, method, session.number))

        await session.call(session.work.basic_qos, prefetch_count=consumer.prefetch)
        # The tag is chosen here: the first delivery may come before the reply that would name it.
        consumer.tag = f"{queue}-{id(consumer):x}"
        await session.call(
            session.work.basic_consume, queue, deliver, auto_ack=consumer.private, consumer_tag=consumer.tag
        )

    def _handle(self, consumer: Consumer, delivery: Delivery) -> None:
        # An exception that left this callback would end the connection, and the message would end the next one too.
        try:
            consumer.handler(delivery)
        except Exception:
            log.exception("a message from %s could not be handled", delivery.queue)
            if not consumer.private:
                self.reject(delivery, requeue=False)


async def _declare(session: _Session, topology: Topology) -> None:
    channel = session.work
    for exchange in topology.exchanges:
        await session.call(
            channel.exchange_declare, exchange.name, exchange.type, durable=True, arguments=exchange.arguments
        )
    for queue in topology.queues:
        await session.call(channel.queue_declare, queue.name, durable=True, arguments=queue.arguments)
    for binding in topology.bindings:
        if binding.to_exchange:
            await session.call(channel.exchange_bind, binding.destination, binding.source, binding.key)
        else:
            await session.call(channel.queue_bind, binding.destination, binding.source, binding.key)


async def _depth(session: _Session, queue: str) -> int | None:
    # Asking for a queue that is not there closes the channel that asks, so each question has its own.
    channel = await session.channel(essential=False)
    reply: asyncio.Future[int | None] = session.loop.create_future()
    channel.add_on_close_callback(lambda *_: _resolve(reply, None))
    channel.queue_declare(queue, passive=True, callback=lambda frame: _resolve(reply, frame.method.message_count))
    count = await asyncio.wait_for(reply, _OPEN_TIMEOUT_S)
    if channel.is_open:
        channel.close()
    return count


def _parameters(url: str, name: str, heartbeat_s: int) -> pika.connection.Parameters:
    try:
        parameters = pika.URLParameters(url)
    except (ValueError, TypeError, ssl.SSLError) as error:
        raise SetupError(f"AMQP_URL is wrong ({error}); it looks like amqp://user:password@host:5672/vhost.") from None
    parameters.heartbeat = heartbeat_s
    parameters.blocked_connection_timeout = _BLOCKED_TIMEOUT_S
    parameters.connection_attempts = 1  # our own loop tries again, and never blocks
    parameters.client_properties = {"connection_name": name}
    return parameters


_FIELDS = ("content_type", "message_id", "correlation_id", "reply_to", "expiration", "priority")


def _properties(message: Message, delivery_mode: int) -> BasicProperties:
    given = {name: getattr(message, name) for name in _FIELDS}
    return BasicProperties(
        **given, headers=dict(message.headers), timestamp=message.timestamp, delivery_mode=delivery_mode
    )


def _message(routing_key: str, properties: BasicProperties, body: bytes) -> Message:
    given = {name: getattr(properties, name) for name in _FIELDS}
    return Message(
        **given, body=body, routing_key=routing_key, headers=properties.headers or {}, timestamp=properties.timestamp
    )


def _delivery(message: Message, queue: str, method: Basic.Deliver, session: int) -> Delivery:
    returns = message.headers.get("x-delivery-count", 0)
    if "x-delivery-count" in message.headers:
        headers = {key: value for key, value in message.headers.items() if key != "x-delivery-count"}
        message = replace(message, headers=headers)
    return Delivery(
        message, queue, method.redelivered, returns if isinstance(returns, int) else 0, method.delivery_tag, session
    )


def _resolve(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _as_exception(error: BaseException | str) -> Exception:
    return error if isinstance(error, Exception) else Disconnected(str(error))


def _cancelled(frame: Any) -> Exception:
    return Disconnected(
        f"the broker cancelled consumer {frame.method.consumer_tag} (queue deleted, or its leader moved)"
    )


def _said(error: BaseException) -> str:
    """What went wrong, in words: pika wraps the cause several times."""
    inner: BaseException | None = error
    while isinstance(inner, AMQPConnectionError) and inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    return f"{type(inner).__name__} {inner}".strip()


def _setup_fault(error: BaseException, address: str) -> SetupError | None:
    """The remedy, when trying again can't help until someone mends the broker or a setting; else None."""
    if isinstance(error, ProbableAuthenticationError | ProbableAccessDeniedError | IncompatibleProtocolError):
        return SetupError(f"The broker at {address} refuses the connection ({_said(error)}). Correct AMQP_URL.")
    text = str(getattr(error, "reply_text", ""))
    if isinstance(error, ConnectionClosedByBroker) and "x-consistent-hash" in text:
        return SetupError(
            f"The broker at {address} lacks a plugin. Run: rabbitmq-plugins enable rabbitmq_consistent_hash_exchange"
        )
    if isinstance(error, ChannelClosedByBroker) and error.reply_code == 406:
        return SetupError(
            f"The broker at {address} has a queue or exchange of another make ({text}). "
            "Delete it there, or use a virtual host of its own."
        )
    return None
