"""The keyboard, on a real pseudo-terminal."""

import asyncio
import os
import pty
import termios

import pytest

from ui.top.keys import END, keyboard, keys_of


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"q", ["q"]),
        (b"sp", ["s", "p"]),
        (b"\x1b[A", ["k"]),
        (b"\x1bOB", ["j"]),
        (b"\x1b[15~", []),
        (b"\x03\xff\n", []),
    ],
)
def test_what_was_typed(typed: bytes, keys: list[str]) -> None:
    assert keys_of(typed) == keys


async def test_keys_are_told_as_they_are_typed_and_the_terminal_is_as_before() -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    told: asyncio.Queue[str] = asyncio.Queue()
    with pytest.raises(RuntimeError, match="any end"), keyboard(theirs, told.put_nowait):  # noqa: PT012 (what it is under)
        assert not termios.tcgetattr(theirs)[3] & (termios.ECHO | termios.ICANON)
        assert not termios.tcgetattr(theirs)[0] & termios.IXON, "Ctrl-S would stop the screen"
        os.write(ours, b"p")
        assert await told.get() == "p"
        raise RuntimeError("any end")
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


async def test_a_terminal_that_goes_is_told() -> None:
    ours, theirs = pty.openpty()
    told: asyncio.Queue[str] = asyncio.Queue()
    with keyboard(theirs, told.put_nowait):
        os.close(ours)
        assert await told.get() == END
    os.close(theirs)


async def test_what_is_no_terminal_is_left_alone() -> None:
    reading, writing = os.pipe()
    with keyboard(reading, pytest.fail):
        os.write(writing, b"q")
        await asyncio.sleep(0)
    os.close(reading)
    os.close(writing)
