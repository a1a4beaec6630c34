"""Sending an answer to its caller, and burying a job that can't have one."""

import asyncio
import logging
from dataclasses import replace
from typing import Any, Final

from bus.clock import now_ms
from bus.errors import Refused
from bus.messages import HopHeaders, JobHeaders, Message
from bus.rabbit import Bus
from bus.rabbit.observing import OBSERVED
from bus.topology import DEAD, DEFAULT_EXCHANGE, DIRECT_REPLY_TO

log = logging.getLogger(__name__)

MOST_REASON: Final = 1000
_AGAIN_AFTER_S: Final = (0.2, 0.5, 1.0, 2.0)
_TOLD: Final = JobHeaders.model_fields.keys() | HopHeaders.model_fields.keys()
_HEADER_BYTES: Final = 40_000
"""A frame of headers holds 128 KiB, and a broker ends the connection that sends a larger one."""


def send_answer(bus: Bus, answer: Message) -> "asyncio.Future[None]":
    """Publish an answer to the reply queue that is its routing key.

    The future fails with Unroutable when the queue is gone, except for direct reply-to: RabbitMQ before 4 returns such
    a message as unroutable even when it delivers it, so it is sent without asking. It fails with Refused when the queue
    takes no more (full, or without a quorum) for some seconds of trying.
    """
    return asyncio.ensure_future(_send(bus, answer))


async def _send(bus: Bus, answer: Message) -> None:
    mandatory = not answer.routing_key.startswith(DIRECT_REPLY_TO)
    for delay_s in _AGAIN_AFTER_S:
        try:
            return await bus.publish(DEFAULT_EXCHANGE, answer, mandatory=mandatory)
        except Refused as error:
            log.info("%s; trying again", error)
            await asyncio.sleep(delay_s)
    return await bus.publish(DEFAULT_EXCHANGE, answer, mandatory=mandatory)


def bury(bus: Bus, message: Message, reason: str) -> "asyncio.Future[None]":
    """Keep a job in the dead queue, with the reason and the time (`dead_ms`), for an operator to look at."""
    headers = {**epitaph(message), "reason": reason[:MOST_REASON], "dead_ms": now_ms()}
    buried = bus.publish(DEFAULT_EXCHANGE, replace(message, routing_key=DEAD, expiration=None, headers=headers))
    buried.add_done_callback(_note)
    return buried


def epitaph(message: Message) -> dict[str, Any]:
    """The headers of a dead job that can be told again, as far as they fit into one frame.

    Only those of the contract: a `CC` that a caller had put there would have the broker send the job elsewhere, with
    our rights.
    """
    kept: dict[str, Any] = {}
    room = _HEADER_BYTES
    for key, value in {"operation": message.routing_key, **message.headers}.items():
        size = len(repr(value).encode(errors="replace"))
        if key in _TOLD and size <= room:
            kept[key] = value
            room -= size
    return kept


def _note(buried: "asyncio.Future[None]") -> None:
    error = buried.exception()
    if error is None:
        OBSERVED.by.buried()
    else:
        log.error("a job could not be kept in the queue %s: %s", DEAD, error)
