"""`overspill top` on a terminal: a frame a second, and what the keys change of it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import rich.screen
from rich.console import Console
from rich.text import Text

from bus.settings import Settings
from ui.tail.output import NotWritten, Output
from ui.top.bars import ASCII, BLOCKS, Glyphs
from ui.top.keys import END, keyboard
from ui.top.model import SORTS, Frame
from ui.top.view import render
from ui.top.watch import Watch, watching

_REFRESH_S: Final = 1.0
_LEAVES_WITHIN_S: Final = 2.0
"""How long a terminal that stands still is waited for at the end."""
_BEGIN: Final = "\x1b[?1049h\x1b[?25l"
"""To the other screen of the terminal, and without a cursor."""
_HOME: Final = "\x1b[H"
_ABORT: Final = "\x18"
"""Whatever sequence was cut off is void."""
_FINISH: Final = "\x1b[0m\x1b[?25h\x1b[?1049l"


async def once(settings: Settings, url: str) -> Frame:
    """One frame. Raises SetupError when no broker answers."""
    async with watching(settings, url) as watch:
        return await watch.first()


async def show(settings: Settings, url: str) -> None:
    """Fill the terminal until `q` or a signal to end. Raises SetupError when no broker answers."""
    async with watching(settings, url) as watch:
        tasks = [asyncio.create_task(watch.count()), asyncio.create_task(watch.read_past())]
        try:
            await Screen(watch).run()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def glyphs_of(console: Console) -> Glyphs:
    """What the terminal can draw."""
    return BLOCKS if console.encoding.startswith("utf") else ASCII


class Screen:
    """A terminal, and how it shows things."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._console = Console()
        self._glyphs = glyphs_of(self._console)
        self._sort, self._skip = 0, 0
        self._held: Frame | None = None
        self._ended = self._asked_to_stop = False
        self._news = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._keys: dict[str, Callable[[], None]] = {
            "q": self._end, END: self._end, "p": self._pause, "s": self._next_sort, "j": self._down, "k": self._up,
        }  # fmt: skip

    async def run(self) -> None:
        """Show frame after frame until the end is asked for; Ctrl-Z gives the terminal back until `fg`."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGTSTP, self._stop)
        loop.add_signal_handler(signal.SIGWINCH, self._news.set)
        while not self._ended:
            with keyboard(sys.stdin.fileno(), self._typed), Output(sys.stdout.fileno()) as output:
                await self._show(output)
            if self._asked_to_stop:
                self._asked_to_stop = False
                os.kill(os.getpid(), signal.SIGSTOP)  # and here it goes on

    async def _show(self, output: Output) -> None:
        """Frame after frame, until there is to be an end or a stop."""
        shown = _BEGIN
        try:
            while not (self._ended or self._asked_to_stop):
                # While a terminal stands still its last frame is on its way: the next ones are left out.
                if self._writing is None:
                    self._writing = asyncio.create_task(self._write(output, shown + self._drawn()))
                    shown = ""
                await self._rest()
        finally:
            cut_off = self._writing
            if cut_off is not None:
                cut_off.cancel()
                await asyncio.gather(cut_off, return_exceptions=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LEAVES_WITHIN_S):
                    await self._write(output, _FINISH if cut_off is None else _ABORT + _FINISH)

    async def _write(self, output: Output, text: str) -> None:
        try:
            await output.write(text)
        except (BrokenPipeError, NotWritten):  # the terminal is gone
            self._end()
        finally:
            self._writing = None

    def _drawn(self) -> str:
        with self._console.capture() as drawn:
            self._console.print(rich.screen.Screen(self._shown()), end="")
        return _HOME + drawn.get()

    async def _rest(self) -> None:
        """Until the next frame is due, or something was typed."""
        try:
            await asyncio.wait_for(self._news.wait(), _REFRESH_S)
        except TimeoutError:
            return
        self._news.clear()

    def _shown(self) -> Text:
        frame = self._held or self._watch.frame()
        self._skip = max(0, min(self._skip, len(frame.look.vms) - 1))
        frame = replace(frame, sort=SORTS[self._sort], skip=self._skip, paused=self._held is not None)
        width, height = self._console.size
        return render(frame, width, height, self._glyphs)

    def _typed(self, key: str) -> None:
        self._keys.get(key, lambda: None)()
        self._news.set()

    def _end(self) -> None:
        self._ended = True
        self._news.set()

    def _stop(self) -> None:
        self._asked_to_stop = True
        self._news.set()

    def _pause(self) -> None:
        self._held = self._watch.frame() if self._held is None else None

    def _next_sort(self) -> None:
        self._sort = (self._sort + 1) % len(SORTS)

    def _down(self) -> None:
        self._skip += 1

    def _up(self) -> None:
        self._skip -= 1
