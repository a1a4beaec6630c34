"""What the overflow has cost lately, read from what bridges told: a budget must outlive the bridge that counts it."""

import logging
from contextlib import aclosing
from typing import Final

from bus.errors import BadInput, BusError
from bus.events import BridgeStatus, read_event
from bus.rabbit import Bus
from bus.topology import EVENTS_HISTORY

log = logging.getLogger(__name__)

LOOK_BACK_S: Final = (120, 3600)
"""How far to look back for a bridge's word: the least first, since a day's events take a while to read."""
A_DAY_S: Final = 86_400
_MARK: Final = b'"kind":"bridge"'


async def last_word(bus: Bus, own_name: str, now_ms: int, *, whole_day: bool) -> BridgeStatus | None:
    """What an active bridge, other than `own_name`, told last; None when none is found, or the history can't be read.

    `whole_day` looks back for a day, else for an hour.
    """
    try:
        for back_s in (*LOOK_BACK_S, A_DAY_S) if whole_day else LOOK_BACK_S:
            found = await _last_since(bus, own_name, now_ms - back_s * 1000)
            if found is not None:
                return found
    except BusError as error:
        log.warning("what the overflow has cost so far is not known: %s", error)
    return None


async def _last_since(bus: Bus, own_name: str, since_ms: int) -> BridgeStatus | None:
    last = None
    async with aclosing(bus.replay(EVENTS_HISTORY, since_ms, lambda body: _MARK in body[:40])) as told:
        async for message in told:
            status = _read(message.body)
            if status is not None and status.active and status.bridge != own_name:
                last = status
    return last


def _read(body: bytes) -> BridgeStatus | None:
    try:
        event = read_event(body)
    except BadInput:
        return None
    return event if isinstance(event, BridgeStatus) else None
