"""Reading a stream, from a moment in the past to its end as it was when asked.

A stream keeps its messages whoever reads them, and goes on: nothing says where "now" is, and the broker's own count of
its messages is seconds old. So the last chunk is read first. It tells the number of the last message, and that number
is where the reading ends; neither a clock nor a pause between messages has to be believed.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from bus.errors import BusError, Disconnected
from bus.messages import Message
from bus.rabbit.counting import counts
from bus.rabbit.faults import said
from bus.rabbit.mapping import message_of
from bus.rabbit.session import Session, asking, shut

Wanted = Callable[[bytes], bool]
"""Whether a message with this body is wanted; asked before anything else is read of it."""


def everything(_body: bytes) -> bool:
    """Want it all."""
    return True


_AHEAD: Final = 4000
"""Messages under way at a time; more of them gain nothing."""
_EMPTY_S: Final = 1.0
_STALLED_S: Final = 15.0
_NOTHING_SINCE_S: Final = 5.0
_LAST_CHUNK_S: Final = 0.2
_OFFSET: Final = "x-stream-offset"


async def replay(session: Session, stream: str, since_ms: int, wanted: Wanted) -> AsyncGenerator[Message, None]:
    """The wanted messages of a stream, oldest first, from `since_ms` up to the last one there is now.

    The beginning is exact to a chunk, the messages that the broker wrote at once: some that are older may come too.
    What the retention has removed is not missed. Raises Disconnected when the connection goes, BusError when the stream
    can't be read or stalls.
    """
    last = await _last_offset(session, stream)
    async with _reading(session, stream, datetime.fromtimestamp(since_ms / 1000, UTC), wanted) as reader:
        # Nothing may be as new as `since_ms`; only after the first message is there more to come for sure.
        patience_s = _NOTHING_SINCE_S
        while reader.offset < last:
            if not await reader.more(patience_s):
                break
            patience_s = _STALLED_S
            for message in reader.taken():
                yield message
    if -1 < reader.offset < last:
        raise BusError(f"{stream} stalled at message {reader.offset} of {last}. Look at the broker's log; try again.")


async def _last_offset(session: Session, stream: str) -> int:
    """The number of the last message in a stream; -1 when it is empty."""
    told = await counts(session, stream)
    filled = told is not None and told.ready > 0
    async with _reading(session, stream, "last", lambda _body: False) as reader:
        if await reader.more(_STALLED_S if filled else _EMPTY_S):
            await asyncio.sleep(_LAST_CHUNK_S)  # the rest of the chunk comes in one go
        return reader.offset


class _Reader:
    """Takes the deliveries of one consumer; they are acked, and so more of them sent, as they are taken from it."""

    def __init__(self, channel: Channel, wanted: Wanted) -> None:
        self.offset = -1
        """The number of the latest message that came."""
        self._channel = channel
        self._wanted = wanted
        self._found: list[Message] = []
        self._tag = 0
        self._news = asyncio.Event()
        self._failed: BusError | None = None

    def deliver(self, _channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        self._tag = method.delivery_tag
        self.offset = int(properties.headers[_OFFSET])
        if self._wanted(body):
            self._found.append(message_of(method.routing_key, properties, body))
        self._news.set()

    def fail(self, error: BusError) -> None:
        self._failed = self._failed or error
        self._news.set()

    async def more(self, within_s: float) -> bool:
        """Whether deliveries came since the last call, or come within so many seconds. Raises why none can."""
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return False
        if self._failed:
            raise self._failed
        self._news.clear()
        return True

    def taken(self) -> list[Message]:
        """The wanted ones among what came."""
        found, self._found = self._found, []
        if self._channel.is_open:
            self._channel.basic_ack(self._tag, multiple=True)
        return found


@asynccontextmanager
async def _reading(session: Session, stream: str, start: datetime | str, wanted: Wanted) -> AsyncIterator[_Reader]:
    """Read on a channel of its own, from a time or from one of the broker's words for a place in a stream."""
    with asking(session, stream):
        channel = await session.channel(essential=False)
        reader = _Reader(channel, wanted)
        channel.add_on_close_callback(lambda _channel, error: reader.fail(_verdict(stream, error)))
        channel.basic_qos(prefetch_count=_AHEAD)  # a stream delivers nothing without
        channel.basic_consume(stream, reader.deliver, arguments={_OFFSET: start})
    try:
        yield reader
    finally:
        shut(channel)


def _verdict(stream: str, error: BaseException) -> BusError:
    if isinstance(error, ChannelClosedByBroker):
        return BusError(f"{stream} can't be read ({said(error)}). `overspill doctor` checks what the broker holds.")
    return Disconnected(f"the connection was lost while {stream} was read")
