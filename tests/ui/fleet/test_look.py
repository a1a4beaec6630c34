"""One look at the fleet, from what was heard and counted."""

from typing import Any

import pytest

from bus.events import BridgeStatus, Heartbeat, RouterStatus
from telemetry.fleet import Fleet
from telemetry.vm_view import VmView
from ui.fleet.look import NO_ACTIVE, NO_ROUTER, NO_VM, Look, active_of, as_told, counts, queues_of, reasons

ROUTER = RouterStatus(router="router a 1", at_ms=0, routed=7)
BEAT = Heartbeat(vm="vm7", session="s", started_ms=0, seq=1, at_ms=0, cpu_percent=1, ram_percent=1, cores=1, slots=1)


def views() -> list[VmView]:
    fleet = Fleet()
    fleet.heard(BEAT, 10.0)
    return list(fleet.views(10.5).values())


def look(*routers: RouterStatus, **depths: int | None) -> Look:
    return Look(views(), routers, {name.replace("_", "."): count for name, count in depths.items()}, 10.5)


def test_every_queue_is_counted_those_of_the_vms_too() -> None:
    assert {"lane.00", "lane.15", "parked.sketch", "overflow", "dead", "vm.vm7"} <= set(queues_of(["vm7"]))


def test_queues_are_summed_and_one_that_is_not_there_holds_nothing() -> None:
    told = counts(look(lane_00=2, lane_15=3, parked_caption=4, jobs_unknown=1, jobs_returned=1, dead=6, overflow=None))
    assert {name: count for name, count in told.items() if count} == {
        "lanes": 5, "parked.caption": 4, "unanswered": 2, "dead": 6,
    }  # fmt: skip


def test_of_two_that_say_they_are_active_the_one_heard_last_is_believed() -> None:
    new, killed = (ROUTER.model_copy(update={"router": name}) for name in ("new", "killed"))
    standby = ROUTER.model_copy(update={"active": False})
    assert look(standby, new, killed).active == new
    bridges = [BridgeStatus(bridge=name, state="ready", at_ms=0, active=name != "standby") for name in ("standby", "b")]
    assert active_of(bridges) == bridges[1]
    assert Look((), (), {}, 0.0, bridges).bridge == bridges[1]
    assert active_of([]) is None


def test_why_jobs_wait() -> None:
    assert reasons(Look((), (), {}, 0.0)) == [NO_ROUTER, NO_VM]
    assert reasons(look(ROUTER.model_copy(update={"active": False, "waiting": {"sketch": "of old"}}))) == [NO_ACTIVE]
    told = {"waiting": {"sketch": "full", "caption": "paused"}, "paused": ("caption",), "drained": ("vm1",)}
    assert reasons(look(ROUTER.model_copy(update={**told, "quarantined": {"vm2": "stuck"}}))) == [
        "sketch: full",
        "caption is paused; `overspill resume caption` goes on with it",
        "vm1 is drained (no VM of that name is heard); `overspill vm resume vm1` gives it jobs again",
        "vm2 is quarantined: stuck",
    ]


@pytest.mark.parametrize(
    ("told", "state"), [({"drained": ("vm7",)}, "draining"), ({"quarantined": {"vm7": "stuck"}}, "quarantined")]
)
def test_the_router_knows_better_but_a_lost_vm_is_lost(told: dict[str, Any], state: str) -> None:
    router = ROUTER.model_copy(update=told)
    (view,) = views()
    assert [vm.state for vm in as_told([view], router, 10.5)] == [state]
    lost = view._replace(state="lost")
    assert as_told([lost], router, 10.5) == [lost]
    assert as_told([view], None, 10.5) == [view]


def test_a_vm_lost_before_we_listened_is_told_as_the_router_knows_it() -> None:
    router = ROUTER.model_copy(update={"lost": {"vm9": 754.2, "vm1": 60.0, "vm7": 3.4}})
    seen = look(router)
    told = Look(as_told(seen.vms, router, seen.now), seen.routers, {}, seen.now)
    assert [(vm.name, vm.state, round(vm.age_s(seen.now), 1)) for vm in told.vms] == [
        ("vm1", "lost", 60.0),
        ("vm7", "joined", 0.5),  # heard again since
        ("vm9", "lost", 754.2),
    ]
    assert reasons(told) == [
        "vm1 is lost: its last beat was 1 min 0 s ago",
        "vm9 is lost: its last beat was 12 min 34 s ago",
    ]


def test_a_fleet_of_which_all_are_lost_is_as_good_as_none() -> None:
    router = ROUTER.model_copy(update={"lost": {"vm9": 12.0}})
    assert reasons(Look(as_told([], router, 20.0), [router], {}, 20.0)) == [
        NO_VM,
        "vm9 is lost: its last beat was 12 s ago",
    ]
