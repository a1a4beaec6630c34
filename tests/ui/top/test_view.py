"""What `overspill top` shows, at several sizes."""

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from bus.events import VmEvent
from tests.ui.top.frames import BRIDGE, NOW_MS, ROUTER, beat, busy, busy_frame, job, top
from ui.fleet.look import NO_ROUTER, NO_VM
from ui.top.bars import ASCII
from ui.top.model import Frame
from ui.top.view import as_json, render


def shown(frame: Frame, width: int, height: int, *, keys: bool = True) -> list[str]:
    return [line.rstrip() for line in render(frame, width, height, keys=keys).plain.splitlines()]


def test_a_small_terminal() -> None:
    assert shown(busy_frame(), 40, 10) == [
        "08:00:00 UTC  127.0.0.1:5672/",
        "Router  predictive, router a 1, 712 pla…",
        "Cloud   ready, 3/32 there, 9/min, $0.12…",
        "VM by trouble  state         CPU   run",
        "vm1            ready        !55%   1/2",
        "vm2            ready         12%   0/2",
        "Waiting lanes 12  overflow 1  dead 3  p…",
        "Jobs/s  2.0 in, 2.1 out, p95 0.68s, 1 f…",
        "! caption: no VM serves caption",
        "q quit  p pause  s sort  j/k scroll   v…",
    ]


def test_the_usual_terminal() -> None:
    lines = shown(busy_frame(), 80, 24)
    assert len(lines) == 24
    assert lines[3:13] == [
        "VM by trouble  state                   CPU   RAM   run   beat",
        "vm1            ready       ████│█···· !55%   35%   1/2  0.50s",
        "vm2            ready       █···│·····  12%   35%   0/2  0.50s",
        "Waiting lanes 12  overflow 1  dead 3  parked 2  unanswered 0  longest 07: 8, 00…",
        "In line anna 812 (20m04s), b\N{REPLACEMENT CHARACTER} 3 (4.20s)",
        "jobs/s             place  in 10s out10s failed    p50    p95  q p50  q p95",
        "all                          2.0    2.1      1  0.59s  0.68s  0.10s  0.10s",
        "caption            router    0.0    0.1      1      -      -      -      -",
        "sketch             vm        2.0    2.0      0  0.59s  0.68s  0.10s  0.10s",
        "! caption: no VM serves caption",
    ]
    assert (
        lines[-2]
        == "08:00:00 failed    caption j1 of anna problem broken-image: it is \N{REPLACEMENT CHARACTER}[2J broken"
    )


def test_a_wide_terminal() -> None:
    lines = shown(busy_frame(), 140, 40)
    assert lines[2:6] == [
        "Cloud   ready, 3/32 there, 9/min, $0.12 of $5.00 in 24 h",
        "VM by trouble  state                   CPU             RAM   run  held oldest   beat operations",
        "vm1            ready       ████│█···· !55% ████·····│  35%   1/2   1/3  2.50s  0.50s sketch",
        "vm2            ready       █···│·····  12% ████·····│  35%   0/2   0/3      -  0.50s sketch",
    ]
    assert lines[8] == ("jobs/s             place  in 10s   1min out10s   1min failed    p50    p95  q p50  q p95")
    assert lines[-1].endswith("are commands of overspill")


def test_a_printed_frame_is_one_screen_without_keys() -> None:
    model = busy()
    for number in range(120):
        model.hear(beat(f"many-{number}"), 60.0)
        model.hear(job("routed", job=f"j{number}"), 60.0)
    lines = shown(model.frame(60.5, NOW_MS, connected=True), 100, 32, keys=False)
    assert len(lines) == 32
    assert any(line.startswith("and ") and line.endswith(" ready") for line in lines)
    assert not any("quit" in line for line in lines)


def test_a_hundred_vms_are_scrolled_and_the_rest_is_summed_up() -> None:
    model = top()
    model.hear(beat("gone"), 0.0)
    for number in range(120):
        model.hear(beat(f"vm{number:03}", 50.0), 60.0)
    frame = replace(model.frame(60.5, NOW_MS, connected=True), sort="name")

    def named(skip: int) -> list[str]:
        lines = shown(replace(frame, skip=skip), 80, 24)
        return [line for line in lines if line.startswith(("vm", "gone", "and"))]

    assert (named(0)[0].split()[:2], named(0)[-1].split()[0]) == (["gone", "lost"], "and")
    assert named(0)[-1] == f"and {122 - len(named(0))} more: {122 - len(named(0))} ready"
    assert named(30)[0].startswith("vm029")
    assert named(500)[-2].startswith("vm119")
    assert named(500)[-1].endswith(" ready, 1 lost")


def test_nobody_there_is_said_with_the_remedy() -> None:
    lines = shown(top().frame(5.0, NOW_MS, connected=True), 160, 12)
    assert lines == [
        "08:00:00 UTC  127.0.0.1:5672/",
        "Router  none is active",
        "Cloud   no bridge is heard",
        "VMs     none is heard",
        "Waiting not counted yet",
        "Jobs/s  0.0 in, 0.0 out",
        f"! {NO_ROUTER}",
        f"! {NO_VM}",
        "q quit  p pause  s sort  j/k scroll   vm drain NAME, pause OPERATION, why JOB are commands of overspill",
    ]


def test_silence_is_no_alarm_when_listening_has_just_begun() -> None:
    model = top()
    quiet = [
        "08:00:00 UTC  127.0.0.1:5672/",
        "Router  listening for one",
        "Cloud   listening for a bridge",
        "VMs     listening for them",
        "Waiting not counted yet",
        "Jobs/s  0.0 in, 0.0 out",
    ]
    assert shown(model.frame(1.0, NOW_MS, connected=True), 160, 12, keys=False) == quiet
    model.frame(60.0, NOW_MS, connected=False)
    assert shown(model.frame(61.0, NOW_MS, connected=True), 160, 12, keys=False) == quiet
    assert f"! {NO_ROUTER}" in shown(model.frame(65.0, NOW_MS, connected=True), 160, 12)


def test_no_connection_greys_out_what_was_known() -> None:
    model = busy()
    model.frame(60.5, NOW_MS, connected=True)
    model.frame(61.0, NOW_MS, connected=False)
    text = render(model.frame(73.0, NOW_MS, connected=False), 80, 24)
    assert text.plain.startswith("NO CONNECTION to 127.0.0.1:5672/ for 12.0s; trying again. Old figures:\n")
    assert text.style == "dim"
    assert [str(span.style) for span in text.spans] == ["not dim bold red"]


def test_a_pause_says_since_when() -> None:
    assert shown(replace(busy_frame(), paused=True), 80, 24)[0] == "PAUSED at 08:00:00 UTC; p goes on"


def test_standbys_and_a_cloud_in_trouble_are_told() -> None:
    model = busy()
    model.hear(ROUTER.model_copy(update={"router": "b", "active": False}), 60.0)
    broken = {"state": "broken", "reason": "403", "capacity": 0, "money_per_day": None}
    model.hear(BRIDGE.model_copy(update=broken), 60.1)
    lines = shown(model.frame(60.5, NOW_MS, connected=True), 120, 24)
    assert lines[1].endswith("17 in its window; standing by: b")
    assert lines[2] == "Cloud   broken (403), 3 there, 9/min, $0.12 in 24 h"


def test_a_router_without_a_bridge_says_why() -> None:
    model = top()
    model.hear(ROUTER.model_copy(update={"cloud": "no bridge is alive", "drained": ("vm1",)}), 1.0)
    model.hear(beat("vm1"), 1.0)
    model.hear(beat("vm2", worker="absent"), 1.0)
    model.hear(VmEvent(vm="vm9", state="lost", at_ms=NOW_MS, reason="silent"), 1.0)
    model.hear(VmEvent(vm="vm9", state="ready", at_ms=NOW_MS), 1.0)
    lines = shown(model.frame(1.5, NOW_MS, connected=True), 120, 24)
    assert lines[2] == "Cloud   no bridge is alive"
    assert lines[4].split()[:2] == ["vm2", "joined"]
    assert lines[4].endswith("no worker runs there")
    assert lines[5].split()[:2] == ["vm1", "drained"]
    assert lines[-3:-1] == ["08:00:00 lost      vm9: silent", "08:00:00 ready     vm9"]


def test_a_terminal_without_unicode_gets_none() -> None:
    quiet = replace(busy_frame(), latest=(job("done", user="a"),), look=replace(busy_frame().look, routers=[]))
    assert render(quiet, 60, 24, ASCII).plain.isascii()


@given(st.integers(1, 200), st.integers(1, 60))
def test_no_size_is_overstepped(width: int, height: int) -> None:
    lines = render(FRAME, width, height).split("\n")
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)


FRAME = busy_frame()


@pytest.mark.parametrize("no_colour", [False, True])
def test_no_color_is_heeded(no_colour: bool) -> None:
    screen = io.StringIO()
    Console(file=screen, width=80, force_terminal=True, color_system="standard", no_color=no_colour).print(
        render(busy_frame(), 80, 24)
    )
    assert ("\x1b[31m" in screen.getvalue()) is not no_colour
    assert "!55%" in Text.from_ansi(screen.getvalue()).plain


def test_programs_get_all_of_it() -> None:
    told = json.loads(json.dumps(as_json(busy_frame())))
    assert [vm["name"] for vm in told["vms"]] == ["vm1", "vm2"]
    assert told["rates"][0]["operation"] == "all"
    assert (told["queues"]["dead"], told["latest"][-1]["state"], told["broker"]) == (3, "failed", "127.0.0.1:5672/")
