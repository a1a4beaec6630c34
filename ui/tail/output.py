"""Standard output that never holds up the event loop.

A terminal may stand still, a pipe or a disk may be full, and a reader may go.
"""

import asyncio
import os
import select
import stat
import sys
from contextlib import suppress
from typing import Final, Self

from bus.errors import OverspillError

_PIECE: Final = 4096
"""Bytes that a pipe takes at once when it takes any (PIPE_BUF of Linux)."""
_FULL_STILL_S: Final = 0.02
"""Before a terminal that has room, but not for the next character, is tried again."""


class NotWritten(OverspillError):
    """Standard output takes nothing."""


def need_standard_output() -> None:
    """Raises NotWritten when it is closed, and its number may be any file's or socket's that was opened since."""
    if sys.stdout is None:
        raise NotWritten("Standard output is closed: run it without `>&-`, or send the output to a file or /dev/null.")


class Output:
    """Writes to a file descriptor in whole pieces, waiting for room on the loop."""

    def __init__(self, descriptor: int) -> None:
        self._given = self._fd = descriptor
        self._watched = False
        self.closed = asyncio.Event()
        """Set when whoever read a pipe has gone, also while there is nothing to write."""

    def __enter__(self) -> Self:
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISFIFO(mode):
            # The writing end of a pipe is never readable, but wakes who waits for that when the reader goes.
            asyncio.get_running_loop().add_reader(self._fd, self._gone)
            self._watched = True
        elif os.isatty(self._fd):
            # Opened anew, for the flag would else hold for everybody who shares the terminal, the shell included.
            with suppress(OSError):
                self._fd = os.open(os.ttyname(self._fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._unwatch()
        if self._fd != self._given:
            os.close(self._fd)
            self._fd = self._given

    def _unwatch(self) -> None:
        if self._watched:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._watched = False

    def _gone(self) -> None:
        self.closed.set()
        self._unwatch()

    async def write(self, text: str) -> None:
        """Write all of it. Raises BrokenPipeError when nobody reads, NotWritten when it can't be written."""
        data = text.encode(errors="replace")
        while data:
            await self._room()
            try:
                data = data[os.write(self._fd, data[:_PIECE]) :]
            except BlockingIOError:
                await asyncio.sleep(_FULL_STILL_S)
            except BrokenPipeError:
                raise
            except OSError as error:
                why = error.strerror or error
                raise NotWritten(f"Standard output takes no more ({why}): make room, or send it elsewhere.") from None

    async def _room(self) -> None:
        if select.select([], [self._fd], [], 0)[1]:
            return
        loop = asyncio.get_running_loop()
        room = asyncio.Event()
        with suppress(PermissionError):  # a file on a disk: it has room
            loop.add_writer(self._fd, room.set)
            try:
                await room.wait()
            finally:
                loop.remove_writer(self._fd)
