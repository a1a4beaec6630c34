"""Listening to the bus for `overspill top`: events as they come, counts once a second, and the last minute's past."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from bus.clock import now_ms
from bus.errors import BusError
from bus.events import JobEvent, RouterStatus
from bus.rabbit import Bus, Delivery
from bus.settings import Settings
from bus.topology import EVENTS_HISTORY, shared
from telemetry.garbage import EventReader
from ui.fleet.look import queues_of
from ui.stack.state import CONNECT_WITHIN_S
from ui.top.model import HEARD, PAST_S, Frame, Top, is_past_wanted

log = logging.getLogger(__name__)

_COUNT_EVERY_S: Final = 1.0
_LISTEN_BEATS: Final = 1.5
FIRST_WITHIN_S: Final = 2.0
"""How long the first frame waits for the past and for a router's word."""
MOST_PAST: Final = 20_000
"""Events of the past that are read; of more, the oldest."""
_BREATH: Final = 200
"""Events of the past that are parsed in one go, while the keyboard waits."""


class Watch:
    """What there is to see on one bus."""

    def __init__(self, bus: Bus, settings: Settings) -> None:
        self._bus = bus
        self._beat_s = settings.beat_interval_s
        self._events = EventReader(log.info)
        self._top = Top(settings, bus.address, time.monotonic())
        self._router_heard = asyncio.Event()

    def frame(self) -> Frame:
        """All there is to show now."""
        return self._top.frame(time.monotonic(), now_ms(), connected=self._bus.connected)

    def hear(self, delivery: Delivery) -> None:
        """Take in a message; what can't be read is passed over."""
        now = time.monotonic()
        event = self._events.read(delivery.message, now)
        if event is not None:
            self._top.hear(event, now)
        if isinstance(event, RouterStatus):
            self._router_heard.set()

    async def count(self) -> None:
        """Count the queues once a second, as long as there is a connection; for ever."""
        while True:
            await self.count_once()
            await asyncio.sleep(_COUNT_EVERY_S)

    async def count_once(self) -> None:
        """Count the queues; those of VMs are left out, as their beats tell what they hold."""
        try:
            self._top.counted(await self._bus.depths(queues_of([])))
        except BusError as error:
            log.info("the queues were not counted: %s", error)

    async def read_past(self) -> None:
        """Read the last minute's events, so that the rates begin full; a part of them, or none, is no fault."""
        events: list[JobEvent] = []
        with contextlib.suppress(BusError):
            past = self._bus.replay(EVENTS_HISTORY, now_ms() - PAST_S * 1000, is_past_wanted)
            async with aclosing(past):
                async for message in past:
                    event = self._events.read(message, time.monotonic())
                    if isinstance(event, JobEvent):
                        events.append(event)
                    if len(events) == MOST_PAST:
                        break
                    if len(events) % _BREATH == 0:
                        await asyncio.sleep(0)
        self._top.past(events, time.monotonic(), now_ms())

    async def first(self) -> Frame:
        """The first frame that has it all: each VM's beat, a router's word, the counts and the past, if they come."""
        awaited = [asyncio.create_task(self.read_past()), asyncio.create_task(self._router_heard.wait())]
        await asyncio.gather(asyncio.sleep(self._beat_s * _LISTEN_BEATS), self.count_once())
        await asyncio.wait(awaited, timeout=FIRST_WITHIN_S)
        for task in awaited:
            task.cancel()
        await asyncio.gather(*awaited, return_exceptions=True)
        return self.frame()


@asynccontextmanager
async def watching(settings: Settings, url: str) -> AsyncIterator[Watch]:
    """Listen at the broker. Raises SetupError when none answers, or it won't have us."""
    bus = Bus(url, name="top", topology=shared())
    watch = Watch(bus, settings)
    await bus.listen(HEARD, watch.hear)
    await bus.start(CONNECT_WITHIN_S)
    try:
        yield watch
    finally:
        await bus.close()
