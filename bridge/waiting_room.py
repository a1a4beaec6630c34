"""Answers whose reply queue takes no more just now: they wait aside, where they hold up nobody else's. Pure.

What waits is bounded, for each reply queue and for all together; an answer for which there is no room is let come again
out of the cloud.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bus.errors import OverspillError
from bus.messages import Message

MOST: Final = 32 << 20
"""Bytes that wait at a time: half of what may be pulled from Pub/Sub and not settled."""
MOST_OF_ONE: Final = 16 << 20
"""Bytes that wait for the same queue."""
LEAST: Final = 256 << 10
"""What an answer counts for, bytes, however small it is: so 128 wait at the most, and 64 for the same queue."""


class Crowded(OverspillError):
    """There is no room to wait for a reply queue."""


class WaitingRoom:
    """What waits for which reply queue."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        """`most` bytes may wait together, and `most_of_one` of them for the same queue; a larger answer waits alone."""
        self._most = most
        self._most_of_one = most_of_one
        self._waiting = Counter[str]()

    @property
    def bytes(self) -> int:
        """What waits counts for so much."""
        return self._waiting.total()

    def enter(self, queue: str, size: int) -> bool:
        """Whether an answer of `size` bytes may wait for a queue; if so, it counts until `leave`."""
        counts, alike = max(size, LEAST), self._waiting[queue]
        fits_alike = not alike or alike + counts <= self._most_of_one
        fits_all = not self._waiting or self.bytes + counts <= self._most
        if fits_alike and fits_all:
            self._waiting[queue] += counts
        return fits_alike and fits_all

    def leave(self, queue: str, size: int) -> None:
        """It waits no more."""
        self._waiting[queue] -= max(size, LEAST)
        if not self._waiting[queue]:
            del self._waiting[queue]


class Place:
    """Where an answer is while it is dealt with: among the few in hand, or aside in the waiting room."""

    def __init__(self, room: WaitingRoom, step_out: Callable[[], object]) -> None:
        """`step_out` is called once, when it is no longer in hand."""
        self._room = room
        self._step_out = step_out
        self._aside: tuple[str, int] | None = None

    def wait(self, answer: Message) -> None:
        """Its reply queue takes no more just now: make room for others. Raises Crowded when it may not wait."""
        if self._aside is not None:
            return
        aside = answer.routing_key, len(answer.body)
        if not self._room.enter(*aside):
            raise Crowded(f"answers of {self._room.bytes:,} bytes wait for their reply queues already")
        self._aside = aside
        self._step_out()

    def wait_or_stay(self, answer: Message) -> None:
        """As `wait`; but where it may not it stays in hand, since it can't come again."""
        with suppress(Crowded):
            self.wait(answer)

    def leave(self) -> None:
        """It is dealt with, or will come again. Called once."""
        if self._aside is None:
            self._step_out()
        else:
            self._room.leave(*self._aside)
