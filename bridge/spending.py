"""What the overflow has cost lately, read from what bridges told: a budget must outlive the bridge that counts it."""

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


async def last_word(bus: Bus, now_ms: int, *, whole_day: bool) -> BridgeStatus | None:
    """What an active bridge told last; None when none is found.

    It may bear our own name: a container that is started anew keeps host name and process id. `whole_day` looks back
    for a day, else for an hour. Raises BusError when the history can't be read.
    """
    try:
        for back_s in (*LOOK_BACK_S, A_DAY_S) if whole_day else LOOK_BACK_S:
            found = await _last_since(bus, now_ms - back_s * 1000)
            if found is not None:
                return found
    except TimeoutError as error:
        raise BusError(f"the history can't be read: {error}") from None
    return None


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


async def _last_since(bus: Bus, since_ms: int) -> BridgeStatus | None:
    last = None
    async with aclosing(bus.replay(EVENTS_HISTORY, since_ms, lambda body: _MARK in body[:40])) as told:
        async for message in told:
            status = _read(message.body)
            if status is not None and status.active:
                last = status
    return last


def _read(body: bytes) -> BridgeStatus | None:
    try:
        event = read_event(body)
    except BadInput:
        return None
    return event if isinstance(event, BridgeStatus) else None
