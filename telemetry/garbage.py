"""Events, and what comes among them that is none: anybody may publish any number of those, so few are told. Pure."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Final

from bus.errors import BadInput
from bus.events import AnyEvent, read_event
from bus.messages import Message

EVERY_S: Final = 60.0
MOST_KEYS: Final = 100
"""Routing keys told apart; what comes under others in the same minute counts as one."""
OTHERS: Final = ""


class EventReader:
    """Reads events. What is none is passed over, and told of: once a minute for each routing key."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._garbage = Garbage()

    def read(self, message: Message, now: float) -> AnyEvent | None:
        """The event that a message holds, or None; `now` is any clock's, in seconds."""
        try:
            return read_event(message.body)
        except BadInput as error:
            key = message.routing_key
            if (more := self._garbage.met(key, now)) is not None:
                whose = f"What came under {key!r:.80} is no event of overspill's, and passed over{more}"
                self._tell(f"{whose}: {error.problem.detail}")
            return None


@dataclass(slots=True)
class Garbage:
    """What was passed over, by routing key: to be told once a minute each, with the number since."""

    _told: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict)

    def met(self, key: str, now: float) -> str | None:
        """What to add when this one is told, such as " (and 7 more since)"; None when it need not be told."""
        key = key if key in self._told or self._has_room(now) else OTHERS
        at, more = self._told.get(key, (-inf, 0))
        if now - at < EVERY_S:
            self._told[key] = (at, more + 1)
            return None
        self._told[key] = (now, 0)
        self._told.move_to_end(key)
        return f" (and {more} more since the last that was told)" if more else ""

    def _has_room(self, now: float) -> bool:
        while len(self._told) >= MOST_KEYS:
            key, (at, _) = next(iter(self._told.items()))
            if now - at < EVERY_S:
                return False
            del self._told[key]
        return True
