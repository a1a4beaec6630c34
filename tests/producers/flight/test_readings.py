import pytest

from producers.flight.readings import Readings
from producers.flight.recording import RecordedLoad, RecordedVm
from tests.producers.flight.steps import NOON, beat


def test_a_vm_is_told_of_as_it_joins_and_when_what_it_can_do_changes() -> None:
    readings = Readings()
    starting = readings.hear(beat(0, slots=0, operations=(), worker="starting"))
    assert starting == [RecordedVm("vm1", NOON, 0, 2, 2, ())]
    assert readings.hear(beat(1_000)) == [RecordedVm("vm1", NOON + 1_000, 2, 2, 2, ("sketch",))]
    assert readings.hear(beat(2_000)) == []
    assert readings.hear(beat(3_000, session="s2")) == [RecordedVm("vm1", NOON + 3_000, 2, 2, 2, ("sketch",))]


def test_a_reading_a_second_and_what_was_not_heard_is_minus_one() -> None:
    readings = Readings()
    for at_ms, cpu in ((200, 10), (1_100, 20.6), (1_900, 30), (4_000, 40)):
        readings.hear(beat(at_ms, cpu_percent=cpu))
    assert readings.rest() == [RecordedLoad("vm1", NOON, (10, 30, -1, -1, 40), (41, 41, -1, -1, 41), (1, 1, -1, -1, 1))]
    assert readings.rest() == []


def test_a_line_has_a_minute_at_the_most() -> None:
    readings = Readings()
    lines = [line for second in range(150) for line in readings.hear(beat(second * 1_000 + 300))]
    loads = [line for line in lines if isinstance(line, RecordedLoad)] + readings.rest()
    assert [(load.at_ms - NOON, len(load.cpu)) for load in loads] == [(0, 60), (60_000, 60), (120_000, 30)]


def test_vms_are_kept_apart_and_a_clock_set_back_begins_another_line() -> None:
    readings = Readings()
    for vm, at_ms in (("vm1", 5_000), ("vm2", 5_000), ("vm2", 6_000)):
        readings.hear(beat(at_ms, vm))
    (ended,) = readings.hear(beat(1_000))
    assert (ended.vm, ended.at_ms) == ("vm1", NOON + 5_000)
    assert sorted((load.vm, load.at_ms - NOON, len(load.cpu)) for load in readings.rest()) == [
        ("vm1", 1_000, 1),
        ("vm2", 5_000, 2),
    ]


def test_the_last_line_of_a_vm_that_is_gone_is_not_held_back_for_ever() -> None:
    readings = Readings()
    readings.hear(beat(0))
    assert readings.silent(NOON + 100_000) == []
    assert readings.silent(NOON + 130_000) == []  # it looks once a minute
    assert [load.vm for load in readings.silent(NOON + 160_000)] == ["vm1"]
    assert readings.silent(NOON + 300_000) == []


def test_of_more_names_than_are_kept_the_longest_unheard_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producers.flight.readings.MOST_VMS", 2)
    readings = Readings()
    for at_ms, vm in ((0, "vm1"), (0, "vm2"), (1_000, "vm1")):
        readings.hear(beat(at_ms, vm))
    assert readings.hear(beat(2_000, "vm3"))[1:] == [RecordedLoad("vm2", NOON, (12,), (41,), (1,))]
    assert sorted(load.vm for load in readings.rest()) == ["vm1", "vm3"]
    assert [type(line) for line in readings.hear(beat(3_000, "vm2"))] == [RecordedVm]
