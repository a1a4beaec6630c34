"""What `overspill status` shows."""

import io

from rich.console import Console

from bus.events import Heartbeat, RouterStatus
from telemetry.fleet import Fleet
from ui.commands.fleet_view import NO_ROUTER, NO_VM, Look, Thresholds, as_json, counts, percent, queues_of, render

THRESHOLDS = Thresholds(cpu=40, ram=90)
ROUTER = RouterStatus(router="router a 1", at_ms=0, routed=7, waiting={"caption": "no VM serves caption"})


def look_at(*beats: Heartbeat, routers: tuple[RouterStatus, ...] = (ROUTER,), **depths: int | None) -> Look:
    fleet = Fleet()
    for beat in beats:
        fleet.heard(beat, 10.0)
    return Look(list(fleet.views(10.5).values()), routers, {k.replace("_", "."): v for k, v in depths.items()}, 10.5)


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


def test_what_is_not_served_and_why_jobs_wait_is_told() -> None:
    text = shown(look_at(beat_of()))
    assert "- vm1 doesn't serve caption: needs torch" in text
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


def test_every_queue_is_counted_those_of_the_vms_too() -> None:
    queues = queues_of(look_at(beat_of("vm7")).vms)
    assert {"lane.00", "lane.15", "parked.sketch", "overflow", "dead", "vm.vm7"} <= set(queues)


def test_the_look_for_programs() -> None:
    told = as_json(look_at(beat_of(), vm_vm1=1))
    assert told["vms"][0] == {
        "name": "vm1",
        "state": "ready",
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
    assert told["waiting"] == ["caption: no VM serves caption"]


def test_the_threshold_is_where_the_colour_turns() -> None:
    assert [(str(text), text.style) for text in (percent(39.9, 40), percent(40, 40))] == [
        ("40 %", "green"),
        ("!40 %", "red"),
    ]
