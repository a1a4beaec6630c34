"""What `overspill status` shows: one look at the fleet, as words, a table and JSON. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bus.events import BridgeStatus, RouterStatus
from bus.topology import DEAD, JOBS_RETURNED, JOBS_UNKNOWN, LANES, OPERATIONS, OVERFLOW, lane, parked_queue, vm_queue
from telemetry.vm_view import VmView
from ui.commands.bridge_view import bridge_lines
from ui.commands.wording import printable, short

NO_ROUTER = "No router is heard, so jobs stay in their lanes. Start one: `overspill router` (or `make up` for a stack)."
NO_VM = "No VM is heard, so jobs wait. Start one: `overspill vm` (or `make up` for a stack)."
NO_ACTIVE = "No router is active yet; one that stands by takes over within seconds."
_COLOURS = {"ready": "green", "busy": "cyan", "joined": "yellow", "lost": "red", "quarantined": "magenta"}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which percent of CPU and of RAM a VM counts as loaded."""

    cpu: float
    ram: float


@dataclass(frozen=True, slots=True)
class Look:
    """The fleet as heard and counted at `now` (seconds, the listener's clock)."""

    vms: Sequence[VmView]
    routers: Sequence[RouterStatus]
    """The one heard last comes first."""
    depths: Mapping[str, int | None]
    now: float
    bridges: Sequence[BridgeStatus] = ()
    """The one heard last comes first."""

    @property
    def active(self) -> RouterStatus | None:
        """The router that routes: of two that say so, as in the moment of a takeover, the one heard last."""
        return next((router for router in self.routers if router.active), None)


def as_told(vms: Iterable[VmView], router: RouterStatus | None) -> list[VmView]:
    """The VMs with what only the active router knows of them: it listens for longer, and hears the operator."""
    return [_as_told(vm, router) for vm in vms] if router else list(vms)


def _as_told(vm: VmView, router: RouterStatus) -> VmView:
    if vm.state == "lost":
        return vm
    if vm.name in router.drained:
        return vm._replace(state="draining", drained=True)
    why = router.quarantined.get(vm.name)
    return vm._replace(state="quarantined", reason=why) if why is not None else vm


def queues_of(vms: Sequence[VmView]) -> list[str]:
    """Every queue worth counting."""
    shared = [OVERFLOW, DEAD, JOBS_UNKNOWN, JOBS_RETURNED]
    return [*map(lane, range(LANES)), *map(parked_queue, OPERATIONS), *shared, *(vm_queue(vm.name) for vm in vms)]


def counts(look: Look) -> dict[str, int]:
    """Messages that wait, by where: `lanes` is the sum of all, `unanswered` those whose problem is still to be sent."""
    depth = {queue: count or 0 for queue, count in look.depths.items()}
    parked = {parked_queue(operation): depth.get(parked_queue(operation), 0) for operation in OPERATIONS}
    return {
        "lanes": sum(depth.get(lane(number), 0) for number in range(LANES)),
        **parked,
        "overflow": depth.get(OVERFLOW, 0),
        "unanswered": depth.get(JOBS_UNKNOWN, 0) + depth.get(JOBS_RETURNED, 0),
        "dead": depth.get(DEAD, 0),
    }


def reasons(look: Look) -> list[str]:
    """Why jobs wait, or would. Only the active router knows of the jobs."""
    found = [] if look.active else [NO_ACTIVE if look.routers else NO_ROUTER]
    found += [] if look.vms else [NO_VM]
    return found + (_of_router(look.active) if look.active else [])


def _of_router(router: RouterStatus) -> list[str]:
    waiting = [f"{operation}: {why}" for operation, why in router.waiting.items() if operation not in router.paused]
    paused = [f"{name} is paused; `overspill resume {name}` goes on with it" for name in router.paused]
    drained = [f"{name} is drained; `overspill vm resume {name}` gives it jobs again" for name in router.drained]
    out = [f"{name} is quarantined: {why}" for name, why in router.quarantined.items()]
    return sorted(waiting) + sorted(paused) + sorted(drained) + sorted(out)


def as_json(look: Look) -> dict[str, Any]:
    """The look for programs."""
    return {
        "vms": [_vm_json(vm, look) for vm in look.vms],
        "queues": counts(look),
        "active": look.active.router if look.active else None,
        "routers": [router.model_dump(mode="json") for router in look.routers],
        "bridges": [bridge.model_dump(mode="json") for bridge in look.bridges],
        "waiting": reasons(look),
    }


def _vm_json(vm: VmView, look: Look) -> dict[str, Any]:
    plain = ("name", "state", "reason", "drained", "cores", "slots", "operations", "oldest_running_s")
    return {
        **{name: getattr(vm, name) for name in plain},
        "cpu_percent": round(vm.cpu_percent, 1),
        "ram_percent": round(vm.ram_percent, 1),
        "held": len(vm.held),
        "queued": look.depths.get(vm_queue(vm.name)),
        "not_served": dict(vm.not_served),
        "age_s": round(vm.age_s(look.now), 1),
    }


def render(look: Look, thresholds: Thresholds) -> RenderableType:
    """The look for people."""
    parts: list[RenderableType] = [_table(look, thresholds)] if look.vms else []
    waiting = "  ".join(f"{name} {count}" for name, count in counts(look).items())
    parts.append(Text(f"Waiting: {waiting}"))
    parts += [Text(printable(line)) for line in [*router_lines(look), *bridge_lines(look.bridges)]]
    parts += [Text(printable(f"- {reason}"), "yellow") for reason in [*reasons(look), *_not_served(look)]]
    return Group(*parts)


def router_lines(look: Look) -> list[str]:
    """Who routes and how, who has most in line, and whether the cloud helps; nothing without a router."""
    active = look.active
    names = [router.router for router in look.routers if not router.active]
    standby = [f"Standing by: {', '.join(names)}"] if names else []
    if active is None:
        return standby
    users = ", ".join(f"{has.user} {has.queued} ({short(has.seconds)})" for has in active.users)
    return [
        f"Router: {active.router}, policy {active.policy}, {active.routed} jobs placed, {active.queued} in its window",
        *standby,
        *([f"Most in line: {users}"] if users else []),
        f"Cloud: {active.cloud}",
    ]


def _table(look: Look, thresholds: Thresholds) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("VM", "state"):
        table.add_column(name)
    for name in ("CPU", "RAM", "running", "held", "beat"):
        table.add_column(name, justify="right")
    table.add_column("operations", overflow="fold")
    for vm in look.vms:
        table.add_row(
            vm.name,
            _state(vm),
            percent(vm.cpu_percent, thresholds.cpu),
            percent(vm.ram_percent, thresholds.ram),
            f"{min(len(vm.held), vm.slots)}/{vm.slots}",
            f"{len(vm.held)}/{vm.slots + vm.look_ahead}",
            f"{vm.age_s(look.now):.1f} s",
            ", ".join(vm.operations) or "none",
        )
    return table


def _state(vm: VmView) -> Text:
    return Text("drained" if vm.drained and vm.state == "draining" else vm.state, _COLOURS.get(vm.state, "yellow"))


def percent(value: float, threshold: float) -> Text:
    """A load, green below the threshold; from there on red, and marked for those who don't see the colour."""
    loaded = value >= threshold
    return Text(f"{'!' if loaded else ''}{value:.0f} %", "red" if loaded else "green")


def _not_served(look: Look) -> list[str]:
    return [f"{vm.name} doesn't serve {name}: {why}" for vm in look.vms for name, why in vm.not_served.items()]
