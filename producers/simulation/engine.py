"""Time that jumps from one event to the next."""

import heapq
import itertools
from collections.abc import Callable
from typing import Any

Action = Callable[..., object]


class Engine:
    """Runs what is scheduled in the order of its time; what falls together runs in the order it was scheduled."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the simulation began."""
        self._events: list[tuple[float, int, Action, tuple[Any, ...]]] = []
        self._numbers = itertools.count()

    def at(self, when: float, action: Action, *arguments: Any) -> None:
        """Run `action` at second `when`."""
        heapq.heappush(self._events, (when, next(self._numbers), action, arguments))

    def after(self, delay: float, action: Action, *arguments: Any) -> None:
        """Run `action` in `delay` seconds."""
        heapq.heappush(self._events, (self.now + delay, next(self._numbers), action, arguments))

    def step(self) -> None:
        """Run the next event. Raises IndexError when there is none."""
        self.now, _, action, arguments = heapq.heappop(self._events)
        action(*arguments)
