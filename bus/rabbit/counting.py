"""What queues say of themselves: whether they are there, how many messages are ready, how many consumers there are."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, Final, NamedTuple

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from bus.errors import Disconnected
from bus.rabbit.session import Session, asking, resolve, shut

_ANSWERS_WITHIN_S: Final = 15.0
_NOT_FOUND: Final = 404


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
            told = await _counted(session, channel, queue, timeout_s)
        finally:
            shut(channel)
    return told if isinstance(told, Counts) else None


async def _counted(session: Session, channel: Channel, queue: str, timeout_s: float) -> Counts | BaseException:
    """What a queue says, or with what the broker closed the channel instead."""
    reply: asyncio.Future[Counts | BaseException] = session.loop.create_future()
    channel.add_on_close_callback(lambda _channel, error: resolve(reply, error))

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
    """The messages ready in each queue, None where there is no such queue; raises as `counts`."""
    async with aclosing(_each(session, queues, "the depths of queues")) as each:
        return {queue: told.ready if isinstance(told, Counts) else None async for queue, told in each}


async def missing(session: Session, queues: Iterable[str]) -> frozenset[str]:
    """Those of the queues that are not there; raises as `counts`.

    One that is another connection's alone is there: nobody else may look at it, and all may publish to it.
    """
    async with aclosing(_each(session, queues, "queues")) as each:
        return frozenset([queue async for queue, told in each if _is_not_found(told)])


def _is_not_found(told: Counts | BaseException) -> bool:
    return isinstance(told, ChannelClosedByBroker) and told.reply_code == _NOT_FOUND


async def _each(
    session: Session, queues: Iterable[str], what: str
) -> AsyncGenerator[tuple[str, Counts | BaseException], None]:
    """What each queue says.

    One channel asks for all of them, as long as there are such queues: a channel for each costs several times as much.
    """
    with asking(session, what):
        channel = await session.channel(essential=False)
        try:
            for queue in queues:
                if not channel.is_open:
                    channel = await session.channel(essential=False)
                yield queue, await _counted(session, channel, queue, _ANSWERS_WITHIN_S)
        finally:
            shut(channel)
