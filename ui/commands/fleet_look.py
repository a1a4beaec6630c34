"""Listening to the fleet for a moment, or for as long as someone looks."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rich.console import Console
from rich.live import Live

from bus.errors import BadInput
from bus.events import BridgeStatus, Heartbeat, RouterStatus, read_event
from bus.rabbit import Bus, Delivery
from bus.settings import Settings
from bus.topology import EVENTS, HEARTBEATS, shared
from telemetry.fleet import Fleet, Rules
from ui.commands.fleet_view import Look, Thresholds, as_json, as_told, queues_of, render

log = logging.getLogger(__name__)

_CONNECT_WITHIN_S = 3.0
_LISTEN_BEATS = 1.5
_ROUTER_WITHIN_S = 2.0
_GONE_S = 4.0
"""Silence after which a router or a bridge is gone: each says something once a second."""
_KEYS = ("router.status", "bridge.*")
_REFRESH_S = 1.0


@dataclass(slots=True)
class Listener:
    """What is heard on the bus."""

    fleet: Fleet
    routers: dict[str, tuple[RouterStatus, float]] = field(default_factory=dict)
    bridges: dict[str, tuple[BridgeStatus, float]] = field(default_factory=dict)
    router_heard: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, delivery: Delivery) -> None:
        """Take in a heartbeat, or a router's or a bridge's word; anything else is passed over."""
        try:
            event = read_event(delivery.message.body)
        except BadInput as error:
            log.info("passing over garbage: %s", error.problem.detail)
            return
        now = time.monotonic()
        if isinstance(event, Heartbeat):
            self.fleet.heard(event, now)
        elif isinstance(event, RouterStatus):
            self.routers[event.router] = (event, now)
            self.router_heard.set()
        elif isinstance(event, BridgeStatus):
            self.bridges[event.bridge] = (event, now)

    async def look(self, bus: Bus) -> Look:
        """Everything as it is now. Raises Disconnected."""
        now = time.monotonic()
        self.fleet.tick(now)
        vms = sorted(self.fleet.views(now).values(), key=lambda vm: vm.name)
        depths = await bus.depths(queues_of(vms))
        heard = Look(vms, _lately(self.routers, now), depths, now, _lately(self.bridges, now))
        return replace(heard, vms=as_told(vms, heard.active))


Said = TypeVar("Said", RouterStatus, BridgeStatus)


def _lately(said: Mapping[str, tuple[Said, float]], now: float) -> list[Said]:
    """What was said lately, the last word first."""
    heard = sorted(said.values(), key=lambda status: status[1], reverse=True)
    return [status for status, heard_at in heard if now - heard_at <= _GONE_S]


async def looks(chosen: Settings, url: str) -> AsyncGenerator[Look, None]:
    """One look at the fleet after the other, a second apart.

    Raises SetupError when no broker answers, Disconnected when it goes.
    """
    listener = Listener(Fleet(Rules.of(chosen)))
    bus = Bus(url, name="status", topology=shared())
    await bus.listen([(HEARTBEATS, ""), *((EVENTS, key) for key in _KEYS)], listener.hear)
    await bus.start(_CONNECT_WITHIN_S)
    try:
        await _listen_a_little(listener, chosen.beat_interval_s * _LISTEN_BEATS)
        while True:
            yield await listener.look(bus)
            await asyncio.sleep(_REFRESH_S)
    finally:
        await bus.close()


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
