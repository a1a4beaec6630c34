"""A connection that mends itself: topology, consumers and back-off, on the running event loop."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Self

from pika.exceptions import AMQPError

from bus.errors import BusError, Disconnected, SetupError
from bus.rabbit.asking import Asking
from bus.rabbit.consuming import Consumer, Delivery, Handler, begin, end
from bus.rabbit.direct_replies import DirectReplies
from bus.rabbit.faults import said, setup_fault
from bus.rabbit.observing import OBSERVED
from bus.rabbit.publishing import Publishing
from bus.rabbit.session import Session, declare, parameters
from bus.topology import Queue, Topology

log = logging.getLogger(__name__)

_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 3.0
_LOSSES: Final = (AMQPError, OSError, TimeoutError, BusError)
"""What a session that ends raises in those who wait for it."""


class Bus(Asking, Publishing):
    """A connection that mends itself: topology, consumers and back-off, on the running event loop.

    Publishes that a lost connection, or `close`, leaves unconfirmed fail with Disconnected: the caller still holds the
    delivery they came from, or the job it submitted, and does it again. Deliveries of a lost session come again by
    themselves.
    """

    def __init__(self, url: str, *, name: str, topology: Topology, heartbeat_s: int = 5) -> None:
        """`name` is shown in the broker's list of connections; `heartbeat_s` is AMQP's own, in seconds."""
        super().__init__()
        self._parameters = parameters(url, name, heartbeat_s)
        p = self._parameters
        self.address = f"{p.host}:{p.port}/{p.virtual_host.strip('/')}"
        self.direct_replies = DirectReplies(
            parameters(url, f"{name}, direct replies", heartbeat_s), lambda: self._session
        )
        """Answers to `amq.rabbitmq.reply-to...`, which not every connection outlives."""
        self._topology = topology
        self._consumers: list[Consumer] = []
        self._sessions = 0
        self._task: asyncio.Task[None] | None = None
        self._failed: SetupError | None = None
        self._told = ""
        self._changed = asyncio.Event()
        self.on_connect: Callable[[], None] = lambda: None
        self.on_disconnect: Callable[[], None] = lambda: None

    async def start(self, timeout_s: float | None = None) -> None:
        """Connect, and stay connected until `close`.

        Waits up to `timeout_s` for a broker to answer (None: for ever). Raises SetupError, naming the remedy, when the
        broker refuses what we need (account, plugin, queue of another make) or does not answer in time.
        """
        self._task = asyncio.create_task(self._run(), name="bus")
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            self._failed = SetupError(f"No broker answers at {self.address}. Start it, or correct AMQP_URL.")
        except asyncio.CancelledError:
            await self.close()
            raise
        if not self.connected:
            failed = self._failed or SetupError(f"The broker at {self.address} broke the connection at once.")
            await self.close()
            raise failed

    async def close(self) -> None:
        """Close the connection; unacked deliveries go back to their queues.

        What the broker has not confirmed or answered by then fails with Disconnected. Await what must have arrived
        before: nothing is waited for here.
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._session is not None:
            self._session.close()
            await self._session.wait_closed()
            self._session.end(Disconnected("closed"))
            self._session = None
        await self.direct_replies.close()
        if self.connected:
            self._ready.clear()
            OBSERVED.by.disconnected(lost=False)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def consume(self, queue: str, handler: Handler, *, prefetch: int, optional: bool = False) -> Consumer:
        """Consume a queue of the topology with manual acks, now and after each reconnect.

        `handler` is called on the loop and must not block. One that raises has its message rejected to the queue's
        dead-letter exchange: a fault of ours must not stop the queue. A missing queue ends the session, again and
        again, unless it is `optional`.
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
            with _ending(self._session):  # if it is lost meanwhile, the next session begins it
                await begin(self._session, consumer, self._handle)
        return consumer

    async def cancel(self, consumer: Consumer) -> None:
        """Stop consuming; what was delivered and not settled stays ours until it is."""
        consumer.cancelled = True
        with contextlib.suppress(ValueError):
            self._consumers.remove(consumer)
        # It may have begun though not all of them have, as `connected` would say.
        if self._session is not None and self._session.declared:
            with _ending(self._session):
                await end(self._session, consumer)

    def ack(self, delivery: Delivery) -> bool:
        """Settle a delivery for good.

        False when that does nothing: it was settled before, or its session is gone, and the broker delivers it again.
        """
        session = self._taken(delivery)
        if session is not None:
            session.work.basic_ack(delivery.tag)
        return session is not None

    def reject(self, delivery: Delivery, *, requeue: bool) -> bool:
        """Give a delivery back: to its queue (`requeue`), or to the queue's dead-letter exchange. False as of `ack`."""
        session = self._taken(delivery)
        if session is not None:
            session.work.basic_reject(delivery.tag, requeue=requeue)
        return session is not None

    def is_live(self, delivery: Delivery) -> bool:
        """Whether the delivery is still ours to settle; if it was not yet, the broker gives the message out again."""
        return self._current(delivery) is not None

    def _current(self, delivery: Delivery) -> Session | None:
        session = self._session
        if session is None or session.number != delivery.session or session.closed.done() or not session.work.is_open:
            return None
        return session if delivery.tag in session.unsettled else None

    def _taken(self, delivery: Delivery) -> Session | None:
        """The session to settle the delivery in; a second time there is none."""
        session = self._current(delivery)
        if session is not None:
            session.unsettled.discard(delivery.tag)
        return session

    async def declare(self, topology: Topology) -> None:
        """Declare more than the topology given at the start, now and after each reconnect.

        Raises SetupError when the broker won't have it; a connection lost meanwhile is no fault.
        """
        ours = self._topology
        self._topology = Topology(
            ours.exchanges + topology.exchanges, ours.queues + topology.queues, ours.bindings + topology.bindings
        )
        if self._session is not None and self.connected:
            try:
                await declare(self._session, topology)
            except _LOSSES as error:
                self._session.end(error)
                fault = setup_fault(error, self.address)
                if fault is not None:
                    raise fault from error

    async def delete(self, queue: str) -> None:
        """Delete a queue with what it holds, if we are connected; one that isn't there is no fault."""
        session = self._session
        if session is not None and self.connected:
            with contextlib.suppress(AMQPError, BusError, TimeoutError):
                await session.call(session.work.queue_delete, queue)

    # -- the life of the connection

    async def _run(self) -> None:
        delay_s = _FIRST_DELAY_S
        while True:
            reason = await self._one_session()
            lost = self._ready.is_set()
            if lost:
                delay_s = _FIRST_DELAY_S
                self._ready.clear()
                OBSERVED.by.disconnected(lost=True)
            if self._session is not None and self._session.declared:
                # Deliveries come as soon as the first consumer has begun, before the last has and all is ready.
                self.on_disconnect()
            self._failed = setup_fault(reason, self.address)
            self._tell(reason, lost=lost)
            if self._failed:
                self._changed.set()
            await asyncio.sleep(delay_s * random.uniform(0.7, 1.3))  # noqa: S311 (spreads reconnects, no secret)
            delay_s = min(delay_s * 2, _LONGEST_DELAY_S)

    def _tell(self, reason: BaseException, *, lost: bool) -> None:
        """Log what ended a session: a loss and a fault of the set-up each time, tries that fail alike only once."""
        text = str(self._failed) if self._failed else said(reason)
        if self._failed:
            log.error("%s; trying again", text)
        elif lost:
            log.warning("connection to %s lost: %s; trying again", self.address, text)
        elif text != self._told:
            log.info("waiting for the broker at %s: %s", self.address, text)
        self._told = text

    async def _one_session(self) -> BaseException:
        """Connect, declare, consume, then wait for the end; returns why it ended."""
        self._sessions += 1
        session = self._session = Session(self._sessions)
        try:
            await session.open(self._parameters)
            await self._declare_all(session)
            # From here on we can publish: the first delivery may come before the last consumer has begun, and whoever
            # handles it must be able to pass it on, or it would lie there unsettled until the session ends.
            session.declared = True
            # One may be added or cancelled while another is begun.
            while (consumer := self._to_begin(session)) is not None:
                await begin(session, consumer, self._handle)
            self._ready.set()
            OBSERVED.by.connected()
            self._changed.set()
            self.on_connect()
            # Shielded: `close` cancels this waiting, and the session is still to tell who waits why it ended.
            return await asyncio.shield(session.closed)
        except _LOSSES as error:
            session.end(error)
            return session.closed.result()  # why it ended, where `error` is only what that led to
        except Exception as error:
            log.exception("the connection failed in a way not foreseen")  # and must still be mended
            session.end(error)
            return error

    async def _declare_all(self, session: Session) -> None:
        declared = None
        while declared is not self._topology:  # it may have grown meanwhile
            declared = self._topology
            await declare(session, declared)

    def _to_begin(self, session: Session) -> Consumer | None:
        return next((consumer for consumer in self._consumers if consumer.session != session.number), None)

    def _handle(self, consumer: Consumer, delivery: Delivery) -> None:
        # An exception that left this callback would end the connection, and the message would end the next one too.
        try:
            consumer.handler(delivery)
        except Exception:
            about = {"job": delivery.message.message_id, "trace": delivery.message.headers.get("traceparent")}
            log.exception("a message from %s could not be handled", delivery.queue, extra=about)
            if not consumer.private:
                self.reject(delivery, requeue=False)


@contextlib.contextmanager
def _ending(session: Session) -> Iterator[None]:
    """End the session if it fails under us: it is then renewed, with its consumers."""
    try:
        yield
    except _LOSSES as error:
        session.end(error)
