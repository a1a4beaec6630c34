"""One process's connection to the broker, with a hand on each direction: for moments that last a millisecond."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bus.rabbit.foreign import Network


class Relay(Network):
    """A network that can lose what goes to the broker, or what comes from it.

    What was lost never comes: who loses must then end the connection.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.loses_what_is_said = False
        self.loses_what_is_heard = False
        self.lost = bytearray()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_said = writer.get_extra_info("peername")[1] == (self._broker.port or 5672)
        try:
            while piece := await reader.read(1 << 16):
                if self.loses_what_is_said if is_said else self.loses_what_is_heard:
                    self.lost += piece
                else:
                    writer.write(piece)
                    await writer.drain()
        except OSError:
            pass
        writer.transport.abort()


@asynccontextmanager
async def relay(url: str) -> AsyncIterator[Relay]:
    """A relay in front of the broker at `url`."""
    between = Relay(url)
    await between.start()
    try:
        yield between
    finally:
        await between.stop()
