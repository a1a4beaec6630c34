"""What `overspill status` shows: one look at the fleet, as words, a table and JSON. Pure."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bus.topology import vm_queue
from telemetry.vm_view import VmView
from ui.commands.bridge_view import bridge_lines
from ui.commands.wording import printable, short
from ui.fleet.look import Look, PageSeen, counts, reasons

_COLOURS = {"ready": "green", "busy": "cyan", "joined": "yellow", "lost": "red", "quarantined": "magenta"}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which percent of CPU and of RAM a VM counts as loaded."""

    cpu: float
    ram: float


def as_json(look: Look) -> dict[str, Any]:
    """The look for programs."""
    return {
        "vms": [_vm_json(vm, look) for vm in look.vms],
        "queues": counts(look),
        "active": look.active.router if look.active else None,
        "routers": [router.model_dump(mode="json") for router in look.routers],
        "bridges": [bridge.model_dump(mode="json") for bridge in look.bridges],
        "page": {"url": look.page.url, "ready": look.page.ready} if look.page else None,
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
    parts += [
        Text(printable(line)) for line in [*router_lines(look), *bridge_lines(look.bridges), *page_lines(look.page)]
    ]
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


def page_lines(page: PageSeen | None) -> list[str]:
    """Where the page is, or that it does not answer there."""
    if page is None:
        return []
    return [f"Page: {page.url}/" + ("" if page.ready else " is not ready; `overspill doctor` says more")]


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
    """Each reason once, with the VMs that give it."""
    vms: dict[tuple[str, str], list[str]] = {}
    for vm in look.vms:
        for missing in vm.not_served.items():
            vms.setdefault(missing, []).append(vm.name)
    return [f"{name} is not served by {', '.join(names)}: {why}" for (name, why), names in vms.items()]
