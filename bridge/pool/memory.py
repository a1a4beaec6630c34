"""How much of pictures and results an HTTP pool holds in memory, and who waits until there is less."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from bus.settings import MIB

MOST: Final = 256 * MIB


class Memory:
    """Bytes of jobs under way, and of answers: those being read, and those that wait for the bridge.

    Jobs are counted, and `full` tells when to send no more. Answers wait for room before they are read, which holds
    the services back. One answer is read whatever jobs take: only answers make jobs go.
    """

    def __init__(self, most: int = MOST) -> None:
        """`most` bytes are held, and what of one job and one answer goes beyond."""
        self._most = most
        self._jobs = 0
        self._answers = 0
        self._turn = asyncio.Lock()
        self._less = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether it is time to take no more jobs."""
        return self._jobs + self._answers >= self._most

    @contextlib.contextmanager
    def job(self, size: int) -> Iterator[None]:
        """Count a job while it is under way."""
        self._jobs += size
        try:
            yield
        finally:
            self._jobs -= size
            self._less.set()

    @contextlib.asynccontextmanager
    async def reading(self, size: int) -> AsyncIterator[None]:
        """Wait for room for an answer of up to `size` bytes, in the order of who came; it counts until it is read.

        What is kept of it, `keep` counts from then on.
        """
        async with self._turn:  # nobody overtakes a large one, or it would wait for ever
            while self._answers and self._jobs + self._answers + size > self._most:
                self._less.clear()
                await self._less.wait()
            self.keep(size)
        try:
            yield
        finally:
            self.forget(size)

    def keep(self, size: int) -> None:
        """Count an answer that waits for the bridge."""
        self._answers += size

    def forget(self, size: int) -> None:
        """It has gone."""
        self._answers -= size
        self._less.set()
