"""Direct reply-to: answers to a caller's channel rather than to a queue, under a name that may be forged.

RabbitMQ ends the connection that publishes to such a name when it can't make out whose channel it is: the name was made
up, or its node has left the cluster. So the first answer to each name goes over a connection of its own, one at a time;
a name that this one has outlived is answered like any queue.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import pika
from pika.exceptions import AMQPError

from bus.errors import BusError, Disconnected, Refused, Unroutable
from bus.messages import Message
from bus.rabbit.faults import said
from bus.rabbit.publishing import published
from bus.rabbit.session import Session
from bus.topology import DEFAULT_EXCHANGE

log = logging.getLogger(__name__)

_INTERNAL_ERROR: Final = 541
"""The reply code of AMQP with which the broker ends a connection for a fault of its own."""
MOST_PROVEN: Final = 10_000
"""Names remembered: under 2 MB of them."""
_IDLE_S: Final = 30.0
"""The connection for first answers is closed after so long without one."""
_AGAIN_AFTER_S: Final = (0.0, 0.5, 1.0, 2.0)
_OPENS_WITHIN_S: Final = 5.0
_NONE_FOR_S: Final = 10.0
"""After a second connection could not be had, all are refused for so long before one is tried for anew."""


class DirectReplies:
    """Publishes answers to direct reply-to.

    Args:
        given: How to connect for a first answer.
        now: The session of everything else, as long as there is one.
        most_proven: Names remembered.
    """

    def __init__(
        self, given: pika.connection.Parameters, now: Callable[[], Session | None], most_proven: int = MOST_PROVEN
    ) -> None:
        self._given, self._now, self._most_proven = given, now, most_proven
        self._proven: OrderedDict[str, None] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._apart: Session | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._none_until_s = 0.0
        """Until when no second connection is tried for, on the loop's clock."""

    async def publish(self, answer: Message) -> None:
        """Publish an answer to the channel that its routing key names.

        Raises Unroutable when the broker can't tell whose name it is, Disconnected when the connection of everything
        else is lost, or closed, and Refused when no other one can be had. A channel that is gone is not told of:
        RabbitMQ before 4 does not know.
        """
        name, session = answer.routing_key, self._now()
        if session is None:
            raise Disconnected("no connection to the broker")
        if name not in self._proven:
            async with self._one_at_a_time:
                if name not in self._proven:
                    await self._prove(answer, session)
                    return
        self._check(session)
        self._proven.move_to_end(name)
        try:
            await published(session, DEFAULT_EXCHANGE, answer, mandatory=False)
        except Disconnected:
            self._proven.clear()  # one of them may be what ended it: its node may have left
            raise

    def _check(self, session: Session) -> None:
        """Raises Disconnected when `session` is over: the job comes again then, and so does its answer."""
        if not session.can_publish:
            raise Disconnected("the connection to the broker was lost")

    async def _prove(self, answer: Message, session: Session) -> None:
        """Publish the first answer to its name, on the connection of those, for as long as `session` lasts."""
        for delay_s in _AGAIN_AFTER_S:
            self._check(session)
            if asyncio.get_running_loop().time() < self._none_until_s:
                break
            try:
                await self._try(answer)
            except Disconnected as error:
                log.info("%s; trying again", error)
                await asyncio.wait({session.closed}, timeout=delay_s)
            else:
                self._proven[answer.routing_key] = None
                if len(self._proven) > self._most_proven:
                    self._proven.popitem(last=False)
                return
        else:
            # Whoever waits behind this one must not wait as long, one after the other.
            self._none_until_s = asyncio.get_running_loop().time() + _NONE_FOR_S
        self._check(session)
        raise Refused("no second connection to the broker could be had: direct reply-to is answered over one")

    async def _try(self, answer: Message) -> None:
        session = await self._open()
        try:
            await published(session, DEFAULT_EXCHANGE, answer, mandatory=False)
        except Disconnected:
            if getattr(session.closed.result(), "reply_code", None) == _INTERNAL_ERROR:
                raise Unroutable(f"the broker can't tell whose {answer.routing_key!r} is") from None
            raise
        finally:
            self._close_when_idle()

    async def _open(self) -> Session:
        if self._apart is not None and not self._apart.closed.done():
            return self._apart
        session = self._apart = Session(0)
        try:
            await asyncio.wait_for(session.open(self._given), _OPENS_WITHIN_S)
        except (AMQPError, OSError, TimeoutError, BusError) as error:
            session.end(error)
            raise Disconnected(f"no second connection to the broker, for direct reply-to ({said(error)})") from error
        except asyncio.CancelledError:
            session.end(Disconnected("given up"))
            raise
        if session.closed.done():  # it was closed while it opened
            raise Disconnected("the second connection to the broker was closed")
        return session

    def _close_when_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(_IDLE_S, self._hang_up)

    def _hang_up(self) -> None:
        if self._apart is not None and not self._one_at_a_time.locked():
            self._apart.end(Disconnected("idle"))
            self._apart = None

    async def close(self) -> None:
        """Close the connection for first answers, after that of everything else: what is under way is disconnected."""
        if self._idle is not None:
            self._idle.cancel()
        if self._apart is not None:
            self._apart.end(Disconnected("closed"))
            await self._apart.wait_closed()
            self._apart = None
