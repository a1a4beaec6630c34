"""Asks the broker, rarely, how much lies in the queues that an operator wants to know of."""

from collections.abc import Mapping
from typing import Final

from bus.rabbit import Bus
from bus.topology import (
    DEAD,
    JOBS_RETURNED,
    JOBS_UNKNOWN,
    LANES,
    OPERATIONS,
    OVERFLOW,
    lane,
    parked_queue,
)

EVERY_S: Final = 15.0
"""As often as Prometheus usually scrapes."""
_SUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "lanes": tuple(map(lane, range(LANES))),
    "parked": tuple(map(parked_queue, OPERATIONS)),
    **{queue: (queue,) for queue in (DEAD, OVERFLOW, JOBS_UNKNOWN, JOBS_RETURNED)},
}


def summed(ready: Mapping[str, int | None]) -> dict[str, float]:
    """The messages of each queue, or sum of queues; what is not there is left out."""
    told = {
        name: [count for queue in queues if (count := ready.get(queue)) is not None] for name, queues in _SUMS.items()
    }
    return {name: float(sum(counts)) for name, counts in told.items() if counts}


async def ask(bus: Bus) -> dict[str, float]:
    """The messages ready by label. Raises BusError when the broker can't be asked."""
    return summed(await bus.depths(queue for queues in _SUMS.values() for queue in queues))
