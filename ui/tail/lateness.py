"""Whether events are shown as they happen, or later and later. Pure."""

from dataclasses import dataclass
from typing import Final

from ui.commands.wording import short

_LATE_MS: Final = 10_000
_EVENTS: Final = 200
"""Late ones in a row before it is said: of one machine whose clock is slow there are not as many among the others."""


@dataclass(slots=True)
class Lateness:
    """How late events come, once they have come in time: the past takes as long as it takes."""

    caught_up: bool
    """Whether there was no past to begin with."""
    late: int = 0

    def told(self, at_ms: int, now_ms: int) -> str | None:
        """What to say of an event of `at_ms` that is shown at `now_ms`, if anything."""
        if now_ms - at_ms < _LATE_MS:
            self.caught_up, self.late = True, 0
            return None
        self.late += self.caught_up
        if self.late != _EVENTS:
            return None
        behind = short((now_ms - at_ms) / 1000)
        return f"{behind} behind: what reads this is slower than events are told. None is skipped, and no job waits."
