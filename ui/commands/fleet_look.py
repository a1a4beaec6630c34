"""Listening to the fleet for a moment, or for as long as someone looks."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from rich.console import Console
from rich.live import Live

from bus.events import RouterStatus
from bus.rabbit import Bus, Delivery
from bus.settings import Settings
from bus.topology import shared
from telemetry.fleet import Fleet, Rules
from telemetry.garbage import EventReader
from ui.commands.fleet_view import Thresholds, as_json, render
from ui.fleet.heard import BINDINGS, Heard
from ui.fleet.look import Look, PageSeen, queues_of
from ui.stack.page import ADDRESS
from ui.stack.processes import serves
from ui.stack.state import CONNECT_WITHIN_S, running

log = logging.getLogger(__name__)

_LISTEN_BEATS = 1.5
_ROUTER_WITHIN_S = 2.0
_REFRESH_S = 1.0


class Listener:
    """Hears the fleet on a bus."""

    def __init__(self, chosen: Settings) -> None:
        self._heard = Heard(Fleet(Rules.of(chosen)))
        self._events = EventReader(log.info)
        self.router_heard = asyncio.Event()

    def hear(self, delivery: Delivery) -> None:
        """Take in a message; what can't be read is passed over."""
        now = time.monotonic()
        event = self._events.read(delivery.message, now)
        if event is not None:
            self._heard.hear(event, now)
        if isinstance(event, RouterStatus):
            self.router_heard.set()

    async def look(self, bus: Bus) -> Look:
        """Everything as it is now. Raises Disconnected."""
        vms = self._heard.fleet.views(time.monotonic())
        return self._heard.look(await bus.depths(queues_of(vms)), time.monotonic())


async def looks(chosen: Settings, url: str) -> AsyncGenerator[Look, None]:
    """One look at the fleet after the other, a second apart.

    Raises SetupError when no broker answers, Disconnected when it goes.
    """
    listener = Listener(chosen)
    bus = Bus(url, name="status", topology=shared())
    await bus.listen(BINDINGS, listener.hear)
    await bus.start(CONNECT_WITHIN_S)
    try:
        await _listen_a_little(listener, chosen.beat_interval_s * _LISTEN_BEATS)
        while True:
            yield replace(await listener.look(bus), page=await asyncio.to_thread(page_seen, chosen, url))
            await asyncio.sleep(_REFRESH_S)
    finally:
        await bus.close()


def page_seen(chosen: Settings, amqp_url: str) -> PageSeen | None:
    """The page of the stack here, when it is the one on this broker."""
    stack = running(chosen.state_dir)
    told = stack.environ if stack is not None else {}
    at = told.get(ADDRESS) if told.get("AMQP_URL") == amqp_url else None
    return PageSeen(at, serves(at)) if at else None


async def _listen_a_little(listener: Listener, seconds: float) -> None:
    """Long enough for each VM's beat, and for a router if there is one."""
    router = asyncio.create_task(listener.router_heard.wait())
    await asyncio.gather(asyncio.sleep(seconds), asyncio.wait({router}, timeout=_ROUTER_WITHIN_S))
    router.cancel()


async def show_lines(chosen: Settings, url: str, *, watch: bool) -> None:
    """A JSON object a look."""
    async with aclosing(looks(chosen, url)) as seen:
        async for look in seen:
            print(json.dumps(as_json(look)), flush=True)
            if not watch:
                return


async def show_table(chosen: Settings, url: str, *, watch: bool) -> None:
    """A table, kept up to date when someone wants to watch."""
    thresholds = Thresholds(chosen.cpu_threshold, chosen.ram_threshold)
    console = Console()
    async with aclosing(looks(chosen, url)) as seen:
        first = render(await anext(seen), thresholds)
        if not watch:
            console.print(first)
            return
        with Live(first, console=console, auto_refresh=False) as live:
            async for look in seen:
                live.update(render(look, thresholds), refresh=True)
