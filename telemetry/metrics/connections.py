"""Counts what this process's connection to the broker does."""

from bus.rabbit.observing import Observer
from telemetry.metrics import families as f
from telemetry.metrics.board import Board


class Connections(Observer):
    """Told by `bus.rabbit`, on the connection's loop."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._blocked = 0
        """Connections that are blocked: a process may have several."""

    def connected(self) -> None:
        """A connection works."""
        self._board.add(f.BUS_CONNECTS)
        self._board.add(f.BUS_CONNECTED)

    def disconnected(self, *, lost: bool) -> None:
        """It has ended."""
        self._board.add(f.BUS_CONNECTED, amount=-1.0)
        if lost:
            self._board.add(f.BUS_LOST)

    def blocked(self, *, now: bool) -> None:
        """On one more connection the broker takes no messages, or (not `now`) on one fewer."""
        self._blocked += 1 if now else -1
        self._board.set(f.BUS_BLOCKED, value=self._blocked > 0)

    def confirmed(self, after_s: float, *, taken: bool) -> None:
        """A publish was answered after so many seconds."""
        self._board.observe(f.BUS_CONFIRM, value=after_s)
        if not taken:
            self._board.add(f.BUS_REFUSED)

    def buried(self) -> None:
        """A job is in `dead`."""
        self._board.add(f.BURIED)
