from dataclasses import replace

import pytest

from bus.events import VmEvent, event_message
from tests.ui.top.frames import NOW_MS, ROUTER, beat, busy, busy_frame, job, ran, top
from ui.top.model import SORTS, Sort, is_past_wanted


def test_a_frame_holds_what_was_heard_and_counted() -> None:
    frame = busy_frame()
    assert [vm.name for vm in frame.vms] == ["vm1", "vm2"]
    assert frame.look.active == ROUTER
    assert (frame.look.depths["dead"], frame.rates[0].failed, frame.broken_s) == (3, 1, None)
    assert [event.state for event in frame.latest[-2:]] == ["sent", "failed"]
    assert (frame.limits.cpu, frame.limits.ram) == (40, 90)


def test_vms_are_told_of_too() -> None:
    model = top()
    model.hear(VmEvent(vm="vm1", state="lost", at_ms=1), 1)
    assert [event.state for event in model.frame(2, 2, connected=True).latest] == ["lost"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [("trouble", "gone calm"), ("load", "hot full"), ("held", "full gone"), ("name", "calm full")],
)
def test_vms_are_sorted(sort: Sort, order: str) -> None:
    model = top()
    model.hear(beat("gone", 1.0), 0.0)
    for said in (
        beat("calm", 2.0, worker="starting", held=()),
        beat("hot", 90.0, held=()),
        beat("full", held=("a", "b")),
    ):
        model.hear(said, 9.0)
    vms = replace(model.frame(9.5, NOW_MS, connected=True), sort=sort).vms
    assert " ".join(vm.name for vm in vms[:2]) == order
    assert sort in SORTS


def test_without_a_connection_the_fleet_stays_as_it_was_seen() -> None:
    model = busy()
    seen = model.frame(61.0, NOW_MS, connected=True)
    for now, broken_s in ((70.0, 0.0), (95.0, 25.0)):
        frame = model.frame(now, NOW_MS, connected=False)
        assert (frame.broken_s, frame.look) == (broken_s, seen.look)
    back = model.frame(96.0, NOW_MS, connected=True)
    assert (back.broken_s, {vm.state for vm in back.vms}, back.look.routers) == (None, {"lost"}, [])
    assert model.frame(97.0, NOW_MS, connected=False).broken_s == 0.0


def test_the_past_fills_the_rates_and_the_list() -> None:
    model = top()
    model.hear(ran(at_ms=NOW_MS - 500, job="heard"), 0.5)
    told = [
        ran(at_ms=NOW_MS - age_s * 1000, job=str(age_s)) for age_s in (70, 50, 5)
    ] + [ran(at_ms=NOW_MS - 500, job="heard"), ran(at_ms=NOW_MS + 9000, job="a clock that is wrong")]  # fmt: skip
    model.past(told, 1.0, NOW_MS)
    frame = model.frame(1.0, NOW_MS, connected=True)
    assert frame.rates[0].ended == (0.2, 3 / 60)
    assert [event.job for event in frame.latest if event.kind == "job"] == [
        "70", "50", "5", "a clock that is wrong", "heard",
    ]  # fmt: skip


def test_of_the_past_only_the_steps_of_jobs_are_wanted() -> None:
    def told(event: object) -> bool:
        return is_past_wanted(event_message(event, "").body)  # type: ignore[arg-type]  # any model

    assert told(job("routed"))
    assert told(job("replayed"))
    assert not told(job("waiting"))
    assert not told(beat("vm1"))
