"""What `overspill status` shows."""

import io
from dataclasses import replace
from typing import Any

from rich.console import Console

from bus.events import BridgeStatus, Heartbeat, RouterStatus, UserBacklog
from telemetry.fleet import Fleet
from ui.commands.fleet_view import Thresholds, as_json, percent, render, router_lines
from ui.fleet.look import NO_ACTIVE, NO_ROUTER, NO_VM, Look, PageSeen, as_told, counts, reasons

THRESHOLDS = Thresholds(cpu=40, ram=90)
ROUTER = RouterStatus(router="router a 1", at_ms=0, routed=7, waiting={"caption": "no VM serves caption"})


def look_at(*beats: Heartbeat, routers: tuple[RouterStatus, ...] = (ROUTER,), **depths: int | None) -> Look:
    fleet = Fleet()
    for beat in beats:
        fleet.heard(beat, 10.0)
    vms = list(fleet.views(10.5).values())
    look = Look(vms, routers, {k.replace("_", "."): v for k, v in depths.items()}, 10.5)
    return replace(look, vms=as_told(vms, look.active, look.now))


def beat_of(vm: str = "vm1", **said: object) -> Heartbeat:
    given = {
        "session": "s", "started_ms": 0, "seq": 1, "at_ms": 0, "cpu_percent": 12.0, "ram_percent": 95.0, "cores": 2,
        "slots": 2, "look_ahead": 1, "held": ("a",), "operations": ("sketch",), "worker": "ready",
        "not_served": {"caption": "needs torch"},
    }  # fmt: skip
    return Heartbeat(vm=vm, **{**given, **said})  # type: ignore[arg-type]  # checked by pydantic


def shown(look: Look) -> str:
    screen = io.StringIO()
    Console(file=screen, width=160, color_system=None).print(render(look, THRESHOLDS))
    return screen.getvalue()


def test_a_vm_is_a_row() -> None:
    row = next(line for line in shown(look_at(beat_of())).splitlines() if line.startswith("vm1"))
    assert row.split() == ["vm1", "ready", "12", "%", "!95", "%", "1/2", "1/3", "0.5", "s", "sketch"]


def test_the_page_is_named_and_whether_it_is_ready() -> None:
    at = "http://127.0.0.1:8600"
    ready, late = (replace(look_at(beat_of()), page=PageSeen(at, ready)) for ready in (True, False))
    assert f"Page: {at}/\n" in shown(ready)
    assert f"Page: {at}/ is not ready; `overspill doctor` says more\n" in shown(late)
    assert as_json(late)["page"] == {"url": at, "ready": False}
    assert "Page:" not in shown(look_at())
    assert as_json(look_at())["page"] is None


def test_what_is_not_served_and_why_jobs_wait_is_told() -> None:
    text = shown(look_at(beat_of()))
    assert "- caption is not served by vm1: needs torch" in text
    assert "- caption: no VM serves caption" in text


def test_nobody_there_is_told_with_the_remedy() -> None:
    text = shown(look_at(routers=()))
    assert NO_ROUTER in text
    assert NO_VM in text
    assert "state" not in text


def test_queues_are_summed() -> None:
    look = look_at(lane_00=2, lane_15=3, parked_caption=4, jobs_unknown=1, jobs_returned=1, dead=6, overflow=None)
    assert counts(look) == {
        "lanes": 5,
        "parked.sketch": 0,
        "parked.remove-background": 0,
        "parked.caption": 4,
        "overflow": 0,
        "unanswered": 2,
        "dead": 6,
    }
    assert "lanes 5" in shown(look)


def test_the_look_for_programs() -> None:
    told = as_json(look_at(beat_of(), vm_vm1=1))
    assert told["vms"][0] == {
        "name": "vm1",
        "state": "ready",
        "reason": None,
        "drained": False,
        "cores": 2.0,
        "slots": 2,
        "operations": ("sketch",),
        "oldest_running_s": None,
        "cpu_percent": 12.0,
        "ram_percent": 95.0,
        "held": 1,
        "queued": 1,
        "not_served": {"caption": "needs torch"},
        "age_s": 0.5,
    }
    assert told["routers"][0]["routed"] == 7
    assert told["active"] == "router a 1"
    assert told["waiting"] == ["caption: no VM serves caption"]


def test_the_threshold_is_where_the_colour_turns() -> None:
    assert [(str(text), text.style) for text in (percent(39.9, 40), percent(40, 40))] == [
        ("40 %", "green"),
        ("!40 %", "red"),
    ]


def router_of(**said: Any) -> RouterStatus:
    return ROUTER.model_copy(update={"waiting": {}, **said})


def test_the_router_is_told_with_its_standbys_and_who_has_most_in_line() -> None:
    users = (UserBacklog(user="anna", queued=812, seconds=1204), UserBacklog(user="b\x1b", queued=3, seconds=4.2))
    active = router_of(policy="predictive", queued=17, users=users, cloud="open")
    look = look_at(routers=(router_of(router="router b 2", active=False), active))
    assert router_lines(look) == [
        "Router: router a 1, policy predictive, 7 jobs placed, 17 in its window",
        "Standing by: router b 2",
        "Most in line: anna 812 (20 min 4 s), b\x1b 3 (4.20 s)",
        "Cloud: open",
    ]
    assert "\x1b" not in shown(look)
    assert "Most in line: anna 812" in shown(look)


def test_a_router_alone_with_nobody_in_line() -> None:
    assert router_lines(look_at(routers=(router_of(),))) == [
        "Router: router a 1, policy threshold, 7 jobs placed, 0 in its window",
        "Cloud: no bridge is alive",
    ]


def test_only_the_active_router_knows_why_jobs_wait() -> None:
    standby = router_of(router="b", active=False, waiting={"sketch": "of old"}, drained=("vm1",))
    assert reasons(look_at(beat_of(), routers=(standby, ROUTER))) == ["caption: no VM serves caption"]
    alone = look_at(beat_of(), routers=(standby,))
    assert reasons(alone) == [NO_ACTIVE]
    assert router_lines(alone) == ["Standing by: b"]
    assert as_json(alone)["active"] is None


def test_of_two_that_say_they_are_active_the_one_heard_last_is_believed() -> None:
    look = look_at(routers=(router_of(router="new"), router_of(router="killed")))
    assert as_json(look)["active"] == "new"


def test_what_the_operator_asked_for_is_told_with_how_to_undo_it() -> None:
    asked = router_of(
        paused=("caption",), drained=("vm1", "vm9"), waiting={"caption": "it is paused", "sketch": "full"}
    )
    look = look_at(beat_of(), routers=(asked,))
    assert reasons(look) == [
        "sketch: full",
        "caption is paused; `overspill resume caption` goes on with it",
        "vm1 is drained; `overspill vm resume vm1` gives it jobs again",
        "vm9 is drained (no VM of that name is heard); `overspill vm resume vm9` gives it jobs again",
    ]
    assert row_of("vm1", look)[1] == "drained"
    assert (as_json(look)["vms"][0]["state"], as_json(look)["vms"][0]["drained"]) == ("draining", True)


def test_a_quarantined_vm_is_told_with_the_reason() -> None:
    look = look_at(beat_of(), beat_of("vm2"), routers=(router_of(quarantined={"vm2": "its worker is stuck"}),))
    assert reasons(look) == ["vm2 is quarantined: its worker is stuck"]
    assert [row_of(name, look)[1] for name in ("vm1", "vm2")] == ["ready", "quarantined"]
    assert as_json(look)["vms"][1]["reason"] == "its worker is stuck"


def row_of(vm: str, look: Look) -> list[str]:
    return next(line for line in shown(look).splitlines() if line.startswith(vm)).split()


def test_the_bridges_are_told_to_people_and_to_programs() -> None:
    look = replace(look_at(beat_of()), bridges=(BridgeStatus(bridge="b 1\x1b", state="full", at_ms=0, in_flight=32),))
    assert "Bridge: b 1\N{REPLACEMENT CHARACTER}, full, 32 jobs in the cloud" in shown(look)
    assert as_json(look)["bridges"][0]["in_flight"] == 32
    assert as_json(look_at())["bridges"] == []


def test_a_vm_lost_before_anybody_looked_has_its_row_and_its_reason() -> None:
    look = look_at(beat_of(), routers=(router_of(lost={"vm2": 240.0}),))
    assert row_of("vm2", look)[1] == "lost"
    assert "- vm2 is lost: its last beat was 4 min 0 s ago" in shown(look)
    assert (as_json(look)["vms"][1]["state"], as_json(look)["vms"][1]["age_s"]) == ("lost", 240.0)
