"""Sending an answer to its caller, and burying a job that can't have one."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from bus.clock import now_ms
from bus.errors import Refused
from bus.messages import HopHeaders, JobHeaders, Message, operation_of
from bus.rabbit import Bus
from bus.rabbit.observing import OBSERVED
from bus.topology import DEAD, DEFAULT_EXCHANGE, DIRECT_REPLY_TO

log = logging.getLogger(__name__)

MOST_REASON: Final = 1000
_AGAIN_AFTER_S: Final = (0.2, 0.5, 1.0, 2.0)
_TOLD: Final = (JobHeaders.model_fields.keys() | HopHeaders.model_fields.keys()) - {"operation"}
_HEADER_BYTES: Final = 40_000
"""A frame of headers holds 128 KiB, and a broker ends the connection that sends a larger one."""


Wait = Callable[[Message], None]
"""Called with an answer whose reply queue takes no more, before each pause; what it raises ends the trying."""


def send_answer(bus: Bus, answer: Message, wait: Wait | None = None) -> "asyncio.Future[None]":
    """Publish an answer to the reply queue that is its routing key.

    The future fails with Unroutable when the queue is gone. With direct reply-to it does so only when nobody can have
    had that name: RabbitMQ before 4 returns such a message as unroutable even when it delivers it, so it is sent
    without asking. It fails with Refused when the queue takes no more (full, or without a quorum) for some seconds of
    trying, or with what `wait` raises meanwhile.
    """
    return asyncio.ensure_future(_send(bus, answer, wait))


async def _send(bus: Bus, answer: Message, wait: Wait | None) -> None:
    if answer.routing_key.startswith(f"{DIRECT_REPLY_TO}."):
        return await bus.direct_replies.publish(answer)
    return await _put(bus, answer, wait)


async def _put(bus: Bus, message: Message, wait: Wait | None = None) -> None:
    for delay_s in _AGAIN_AFTER_S:
        try:
            return await bus.publish(DEFAULT_EXCHANGE, message)
        except Refused as error:
            if wait is not None:
                wait(message)
            log.info("%s; trying again", error)
            await asyncio.sleep(delay_s)
    return await bus.publish(DEFAULT_EXCHANGE, message)


def bury(bus: Bus, message: Message, reason: str) -> "asyncio.Future[None]":
    """Keep a job in the dead queue, with the reason and the time (`dead_ms`), for an operator to look at.

    Settle the job when the future has ended: it fails with Disconnected, with Unroutable when there is no such queue,
    or with Refused when that takes no more for some seconds of trying.
    """
    headers = {**epitaph(message), "reason": reason[:MOST_REASON], "dead_ms": now_ms()}
    letter = replace(message, routing_key=DEAD, expiration=None, headers=headers)
    buried = asyncio.ensure_future(_put(bus, letter))
    buried.add_done_callback(_note)
    return buried


def epitaph(message: Message) -> dict[str, Any]:
    """The headers of a dead job that can be told again, as far as they fit into one frame.

    Only those of the contract: a `CC` that a caller had put there would have the broker send the job elsewhere, with
    our rights. The operation is told as it was meant, since the routing key tells it no more.
    """
    kept: dict[str, Any] = {"operation": operation_of(message)}
    room = _HEADER_BYTES
    for key, value in message.headers.items():
        size = len(repr(value).encode(errors="replace"))
        if key in _TOLD and size <= room:
            kept[key] = value
            room -= size
    return kept


def _note(buried: "asyncio.Future[None]") -> None:
    if buried.cancelled():
        return
    error = buried.exception()
    if error is None:
        OBSERVED.by.buried()
    else:
        log.error("a job could not be kept in the queue %s: %s", DEAD, error)
