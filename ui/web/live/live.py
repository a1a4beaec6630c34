"""The live view of the fleet, put together: what the routes of the dashboard are given."""

import asyncio
from collections.abc import AsyncGenerator

from bus.rabbit import Bus
from bus.settings import Settings
from producers.dead_letters import DeadLetters
from ui.fleet.orders import Orders
from ui.web.live.feed import Feed
from ui.web.live.history import encoded
from ui.web.live.hub import Hub
from ui.web.live.sample import Sample


class Live:
    """How the fleet is, and what an operator may ask of it. `start` before use, on the event loop of `bus`.

    Attributes:
        orders: Drain, pause and resume, with the router's word on it.
        letters: What lies in the dead queue.
    """

    def __init__(self, settings: Settings, bus: Bus) -> None:
        self.orders = Orders(bus)
        self.letters = DeadLetters(bus)
        self._hub = Hub()
        self._feed = Feed(bus, settings, self._tell)
        self._latest: Sample | None = None
        self._kept: tuple[int, bool, asyncio.Task[bytes]] | None = None

    async def start(self) -> None:
        """Listen, and read the last 15 minutes in the background. The bus need not be connected yet."""
        await self.orders.start()
        await self._feed.start()
        self._tell(self._feed.sample())

    async def close(self) -> None:
        """Stop listening; every viewer's stream ends."""
        self._hub.close()
        await self._feed.close()
        await self.orders.close()

    def latest(self) -> Sample:
        """The fleet as it was told last."""
        return self._latest or self._feed.sample()

    async def history(self) -> bytes:
        """The last 15 minutes: a `History` as JSON, gzip-compressed; made once a second however many ask."""
        key = (self._feed.columns.newest, self._feed.complete)
        if self._kept is None or self._kept[:2] != key:
            columns = self._feed.columns
            making = asyncio.to_thread(encoded, columns.told(), columns.oldest, complete=self._feed.complete)
            self._kept = (*key, asyncio.create_task(making))
        return await asyncio.shield(self._kept[2])

    def subscribe(self) -> AsyncGenerator[bytes, None]:
        """One viewer's stream of whole server-sent events: the state, then what changes. Close it when they leave."""
        return self._hub.view()

    def _tell(self, sample: Sample) -> None:
        self._latest = sample
        self._hub.publish(sample)
