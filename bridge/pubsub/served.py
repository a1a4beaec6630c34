"""What the services behind an emulator say that they serve, so that no job is sent for which nobody is there.

Services on Google are not asked: only Pub/Sub may call them, and to ask one that has gone to sleep costs its start.
What they do not serve comes back from them, and is then left out for a while (`bridge.gate`).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import httpx

from bridge.pool.wire import Readiness, Response, read_ready
from bridge.pubsub import resources
from bus.settings import Settings

log = logging.getLogger(__name__)

LOOK_S: Final = 30.0
"""How often a service that has told what it serves is asked again."""
LOOK_SOON_S: Final = 2.0
"""The same while one is out of reach or still loading: until it tells, it is taken to serve all it is named for."""
_WITHIN_S: Final = 5.0
_READY_BYTES: Final = 65_536


class Served:
    """What of the operations that can be sent to the cloud somebody serves there, as far as that is known."""

    def __init__(self, settings: Settings) -> None:
        """Nobody has been asked yet."""
        self._services = {
            operation: resources.address(settings, operation) for operation in resources.operations(settings)
        }
        self._said: dict[str, tuple[str, ...] | None] = {url: None for url in self._services.values() if url}
        self._asking: asyncio.Task[None] | None = None

    @property
    def operations(self) -> tuple[str, ...]:
        """Those that are served, or may be."""
        told = ((operation, self._said.get(url or "")) for operation, url in self._services.items())
        return tuple(operation for operation, serves in told if serves is None or operation in serves)

    def start(self, on_change: Callable[[], None]) -> None:
        """Ask now, and again and again; `on_change` is called when the answer is another."""
        self._asking = asyncio.create_task(self._run(on_change), name="served")

    async def stop(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
            self._asking = None

    async def _run(self, on_change: Callable[[], None]) -> None:
        async with httpx.AsyncClient(timeout=_WITHIN_S) as client:
            while True:
                before = self.operations
                said = await asyncio.gather(*(_asked(client, url) for url in self._said))
                self._said = dict(zip(self._said, said, strict=True))
                if self.operations != before:
                    log.info("The cloud serves %s.", ", ".join(self.operations) or "nothing")
                    on_change()
                await asyncio.sleep(LOOK_SOON_S if None in said else LOOK_S)


async def _asked(client: httpx.AsyncClient, url: str) -> tuple[str, ...] | None:
    """What a service says that it serves; None when it says nothing that can be understood."""
    try:
        async with asyncio.timeout(_WITHIN_S), client.stream("GET", f"{url}/ready") as answered:
            body = bytearray()
            async for chunk in answered.aiter_raw():
                body += chunk
                if len(body) > _READY_BYTES:
                    return None
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
        return None
    said = read_ready(Response(answered.status_code, {}, bytes(body)))
    return said.operations if isinstance(said, Readiness) else None
