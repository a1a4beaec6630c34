"""`overspill top` on a terminal: a frame a second, and what the keys change of it."""

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bus.settings import Settings
from ui.top.bars import ASCII, BLOCKS, Glyphs
from ui.top.keys import END, keyboard
from ui.top.model import SORTS, Frame
from ui.top.view import render
from ui.top.watch import Watch, watching

_REFRESH_S: Final = 1.0


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
        self._ended = False
        self._news = asyncio.Event()
        self._keys: dict[str, Callable[[], None]] = {
            "q": self._end, END: self._end, "p": self._pause, "s": self._next_sort, "j": self._down, "k": self._up,
        }  # fmt: skip

    async def run(self) -> None:
        """Show frame after frame until the end is asked for."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._end)
        asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, self._news.set)
        live = Live(console=self._console, screen=True, auto_refresh=False, redirect_stdout=False)
        with keyboard(sys.stdin.fileno(), self._typed), live:
            while not self._ended:
                live.update(self._shown(), refresh=True)
                await self._rest()

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

    def _pause(self) -> None:
        self._held = self._watch.frame() if self._held is None else None

    def _next_sort(self) -> None:
        self._sort = (self._sort + 1) % len(SORTS)

    def _down(self) -> None:
        self._skip += 1

    def _up(self) -> None:
        self._skip -= 1
