"""When the next sample is due: once a second, and at once for what is news, however much that is. Pure.

`since_s` is how long ago the last sample was told, seconds; `wall_ms` the wall clock.
"""

from typing import Final

TICK_S: Final = 0.2
"""How often silence is looked for: a VM is seen to be lost at most so much late."""
HURRIED_S: Final = 0.2
"""Between two samples of one second, however much happens."""


def is_due(since_s: float, *, turned: bool, news: bool) -> bool:
    """Whether to tell a sample now: a second is over (`turned`), or there is news and the last sample is old enough."""
    return turned or (news and since_s >= HURRIED_S)


def rest_s(since_s: float, *, news: bool) -> float:
    """Seconds to wait, come what may: news that follows upon a sample goes with all that comes in that time."""
    return max(0.0, HURRIED_S - since_s) if news else 0.0


def doze_s(wall_ms: int) -> float:
    """Seconds to wait for news: a tick at most, and no longer than to the end of the second."""
    return min(TICK_S, 1.001 - wall_ms % 1000 / 1000)
