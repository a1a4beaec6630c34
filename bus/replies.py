"""Sending an answer to its caller, and burying a job that can't have one."""

import asyncio
from dataclasses import replace

from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import DEAD, DEFAULT_EXCHANGE, DIRECT_REPLY_TO


def send_answer(bus: Bus, answer: Message) -> "asyncio.Future[None]":
    """Publish an answer to the reply queue that is its routing key.

    The future fails with Unroutable when the queue is gone, except for direct reply-to: RabbitMQ before 4 returns such
    a message as unroutable even when it delivers it, so it is sent without asking.
    """
    direct = answer.routing_key.startswith(DIRECT_REPLY_TO)
    return bus.publish(DEFAULT_EXCHANGE, answer, mandatory=not direct)


def bury(bus: Bus, message: Message, reason: str) -> "asyncio.Future[None]":
    """Keep a job in the dead queue, with the reason, for an operator to look at."""
    headers = {key: value for key, value in message.headers.items() if not key.startswith("x-")}
    headers.setdefault("operation", message.routing_key)
    grave = replace(message, routing_key=DEAD, expiration=None, headers={**headers, "reason": reason[:1000]})
    return bus.publish(DEFAULT_EXCHANGE, grave)
