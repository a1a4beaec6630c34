"""Speeds of VMs out of runs, though one was sent the large pictures and another did something absurd."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.flight.speeds import Run, Speeds


def runs(speeds: dict[str, float], sizes: dict[str, list[float]]) -> list[Run]:
    return [Run("sketch", mp, vm, mp / speed) for vm, speed in speeds.items() for mp in sizes[vm]]


@given(st.lists(st.floats(0.2, 5.0), min_size=2, max_size=5))
def test_what_vms_of_other_speeds_do_tells_their_ratio(speeds: list[float]) -> None:
    named = {f"vm{n}": speed for n, speed in enumerate(speeds)}
    found = Speeds(runs(named, dict.fromkeys(named, [1.0, 2.0, 8.0] * 3)))
    for vm, speed in named.items():
        assert found.speed(vm, "sketch") / found.speed("vm0", "sketch") == pytest.approx(speed / named["vm0"])


def test_who_is_sent_the_large_pictures_is_not_slower_for_that() -> None:
    found = Speeds(runs({"a": 1.0, "b": 1.0}, {"a": [1.0] * 9 + [16.0] * 20, "b": [1.0] * 20 + [16.0] * 9}))
    assert found.speed("a", "sketch") == pytest.approx(found.speed("b", "sketch"))


def test_one_absurd_run_changes_nothing() -> None:
    usual = runs({"a": 1.0, "b": 2.0}, {"a": [1.0] * 9, "b": [1.0] * 9})
    found, without = Speeds([*usual, Run("sketch", 1.0, "a", 500.0)]), Speeds(usual)
    assert found.speed("a", "sketch") == pytest.approx(without.speed("a", "sketch"))


def test_a_vm_that_never_ran_an_operation_is_as_fast_as_at_its_others() -> None:
    found = Speeds(runs({"a": 1.0, "b": 4.0}, {"a": [1.0] * 5, "b": [1.0] * 5}))
    assert found.speed("b", "caption") == pytest.approx(2.0)
    assert found.speed("c", "caption") == 1.0
    assert found.factors("b", ["sketch"]) == pytest.approx({"sketch": 2.0})


def test_a_job_takes_what_its_like_took_on_a_typical_vm() -> None:
    found = Speeds(runs({"a": 1.0, "b": 1.0}, {"a": [1.0] * 5 + [8.0] * 5, "b": [1.0] * 5 + [32.0]}))
    assert found.work_s("sketch", 1.1) == pytest.approx(1.0)
    assert found.work_s("sketch", 8.0) == pytest.approx(8.0)
    assert found.work_s("sketch", 30.0) == pytest.approx(8.0), "one run of that size is too few"
    assert found.work_s("sketch", None) == found.work_s("sketch", 4.0)


def test_few_runs_are_better_than_none() -> None:
    found = Speeds([Run("sketch", 1.0, "a", 3.0)])
    assert found.knows("sketch")
    assert found.work_s("sketch", 50.0) == pytest.approx(3.0)


def test_of_what_was_never_run_the_usual_is_told() -> None:
    found = Speeds([])
    assert not found.knows("caption")
    assert found.work_s("caption", 2.0) == pytest.approx(2.2)
    assert found.work_s("remove-background", None) == pytest.approx(0.78)
    assert found.work_s("enlarge", 2.0) == pytest.approx(1.0)
