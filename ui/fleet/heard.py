"""What is heard of the fleet on the bus, folded into what can be looked at. Pure.

`now` is the listener's monotonic clock in seconds; or, when the past is told again, the clock of what is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from bus.events import AnyEvent, BridgeStatus, Heartbeat, RouterStatus
from bus.topology import EVENTS, HEARTBEATS
from telemetry.fleet import Change, Fleet
from ui.fleet.look import Look, as_told

GONE_S: Final = 4.0
"""Silence after which a router or a bridge is gone: each says something once a second."""
BINDINGS: Final = ((HEARTBEATS, ""), (EVENTS, "router.status"), (EVENTS, "bridge.*"))
"""(exchange, key) pairs of all that `Heard` takes in."""


@dataclass(slots=True)
class Heard:
    """The fleet, the routers and the bridges, as they speak."""

    fleet: Fleet
    routers: dict[str, tuple[RouterStatus, float]] = field(default_factory=dict)
    bridges: dict[str, tuple[BridgeStatus, float]] = field(default_factory=dict)

    def hear(self, event: AnyEvent, now: float) -> list[Change]:
        """Take in a heartbeat, or a router's or a bridge's word; returns the VMs that it put into another state."""
        if isinstance(event, Heartbeat):
            return self.fleet.heard(event, now)
        if isinstance(event, RouterStatus):
            self.routers[event.router] = (event, now)
        elif isinstance(event, BridgeStatus):
            self.bridges[event.bridge] = (event, now)
        return []

    def look(self, depths: Mapping[str, int | None], now: float) -> Look:
        """Everything as of `now`; `depths` is what was counted, messages ready by queue."""
        self.fleet.tick(now)
        vms = sorted(self.fleet.views(now).values(), key=lambda vm: vm.name)
        heard = Look(vms, _lately(self.routers, now), depths, now, _lately(self.bridges, now))
        return replace(heard, vms=as_told(vms, heard.active, now))


Said = TypeVar("Said", RouterStatus, BridgeStatus)


def _lately(said: dict[str, tuple[Said, float]], now: float) -> list[Said]:
    """What was said lately, the last word first; who has fallen silent is forgotten."""
    for name in [name for name, (_, heard_at) in said.items() if now - heard_at > GONE_S]:
        del said[name]
    heard = sorted(said.values(), key=lambda status: status[1], reverse=True)
    return [status for status, _ in heard]
