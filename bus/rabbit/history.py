"""Reading a stream, from a moment in the past to its end as it was when asked, or on without end.

A stream keeps its messages whoever reads them, and goes on: nothing says where "now" is, and the broker's own count of
its messages is seconds old. So the last chunk is read first. It tells the number of the last message, and that number
is where the reading ends, or begins; neither a clock nor a pause between messages has to be believed.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
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

log = logging.getLogger(__name__)

Wanted = Callable[[bytes], bool]
"""Whether a message with this body is wanted; asked before anything else is read of it."""


class Followed:
    """Hears how the following of a stream goes. This one takes no notice, but logs what was missed."""

    def begun(self) -> None:
        """It is read: for the first time, or again in another session. What is told from now on will come."""

    def missed(self, messages: int) -> None:
        """About so many messages were gone before they could be read."""
        log.warning("about %d messages of a stream were gone before they were read", messages)


def everything(_body: bytes) -> bool:
    """Want it all."""
    return True


_AHEAD: Final = 4000
"""Messages under way at a time; more of them gain nothing."""
_EMPTY_S: Final = 1.0
_STALLED_S: Final = 15.0
_NOTHING_SINCE_S: Final = 5.0
_AGAIN_S: Final = 0.2
_LOOK_AGAIN_S: Final = 2.0
_FORGIVEN: Final = 100
"""Tries on which the broker may say that a stream can't be read, after it once could."""
_SKIPPED: Final = 16
"""Numbers that the broker may use up for notes of its own: one where it begins a new file, as seen."""
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
        for message in reader.taken():  # what came while the caller was busy with the others
            yield message
    if -1 < reader.offset < last:
        raise BusError(f"{stream} stalled at message {reader.offset} of {last}. Look at the broker's log; try again.")


async def _last_offset(session: Session, stream: str, expected: int = -1) -> int:
    """The number of the last message in a stream; -1 when it is empty. At least `expected`, if that is still there."""
    told = await counts(session, stream)
    filled = told is not None and told.ready > 0
    async with _reading(session, stream, "last", lambda _body: False) as reader:
        if await reader.more(_STALLED_S if filled else _EMPTY_S):
            # What is asked on a channel is answered after what was sent on it: the rest of the chunk has come by then,
            # or of one that is longer than the prefetch, the next time.
            for _ in range(2):
                reader.taken()
                await session.call(reader.channel.basic_qos, prefetch_count=_AHEAD)
            while reader.offset < expected and await reader.more(_EMPTY_S):
                reader.taken()
        return reader.offset


async def follow(
    sessions: Callable[[], Awaitable[Session]], stream: str, since_ms: int | None, wanted: Wanted, heard: Followed
) -> AsyncGenerator[Message, None]:
    """The wanted messages of a stream, oldest first, from `since_ms` (None: from now) on, through one session or many.

    `sessions` gives the session of the moment, as soon as there is one. The beginning is exact as of `replay`.
    """
    place = _Place(since_ms)
    told = False
    while True:
        try:
            session = await sessions()
            async with _reading(session, stream, await place.start(session, stream), wanted) as reader:
                if not told:
                    heard.begun()
                told = True
                while await reader.more(place.patience_s):
                    found = reader.taken()
                    if missed := place.passed(reader):
                        heard.missed(missed)
                    for message in found:
                        yield message
        except (BusError, TimeoutError) as error:
            told = False
            place.forgive(error)
            await asyncio.sleep(_AGAIN_S)  # a session that just ended may still be the one of the moment


class _Place:
    """How far a stream was followed, by the numbers of its messages; they outlive a session."""

    def __init__(self, since_ms: int | None) -> None:
        self._since_ms = since_ms
        self._next: int | None = None
        """The number of the next message, once known."""
        self._seems_empty = False
        self._faults = 0

    @property
    def patience_s(self) -> float | None:
        """How long to wait for the next message before it is asked again where to read from; None is for ever."""
        return _LOOK_AGAIN_S if self._seems_empty else None

    async def start(self, session: Session, stream: str) -> int | datetime:
        """Where to read from in this session."""
        if self._next is None and self._since_ms is not None:
            return datetime.fromtimestamp(self._since_ms / 1000, UTC)
        last = await _last_offset(session, stream, expected=-1 if self._next is None else self._next - 1)
        # A stream that was made anew begins at 0 again, and would give nothing until it is as long as the old one.
        # One that seems empty may be new, or only have been slow to answer: what it had must not be told twice. So it
        # is looked at again until it tells; if it is new, all that is in it came after.
        if self._next is None or -1 < last < self._next - 1:
            self._next = 0 if self._seems_empty else last + 1
        self._seems_empty = last < 0 < self._next
        return self._next

    def passed(self, reader: "_Reader") -> int:
        """What came so far is handed over; returns how many messages were gone before they could be read."""
        self._next, self._faults, self._seems_empty = reader.offset + 1, 0, False
        missed, reader.missed = reader.missed, 0
        return missed

    def forgive(self, error: BusError | TimeoutError) -> None:
        """Raise what is no passing fault; a broker that has just restarted may not have the stream ready."""
        if isinstance(error, Disconnected | TimeoutError):
            return
        self._faults += 1
        if self._next is None or self._faults > _FORGIVEN:
            raise error


class _Reader:
    """Takes the deliveries of one consumer; they are acked, and so more of them sent, as they are taken from it."""

    def __init__(self, channel: Channel, wanted: Wanted, start: int | None) -> None:
        self._expected = start
        self.offset = -1
        """The number of the latest message that came."""
        self.missed = 0
        """Messages that were gone before they came, by the numbers of those that did."""
        self.channel = channel
        self._wanted = wanted
        self._found: list[Message] = []
        self._tag = self._acked = 0
        self._news = asyncio.Event()
        self._failed: BusError | None = None

    def deliver(self, _channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        self._tag = method.delivery_tag
        self.offset = int(properties.headers[_OFFSET])
        skipped = 0 if self._expected is None else self.offset - self._expected
        if skipped > _SKIPPED:
            self.missed += skipped
        self._expected = self.offset + 1
        if self._wanted(body):
            self._found.append(message_of(method.routing_key, properties, body))
        self._news.set()

    def fail(self, error: BusError) -> None:
        self._failed = self._failed or error
        self._news.set()

    async def more(self, within_s: float | None) -> bool:
        """Whether deliveries came since the last call, or come within so many seconds. Raises why none can.

        With None it waits without end, and is always true.
        """
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
        if self.channel.is_open and self._tag > self._acked:  # the broker closes the channel of who acks twice
            self.channel.basic_ack(self._tag, multiple=True)
            self._acked = self._tag
        return found


@asynccontextmanager
async def _reading(
    session: Session, stream: str, start: int | datetime | str, wanted: Wanted
) -> AsyncIterator[_Reader]:
    """Read on a channel of its own: from a message's number, a time, or one of the broker's words for a place."""
    with asking(session, stream):
        channel = await session.channel(essential=False)
        reader = _Reader(channel, wanted, start if isinstance(start, int) else None)
        channel.add_on_close_callback(lambda _channel, error: reader.fail(_verdict(stream, error)))
        channel.add_on_cancel_callback(lambda _frame: reader.fail(Disconnected(f"the leader of {stream} moved")))
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
