"""Taking jobs out of queues that nobody serves: those of lost VMs, parked operations, an overflow without a bridge."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from bus.errors import BusError
from bus.rabbit import Bus, Consumer, Delivery
from producers.commands import Collect

log = logging.getLogger(__name__)

AGAIN_S = 5.0
"""Before a queue that was not there, or did not answer, is asked for again."""


class Collectors:
    """The queues being collected. `on_missing` is told, some seconds later, of one that was not there."""

    def __init__(
        self, bus: Bus, handler: Callable[[Delivery], None], on_missing: Callable[[str], object], *, prefetch: int
    ) -> None:
        self._bus = bus
        self._handler = handler
        self._on_missing = on_missing
        self._prefetch = prefetch
        self._consumers: dict[str, Consumer] = {}
        self._in_order = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, command: Collect) -> None:
        """Begin or end to collect a queue, after what was asked for before."""
        self.spawn(self._do(command))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something on the side, and hold it until it is done."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Collect nothing more."""
        async with self._in_order:
            for consumer in self._consumers.values():
                await self._bus.cancel(consumer)
            self._consumers.clear()

    async def _do(self, command: Collect) -> None:
        async with self._in_order:
            try:
                if command.stop:
                    consumer = self._consumers.pop(command.queue, None)
                    if consumer is not None:
                        await self._bus.cancel(consumer)
                elif command.queue not in self._consumers:
                    await self._begin(command.queue)
            except (BusError, OSError, TimeoutError) as error:
                log.warning("taking jobs out of %s: %s", command.queue, error)

    async def _begin(self, queue: str) -> None:
        consumer = await self._bus.consume(queue, self._handler, prefetch=self._prefetch, optional=True)
        if consumer.found:
            self._consumers[queue] = consumer
            return
        await self._bus.cancel(consumer)
        asyncio.get_running_loop().call_later(AGAIN_S, self._on_missing, queue)
