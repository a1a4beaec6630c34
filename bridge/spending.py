"""What the overflow has cost lately, read from what bridges told: a budget must outlive the bridge that counts it."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Final

from bridge.budget import MINUTE_S, Budget
from bridge.tickets import Ticket
from bus.errors import BadInput, BusError
from bus.events import BridgeStatus, read_event
from bus.rabbit import Bus
from bus.topology import EVENTS_HISTORY

LOOK_BACK_S: Final = (120, 3600)
"""How far to look back for a bridge's word: the least first, since a day's events take a while to read."""
A_DAY_S: Final = 86_400
_MARK: Final = b'"kind":"bridge"'


async def last_word(bus: Bus, began_ms: int, *, us: str, whole_day: bool) -> BridgeStatus | None:
    """What an active bridge told last before us, with all that was told to be spent; None when none is found.

    We are `us`, and began at `began_ms`. A predecessor may bear our own name, since a container that is started anew
    keeps host name and process id: of that name what was told earlier is his. `whole_day` looks back for a day, unless
    he is found to have done so; else an hour has to do. Raises BusError when the history can't be read.
    """
    found = None
    try:
        for back_s in (*LOOK_BACK_S, A_DAY_S) if whole_day else LOOK_BACK_S:
            found = await _last_since(
                bus, began_ms - back_s * 1000, lambda told: told.bridge == us and told.at_ms >= began_ms
            )
            if found is not None and (not whole_day or found.money_per_day is not None):
                return found
    except TimeoutError as error:
        raise BusError(f"the history can't be read: {error}") from None
    return found


def restore(budget: Budget, told: BridgeStatus | None, tickets: list[Ticket], now: float, wall_s: float) -> None:
    """Count what was told, and the jobs whose tickets tell that they were sent after that.

    Args:
        budget: What to count it in; it may have counted some of it itself.
        told: The last word of an active bridge.
        tickets: Those of the jobs in the cloud.
        now: Seconds of the budget's monotonic clock.
        wall_s: Seconds since the epoch.
    """
    told_ms = 0
    if told is not None:
        told_ms = told.at_ms
        budget.restore(told.spent_by_hour, wall_s)
        is_fresh = wall_s - told_ms / 1000 < MINUTE_S
        for _ in range(told.sent_last_minute - budget.sent_last_minute(now) if is_fresh else 0):
            budget.sent(0.0, now, wall_s)
    for ticket in tickets:
        if ticket.sent_ms > max(told_ms, (wall_s - A_DAY_S) * 1000):
            budget.sent(ticket.cost, now, wall_s)


async def _last_since(bus: Bus, since_ms: int, is_ours: Callable[[BridgeStatus], bool]) -> BridgeStatus | None:
    last, spent = None, dict[str, dict[str, float]]()
    async with aclosing(bus.replay(EVENTS_HISTORY, since_ms, lambda body: _MARK in body[:40])) as told:
        async for message in told:
            status = _read(message.body)
            if status is not None and status.active and not is_ours(status):
                last = status
                spent[status.bridge] = spent.get(status.bridge, {}) | status.spent_by_hour
    return None if last is None else last.model_copy(update={"spent_by_hour": _most(spent.values())})


def _most(told: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """By hour what any bridge told last: one without a cap may have begun without knowing what others had spent."""
    most: dict[str, float] = {}
    for by_hour in told:
        most |= {hour: max(spent, most.get(hour, 0.0)) for hour, spent in by_hour.items()}
    return most


def _read(body: bytes) -> BridgeStatus | None:
    try:
        event = read_event(body)
    except BadInput:
        return None
    return event if isinstance(event, BridgeStatus) else None
