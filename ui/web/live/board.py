"""All that is heard of the fleet and its jobs, folded into samples and rows. Pure.

`now` is in seconds: the listener's monotonic clock, or the clock of the past while that is told again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bus.events import AnyEvent, BridgeStatus, Heartbeat, JobEvent, RouterStatus
from bus.settings import Settings
from bus.topology import CLOUD_KEY, LANES, lane, vm_queue
from telemetry.fleet import Fleet, Rules
from telemetry.vm_view import VmView
from ui.fleet.heard import Heard
from ui.fleet.look import Look, counts, queues_of, reasons
from ui.web.live.columns import Name
from ui.web.live.quantiles import Latencies
from ui.web.live.sample import CloudTold, RouterTold, Sample, UserTold, VmTold

WINDOW_S: Final = 300
"""Of the latencies, seconds."""
JUMP: Final = 15.0
"""Percent of CPU by which a reading must move from one beat to the next to be told at once."""
Depths = Mapping[str, int | None]


@dataclass(slots=True)
class Second:
    """What was counted in one second."""

    placed: Counter[str] = field(default_factory=Counter)
    done: int = 0
    failed: int = 0


class Board:
    """The fleet and the jobs of the moment. `roll` is to be called when a second is over."""

    def __init__(self, settings: Settings) -> None:
        self._heard = Heard(Fleet(Rules.of(settings)))
        self._thresholds = (settings.cpu_threshold, settings.ram_threshold)
        self._beats: dict[str, Heartbeat] = {}
        self._this, self._last = Second(), Second()
        self.latencies = Latencies(WINDOW_S)

    # -- in

    def hear(self, event: AnyEvent, now: float) -> bool:
        """Take in an event. Says whether it is news that should not wait for the second to end."""
        if isinstance(event, Heartbeat):
            return self._beat(event, now)
        if isinstance(event, JobEvent):
            self._count(event)
            return False
        urgent = isinstance(event, RouterStatus) and self._is_another_word(event)
        urgent |= isinstance(event, BridgeStatus) and self._is_another_state(event)
        self._heard.hear(event, now)
        return urgent

    def tick(self, now: float) -> bool:
        """Let time pass. Says whether a VM was lost by it."""
        return bool(self._heard.fleet.tick(now))

    def roll(self) -> None:
        """A second is over: what is counted from here on belongs to the next."""
        self._this, self._last = Second(), self._this
        self.latencies.roll()

    def _beat(self, beat: Heartbeat, now: float) -> bool:
        changes = self._heard.hear(beat, now)
        view = self._heard.fleet.views(now).get(beat.vm)
        if view is None or view.session != beat.session:
            return bool(changes)  # one VM more than are known, or another machine of the same name: not believed
        before = self._beats.get(beat.vm)
        self._beats[beat.vm] = beat
        return bool(changes) or (before is not None and abs(beat.cpu_percent - before.cpu_percent) >= JUMP)

    def _is_another_word(self, status: RouterStatus) -> bool:
        before = self._heard.routers.get(status.router)
        return before is None or _orders(before[0]) != _orders(status)

    def _is_another_state(self, status: BridgeStatus) -> bool:
        before = self._heard.bridges.get(status.bridge)
        return before is None or (before[0].state, before[0].active) != (status.state, status.active)

    def _count(self, event: JobEvent) -> None:
        if event.state == "routed":
            self._this.placed[event.vm or CLOUD_KEY] += 1
        elif event.state == "failed":
            self._this.failed += 1
        elif event.state == "done":
            self._this.done += 1
            if event.ran_ms is not None:  # else it is a repeat, answered with what was kept
                self.latencies.add(event.operation, event.ran_ms + (event.waited_ms or 0))

    # -- out

    def queues(self, now: float) -> list[str]:
        """Every queue worth counting."""
        return queues_of(self._heard.fleet.views(now))

    def sample(self, at_ms: int, now: float, depths: Depths, *, connected: bool) -> Sample:
        """The whole of it. `depths` are messages ready by queue; empty before they were counted."""
        look = self._heard.look(depths, now)
        cpu_threshold, ram_threshold = self._thresholds
        return Sample(
            at_ms=at_ms,
            connected=connected,
            vms=self._vms(look),
            lanes={lane(number): depths.get(lane(number)) or 0 for number in range(LANES)} if depths else {},
            queues=counts(look) if depths else {},
            why=tuple(reasons(look)),
            standby=tuple(each.router for each in look.routers if not each.active),
            cloud=_cloud_told(look.bridge) if look.bridge else None,
            **_of_router(look.active),
            second_ms=at_ms // 1000 * 1000 - 1000,
            placed=dict(self._last.placed),
            done=self._last.done,
            failed=self._last.failed,
            latency=self.latencies.told,
            cpu_threshold=cpu_threshold,
            ram_threshold=ram_threshold,
        )

    def row(self, now: float, depths: Depths) -> dict[Name, float | None]:
        """The figures of the second that `roll` has just ended; None for what is not known."""
        look = self._heard.look(depths, now)
        row: dict[Name, float | None] = {}
        for name, vm in self._vms(look).items():
            lost = vm.state == "lost"
            figures = {"cpu": vm.cpu, "load": vm.load, "ram": vm.ram, "running": vm.running, "held": vm.held}
            row |= {("vms", name, figure): None if lost else value for figure, value in figures.items()}
            row["placed", name] = self._last.placed[name]
        row |= {("placed", where): count for where, count in self._last.placed.items()}
        row |= {("queues", name): count for name, count in counts(look).items()} if depths else {}
        return row | self._totals(look.bridge)

    def _totals(self, bridge: BridgeStatus | None) -> dict[Name, float | None]:
        quantiles = self.latencies.all.told
        cloud = {"in_flight": bridge.in_flight, "spent_today": bridge.spent_today} if bridge else {}
        totals: dict[str, float | None] = {"done": self._last.done, "failed": self._last.failed, **cloud}
        totals |= {"p50": quantiles.p50, "p95": quantiles.p95, "p99": quantiles.p99}
        return {("total", name): value for name, value in totals.items()}

    def _vms(self, look: Look) -> dict[str, VmTold]:
        known = {vm.name for vm in look.vms}
        for name in [name for name in self._beats if name not in known]:
            del self._beats[name]
        # One that was lost before we listened is told of in words alone.
        return {vm.name: _vm_told(vm, self._beats[vm.name], look) for vm in look.vms if vm.name in self._beats}


def _orders(status: RouterStatus) -> tuple[object, ...]:
    return status.active, status.drained, tuple(status.quarantined), status.paused


def _vm_told(vm: VmView, beat: Heartbeat, look: Look) -> VmTold:
    lost = vm.state == "lost"
    return VmTold(
        state=vm.state,
        reason=vm.reason,
        drained=vm.drained,
        cpu=None if lost else round(beat.cpu_percent, 1),
        load=None if lost else round(vm.cpu_percent, 1),
        ram=None if lost else round(vm.ram_percent, 1),
        cores=round(vm.cores, 2),
        slots=vm.slots,
        look_ahead=vm.look_ahead,
        running=0 if lost else beat.running,
        held=len(vm.held),
        queued=look.depths.get(vm_queue(vm.name)),
        age_s=round(max(0.0, vm.age_s(look.now)), 1),
        operations=vm.operations,
        not_served=dict(vm.not_served),
        oldest_running_s=None if lost or vm.oldest_running_s is None else round(vm.oldest_running_s, 1),
    )


def _of_router(router: RouterStatus | None) -> dict[str, Any]:
    """What the active router tells, as fields of a sample."""
    if router is None:
        return {}
    figures = router.model_dump(include={"policy", "routed", "queued", "cloud"})
    return {
        "users": tuple(UserTold(**dict(user)) for user in router.users),
        "waiting": router.waiting,
        "paused": router.paused,
        "router": RouterTold(name=router.router, **figures),
    }


def _cloud_told(bridge: BridgeStatus) -> CloudTold:
    return CloudTold(name=bridge.bridge, **bridge.model_dump(include=set(CloudTold.model_fields) - {"name"}))
