"""Counts what this process's connection to the broker does."""

from bus.rabbit.observing import Observer
from telemetry.metrics import families as f
from telemetry.metrics.board import Board


class Connections(Observer):
    """Told by `bus.rabbit`, on the connection's loop."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def connected(self) -> None:
        """A connection works."""
        self._board.add(f.BUS_CONNECTS)
        self._board.add(f.BUS_CONNECTED)

    def disconnected(self, *, lost: bool) -> None:
        """It has ended."""
        self._board.add(f.BUS_CONNECTED, amount=-1.0)
        self._board.set(f.BUS_BLOCKED, value=0)
        if lost:
            self._board.add(f.BUS_LOST)

    def blocked(self, *, now: bool) -> None:
        """The broker takes messages, or (when `now`) none."""
        self._board.set(f.BUS_BLOCKED, value=now)

    def confirmed(self, after_s: float, *, taken: bool) -> None:
        """A publish was answered after so many seconds."""
        self._board.observe(f.BUS_CONFIRM, value=after_s)
        if not taken:
            self._board.add(f.BUS_REFUSED)

    def buried(self) -> None:
        """A job is in `dead`."""
        self._board.add(f.BURIED)
