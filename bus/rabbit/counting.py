"""What queues say of themselves: how many messages are ready, and how many consumers there are."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from pika.channel import Channel

from bus.errors import Disconnected
from bus.rabbit.session import Session, asking, resolve, shut

_ANSWERS_WITHIN_S: Final = 15.0


class Counts(NamedTuple):
    """What a queue says of itself: messages ready, and consumers."""

    ready: int
    consumers: int


async def counts(session: Session, queue: str, timeout_s: float = _ANSWERS_WITHIN_S) -> Counts | None:
    """The messages ready in a queue and its consumers, or None where there is no such queue.

    Raises Disconnected, and TimeoutError when the queue does not answer (a quorum queue without a leader).
    """
    with asking(session, queue):
        # Asking for a queue that is not there closes the channel that asks, so each question has its own.
        channel = await session.channel(essential=False)
        try:
            return await _counted(session, channel, queue, timeout_s)
        finally:
            shut(channel)


async def _counted(session: Session, channel: Channel, queue: str, timeout_s: float) -> Counts | None:
    reply: asyncio.Future[Counts | None] = session.loop.create_future()
    channel.add_on_close_callback(lambda *_: resolve(reply, None))

    def told(frame: Any) -> None:
        resolve(reply, Counts(frame.method.message_count, frame.method.consumer_count))

    channel.queue_declare(queue, passive=True, callback=told)
    either: set[asyncio.Future[Any]] = {reply, session.closed}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED, timeout=timeout_s)
    if session.closed.done():
        raise Disconnected(f"the connection was lost while asking for {queue}")
    if not reply.done():
        raise TimeoutError(f"queue {queue} does not answer")
    return reply.result()


async def depths(session: Session, queues: Iterable[str]) -> dict[str, int | None]:
    """The messages ready in each queue, None where there is no such queue; raises as `counts`.

    One channel asks for all of them, as long as there are such queues: a channel for each costs several times as much.
    """
    told: dict[str, int | None] = {}
    with asking(session, "the depths of queues"):
        channel = await session.channel(essential=False)
        try:
            for queue in queues:
                if not channel.is_open:
                    channel = await session.channel(essential=False)
                count = await _counted(session, channel, queue, _ANSWERS_WITHIN_S)
                told[queue] = None if count is None else count.ready
        finally:
            shut(channel)
    return told
