"""Something that one may use at a time, users by turns: nobody waits behind all that another has asked for."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ui.web.jobs.turns import Turns


class OneByOne:
    """Lets one in at a time: `async with line.turn(user): ...`. For one event loop."""

    def __init__(self) -> None:
        self._turns = Turns()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._numbers = itertools.count()
        self._is_taken = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, user: str) -> AsyncIterator[None]:
        """Wait for a turn of `user`; it lasts as long as the context."""
        if self._is_taken:
            await self._called(user)
        self._is_taken = True
        try:
            yield
        finally:
            self._call_next()

    def close(self) -> None:
        """Send away, cancelled, whoever waits."""
        for ready in self._waiting.values():
            ready.cancel()

    async def _called(self, user: str) -> None:
        ticket, ready = str(next(self._numbers)), asyncio.get_running_loop().create_future()
        self._waiting[ticket] = ready
        self._turns.add(user, ticket)
        try:
            await ready
        except asyncio.CancelledError:
            if not ready.cancelled():  # it was called just before it gave up
                self._call_next()
            raise

    def _call_next(self) -> None:
        """Call the next who still waits. It is taken until they come: nobody slips in between."""
        while (ticket := self._turns.next()) is not None:
            ready = self._waiting.pop(ticket)
            if not ready.done():
                ready.set_result(None)
                return
        self._is_taken = False
