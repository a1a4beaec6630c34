"""Asking the active router for something on the exchange `control`, and hearing its word on it."""

import asyncio
import time
import uuid
from dataclasses import replace
from typing import Final

from bus.control import Cancel, Drain, Pause, command_message
from bus.rabbit import Bus, Consumer, Delivery
from bus.topology import CONTROL, Queue, Topology

NO_ANSWER: Final = "No router answered: the order is kept, and is carried out when one runs."
ANSWER_WITHIN_S: Final = 5.0
_REPLIES_EXPIRE_MS: Final = 60_000

Order = Cancel | Drain | Pause


class Orders:
    """Orders given on one bus, with a reply queue of its own from `start` to `close`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._replies = f"replies.{uuid.uuid4().hex}"
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._consumer: Consumer | None = None

    async def start(self) -> None:
        """Have a reply queue, now if the bus is connected, and after each connect."""
        # Classic, as it is gone in seconds; the broker forgets it by itself when we have no time to.
        replies = Queue(self._replies, {"x-queue-type": "classic", "x-expires": _REPLIES_EXPIRE_MS})
        await self._bus.declare(Topology(queues=(replies,)))
        self._consumer = await self._bus.consume(self._replies, self._hear, prefetch=16)

    async def close(self) -> None:
        """Give up the reply queue."""
        if self._consumer is not None:
            await self._bus.cancel(self._consumer)
            await self._bus.delete(self._replies)

    async def give(self, order: Order, *, within_s: float = ANSWER_WITHIN_S) -> str | None:
        """Have the broker keep an order, and wait for the active router's word on it; None when none comes in time.

        Raises BusError when the broker doesn't take the order.
        """
        key = uuid.uuid4().hex
        answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            message = command_message(order, order.key, reply_to=self._replies)
            # Jobs of the same id that are sent later are not meant.
            await self._bus.publish(CONTROL, replace(message, correlation_id=key, timestamp=int(time.time())))
            await asyncio.wait({answer}, timeout=within_s)
        finally:
            del self._waiting[key]
        return answer.result() if answer.done() else None

    def _hear(self, delivery: Delivery) -> None:
        answer = self._waiting.get(str(delivery.message.correlation_id))
        if answer is not None and not answer.done():
            answer.set_result(delivery.message.body.decode(errors="replace").strip())
        self._bus.ack(delivery)
