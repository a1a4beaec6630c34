"""One look at the fleet: the VMs, who routes, who bridges, what waits where, and why. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bus.events import BridgeStatus, RouterStatus
from bus.topology import DEAD, JOBS_RETURNED, JOBS_UNKNOWN, LANES, OPERATIONS, OVERFLOW, lane, parked_queue, vm_queue
from telemetry.vm_view import VmView
from ui.commands.wording import short

NO_ROUTER = "No router is heard, so jobs stay in their lanes. Start one: `overspill router` (or `make up` for a stack)."
NO_VM = "No VM is heard, so jobs wait. Start one: `overspill vm` (or `make up` for a stack)."
NO_ACTIVE = "No router is active yet; one that stands by takes over within seconds."


@dataclass(frozen=True, slots=True)
class PageSeen:
    """Where the page of the stack is, and whether it says that it is ready."""

    url: str
    ready: bool


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
    page: PageSeen | None = None
    """None where no stack of ours has one: a page elsewhere says nothing on the bus."""

    @property
    def active(self) -> RouterStatus | None:
        """The router that routes: of two that say so, as in the moment of a takeover, the one heard last."""
        return next((router for router in self.routers if router.active), None)

    @property
    def bridge(self) -> BridgeStatus | None:
        """The bridge that works: of two that say so, as in the moment of a takeover, the one heard last."""
        return active_of(self.bridges)


def active_of(bridges: Sequence[BridgeStatus]) -> BridgeStatus | None:
    """The bridge that works, of those heard lately, the last one first."""
    return next((bridge for bridge in bridges if bridge.active), None)


def as_told(vms: Iterable[VmView], router: RouterStatus | None, now: float) -> list[VmView]:
    """The VMs with what only the active router knows of them: it listens for longer, and hears the operator.

    By name, those among them that were lost before we listened.
    """
    if router is None:
        return list(vms)
    told = {vm.name: _as_told(vm, router) for vm in vms}
    unheard = {name: _gone(name, now - age_s) for name, age_s in router.lost.items() if name not in told}
    return [vm for _, vm in sorted((told | unheard).items())]


def _as_told(vm: VmView, router: RouterStatus) -> VmView:
    if vm.state == "lost":
        return vm
    if vm.name in router.drained:
        return vm._replace(state="draining", drained=True)
    why = router.quarantined.get(vm.name)
    return vm._replace(state="quarantined", reason=why) if why is not None else vm


def _gone(name: str, heard_at: float) -> VmView:
    """A VM of which no more is known than when it was heard last."""
    return VmView(
        name,
        session="",
        state="lost",
        worker="absent",
        cpu_percent=0.0,
        load=0.0,
        ram_percent=0.0,
        cores=0.0,
        slots=0,
        look_ahead=0,
        capacity=0,
        held=frozenset(),
        held_slots=0,
        sent_since_beat=0,
        operations=(),
        not_served={},
        oldest_running_s=None,
        heard_at=heard_at,
    )


def queues_of(vms: Iterable[str]) -> list[str]:
    """Every queue worth counting, where these VMs are known."""
    shared = [OVERFLOW, DEAD, JOBS_UNKNOWN, JOBS_RETURNED]
    return [*map(lane, range(LANES)), *map(parked_queue, OPERATIONS), *shared, *map(vm_queue, vms)]


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
    found += [] if any(vm.state != "lost" for vm in look.vms) else [NO_VM]
    return found + (
        _of_router(look.active, {vm.name for vm in look.vms}) + _lost(look, look.active) if look.active else []
    )


def _of_router(router: RouterStatus, heard: AbstractSet[str]) -> list[str]:
    waiting = [f"{operation}: {why}" for operation, why in router.waiting.items() if operation not in router.paused]
    paused = [f"{name} is paused; `overspill resume {name}` goes on with it" for name in router.paused]
    unheard = {name: "" if name in heard else " (no VM of that name is heard)" for name in router.drained}
    drained = [
        f"{name} is drained{of}; `overspill vm resume {name}` gives it jobs again" for name, of in unheard.items()
    ]
    out = [f"{name} is quarantined: {why}" for name, why in router.quarantined.items()]
    return sorted(waiting) + sorted(paused) + sorted(drained) + sorted(out)


def _lost(look: Look, router: RouterStatus) -> list[str]:
    """Those lost within the hour; of two that hear the same, who heard a VM again knows better."""
    gone = (vm for vm in look.vms if vm.state == "lost" and vm.name in router.lost)
    return [f"{vm.name} is lost: its last beat was {short(vm.age_s(look.now))} ago" for vm in gone]
