"""The past told again: events that were kept, folded into the rows of the seconds in which they were told. Pure."""

from typing import Final

from bus.events import AnyEvent
from ui.web.live.board import Board
from ui.web.live.columns import Columns

LEAD_S: Final = 4
"""Seconds read before those that are wanted: what a VM said last before them still holds."""
_NEAR_MS: Final = 5000
_AGREE: Final = 5
_WANTED: Final = tuple(
    f'{{"kind":{kind}'.encode()
    for kind in (
        '"heartbeat"',
        '"router"',
        '"bridge"',
        '"job","state":"routed"',
        '"job","state":"done"',
        '"job","state":"failed"',
    )
)


def wanted(body: bytes) -> bool:
    """Whether an event counts here, told by how it begins: parsing all of them would take several times as long."""
    return body.startswith(_WANTED)


class Past:
    """Folds events of the past, oldest first, into the rows from second `first` up to, and without, second `end`.

    The events were told by many machines, each by its own clock. One that is seconds ahead of all before it is believed
    only when the next few agree: one machine whose clock is wrong is outvoted, and a time in which nothing was told is
    passed over all the same.
    """

    def __init__(self, board: Board, columns: Columns, *, first: int, end: int) -> None:
        self.board = board
        self._columns = columns
        self._first, self._end = first, end
        self._waiting: list[AnyEvent] = []
        self._now_ms = (first - LEAD_S) * 1000
        self._begun = False

    @property
    def over(self) -> bool:
        """Whether the last of the seconds wanted has been told."""
        return self._now_ms >= self._end * 1000

    def tell(self, event: AnyEvent) -> None:
        """Take in the next event."""
        self._waiting.append(event)
        if not self._is_far(event):
            self._take_waiting()
        elif len(self._waiting) >= _AGREE:
            self._believe_waiting()

    def _is_far(self, event: AnyEvent) -> bool:
        return event.at_ms > self._now_ms + _NEAR_MS

    def _believe_waiting(self) -> None:
        self._go_on(min(event.at_ms for event in self._waiting))
        self._take_waiting()

    def _take_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._take(event)

    def _take(self, event: AnyEvent) -> None:
        if not self._is_far(event):
            self._go_on(event.at_ms)
        if not self.over:
            self.board.hear(event, self._now_ms / 1000)
            self._begun = True

    def finish(self) -> None:
        """Nothing more is told: what is left of the seconds passes in silence."""
        if self._waiting:
            self._believe_waiting()
        self._go_on(self._end * 1000)

    def _go_on(self, at_ms: int) -> None:
        """Let time pass, up to the end at most; a second that is over becomes a row, once something was told at all."""
        until_ms = min(at_ms, self._end * 1000)
        for second in range(self._now_ms // 1000, until_ms // 1000):
            self.board.roll()
            if self._begun and second >= self._first:
                self._columns.write(second, self.board.row(float(second + 1), {}))
        self._now_ms = max(self._now_ms, until_ms)
