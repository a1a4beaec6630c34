"""`overspill top` on a real pseudo-terminal and a real broker."""

import asyncio
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.events import event_message
from bus.rabbit import Bus
from bus.topology import EVENTS, HEARTBEATS, shared
from tests.ui.commands.conftest import PROJECT
from tests.ui.top.frames import ROUTER, beat

pytestmark = pytest.mark.broker


class Terminal:
    """`overspill top` as a person sees it."""

    def __init__(self, url: str, folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        self._theirs = theirs
        self.before = termios.tcgetattr(theirs)
        self.resize(80, 24)
        self.seen = ""
        kept = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES", "NO_COLOR"}}
        environment = {"AMQP_URL": url, "OVERSPILL_STATE_DIR": str(folder), "PYTHONPATH": str(PROJECT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ui.cli", "top"],
            env=kept | environment | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def fill(self) -> None:
        """Have it draw far more than the 64 KiB that a terminal takes, and read nothing."""
        self.resize(400, 100)
        for _ in range(20):
            self.type(b"s")
            time.sleep(0.05)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    async def until(self, pattern: str) -> None:
        """Read until it shows something that was not there before."""
        self.seen = ""
        while not re.search(pattern, self.seen):
            ready, _, _ = await asyncio.to_thread(select.select, [self._ours], [], [], 20)
            assert ready, f"{pattern!r} never came: {self.seen!r}"
            self.seen += os.read(self._ours, 65_536).decode(errors="replace")

    async def end(self) -> int:
        """Wait for its end, reading what it still writes."""
        waiting = asyncio.create_task(asyncio.to_thread(self.process.wait, 30))
        await self.until(r"\x1b\[\?1049l")  # the end of the alternate screen
        return await waiting

    @property
    def is_restored(self) -> bool:
        return termios.tcgetattr(self._theirs) == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal(amqp_url: str, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(amqp_url, tmp_path)
    yield terminal
    terminal.close()


async def test_vms_appear_keys_are_heeded_and_the_terminal_is_as_before(terminal: Terminal, amqp_url: str) -> None:
    await terminal.until("none is heard")
    async with Bus(amqp_url, name="fleet", topology=shared()) as bus:
        bus.post(EVENTS, event_message(ROUTER, ROUTER.key))
        bus.post(HEARTBEATS, event_message(beat("vm1", 77.0), ""))
        await terminal.until("vm1 .*!77%")
        terminal.type(b"s")
        await terminal.until("VM by load")
        terminal.type(b"p")
        await terminal.until("PAUSED")
        terminal.type(b"pj")
        await terminal.until(" UTC  127")
        terminal.resize(40, 10)
        terminal.process.send_signal(signal.SIGWINCH)
        await terminal.until("…")
        terminal.type(b"q")
    assert await terminal.end() == 0
    assert terminal.is_restored


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_to_end_restores_the_terminal(terminal: Terminal, number: signal.Signals) -> None:
    await terminal.until("listening for them")
    terminal.process.send_signal(number)
    assert await terminal.end() == 0
    assert terminal.is_restored


async def test_a_terminal_that_stands_still_keeps_it_from_nothing(terminal: Terminal) -> None:
    await terminal.until("listening for them")
    await asyncio.to_thread(terminal.fill)
    terminal.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(terminal.process.wait, 30) == 0
    assert terminal.is_restored


async def test_a_terminal_that_goes_on_shows_whole_frames_and_the_end(terminal: Terminal) -> None:
    await terminal.until("none is heard")
    await asyncio.to_thread(terminal.fill)
    await terminal.until(r"none is heard(?s:.*)none is heard")
    terminal.type(b"q")
    assert await terminal.end() == 0
    assert terminal.is_restored


async def test_a_stop_gives_the_terminal_back_until_it_goes_on(terminal: Terminal) -> None:
    await terminal.until("listening for them")
    terminal.process.send_signal(signal.SIGTSTP)
    await terminal.until(r"\x1b\[\?25h\x1b\[\?1049l")
    _, status = await asyncio.to_thread(os.waitpid, terminal.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert terminal.is_restored
    terminal.process.send_signal(signal.SIGCONT)
    await terminal.until(r"\x1b\[\?1049h(?s:.*)none is heard")
    terminal.type(b"q")
    assert await terminal.end() == 0
    assert terminal.is_restored
