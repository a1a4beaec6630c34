"""Standard output that never holds up the event loop.

A terminal may stand still, a pipe may be full, and its reader may go.
"""

import asyncio
import os
import select
import stat
from contextlib import suppress
from typing import Final, Self

from bus.rabbit.session import resolve

_PIECE: Final = 4096
"""Bytes that a pipe takes at once when it takes any (PIPE_BUF of Linux); a terminal takes them soon."""


class Output:
    """Writes to a file descriptor in whole pieces, waiting for room on the loop."""

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor
        self._watched = False
        self.closed = asyncio.Event()
        """Set when whoever read a pipe has gone, also while there is nothing to write."""

    def __enter__(self) -> Self:
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISFIFO(mode):
            # The writing end of a pipe is never readable, but wakes who waits for that when the reader goes.
            asyncio.get_running_loop().add_reader(self._fd, self._gone)
            self._watched = True
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._watched:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._watched = False

    def _gone(self) -> None:
        self.closed.set()
        self.__exit__()

    async def write(self, text: str) -> None:
        """Write all of it. Raises BrokenPipeError when nobody reads."""
        data = text.encode(errors="replace")
        while data:
            await self._room()
            data = data[os.write(self._fd, data[:_PIECE]) :]

    async def _room(self) -> None:
        if select.select([], [self._fd], [], 0)[1]:
            return
        loop = asyncio.get_running_loop()
        room: asyncio.Future[None] = loop.create_future()
        with suppress(PermissionError):  # a file on a disk: it has room
            loop.add_writer(self._fd, resolve, room, None)
            try:
                await room
            finally:
                loop.remove_writer(self._fd)
