"""The keyboard of a terminal, key by key and without an echo; the terminal is as before at every end."""

import asyncio
import atexit
import os
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

END: Final = ""
"""Given in place of a key when the terminal is gone."""
_ARROWS: Final = {b"\x1b[A": "k", b"\x1b[B": "j", b"\x1bOA": "k", b"\x1bOB": "j"}
_READ: Final = 64


def keys_of(typed: bytes) -> list[str]:
    """What was typed, a key each; arrows up and down are `k` and `j`, other escape sequences are nothing."""
    if typed.startswith(b"\x1b"):
        return [_ARROWS[typed]] if typed in _ARROWS else []
    return [chr(byte) for byte in typed if 32 <= byte < 127]


@contextmanager
def keyboard(descriptor: int, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell each key that is typed at this terminal, on the running event loop. What is no terminal tells nothing."""
    if not os.isatty(descriptor):
        yield
        return
    loop, before = asyncio.get_running_loop(), termios.tcgetattr(descriptor)

    def restore() -> None:
        with suppress(termios.error, ValueError, OSError):
            termios.tcsetattr(descriptor, termios.TCSANOW, before)  # one that stands still would not drain

    def read() -> None:
        typed = _typed(descriptor)
        if not typed:
            loop.remove_reader(descriptor)
            tell(END)
        for key in keys_of(typed):
            tell(key)

    atexit.register(restore)  # also when what is below is never reached
    try:
        _key_by_key(descriptor)
        loop.add_reader(descriptor, read)
        yield
    finally:
        loop.remove_reader(descriptor)
        restore()
        atexit.unregister(restore)


def _key_by_key(descriptor: int) -> None:
    tty.setcbreak(descriptor, termios.TCSANOW)
    modes = termios.tcgetattr(descriptor)
    modes[0] &= ~termios.IXON  # Ctrl-S is a key that does nothing; it would stop the screen, and what restores it
    termios.tcsetattr(descriptor, termios.TCSANOW, modes)


def _typed(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ)
    except OSError:  # the terminal is gone
        return b""
