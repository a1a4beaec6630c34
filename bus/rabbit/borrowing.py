"""Looking at the messages of a queue, one at a time, and giving back all but those that are kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from bus.errors import BusError, Disconnected
from bus.messages import Message
from bus.rabbit.faults import said
from bus.rabbit.mapping import message_of
from bus.rabbit.session import Session, asking, fail, shut

_ANSWERS_WITHIN_S: Final = 15.0
_ENDS_WITHIN_S: Final = 3.0
_COUNTS: Final = frozenset({"x-delivery-count", "x-acquired-count"})
"""Headers by which a broker counts its own looks; the second since RabbitMQ 4.3. What is looked at stays the same."""
_Got = tuple[int, Message] | None


class Loan:
    """Messages of one queue, held by us alone until the loan ends: then the broker gives them out again."""

    def __init__(self, session: Session, channel: Channel, queue: str) -> None:
        self._session, self._channel, self._queue = session, channel, queue
        self._reply: asyncio.Future[_Got] = session.loop.create_future()
        self._over: asyncio.Future[None] = session.loop.create_future()
        channel.add_on_close_callback(self._closed)
        channel.add_callback(lambda _frame: self._told(None), [Basic.GetEmpty], one_shot=False)

    async def next(self) -> tuple[int, Message] | None:
        """The next message, with the tag to keep it by; None when there is no more.

        Raises Disconnected when the connection goes, BusError when the queue does not answer.
        """
        if self._channel.is_open:
            self._reply = self._session.loop.create_future()
            self._channel.basic_get(self._queue, self._got)
        either: set[asyncio.Future[Any]] = {self._reply, self._session.closed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED, timeout=_ANSWERS_WITHIN_S)
        if self._reply.done():
            return self._reply.result()
        if self._session.closed.done():
            raise Disconnected(f"the connection was lost while {self._queue} was looked at")
        raise BusError(f"{self._queue} does not answer: it may have no leader.")

    def keep(self, tag: int) -> None:
        """Take a message out of the queue for good. Raises Disconnected when it has gone back meanwhile."""
        if not self._channel.is_open:
            raise Disconnected(f"the connection was lost while {self._queue} was looked at")
        self._channel.basic_ack(tag)

    async def end(self) -> None:
        """Give everything else back, and wait until the broker has it: who looks next is to find it there."""
        if self._channel.is_open:
            self._channel.basic_nack(0, multiple=True, requeue=True)
        shut(self._channel)
        either: set[asyncio.Future[Any]] = {self._over, self._session.closed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED, timeout=_ENDS_WITHIN_S)

    def _got(self, _channel: Channel, method: Basic.GetOk, properties: BasicProperties, body: bytes) -> None:
        properties.headers = {name: value for name, value in (properties.headers or {}).items() if name not in _COUNTS}
        self._told((method.delivery_tag, message_of(method.routing_key, properties, body)))

    def _told(self, got: _Got) -> None:
        if not self._reply.done():
            self._reply.set_result(got)

    def _closed(self, _channel: Channel, error: BaseException) -> None:
        wrong = isinstance(error, ChannelClosedByBroker)
        why = f"{self._queue} can't be looked at ({said(error)})." if wrong else "the channel was closed"
        fail(self._reply, BusError(why) if wrong else Disconnected(why))
        if not self._over.done():
            self._over.set_result(None)


@asynccontextmanager
async def borrowing(session: Session, queue: str) -> AsyncIterator[Loan]:
    """Look at a queue on a channel of its own; its end gives everything back, and so does the connection's."""
    with asking(session, queue):
        channel = await session.channel(essential=False)
        loan = Loan(session, channel, queue)
    try:
        yield loan
    finally:
        await loan.end()
