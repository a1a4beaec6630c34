from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.placement.choices import Overflow, ToVm
from producers.placement.p2c import choose, drawn
from tests.producers.placement import scenes
from tests.producers.placement.scenes import CLOSED, OPEN, asked, beat, known, offer


def test_the_less_filled_of_the_two_takes_the_job() -> None:
    decision = choose(asked(), [offer("vm1", held=2), offer("vm2", held=1)])
    assert (decision.shown[0].vm, decision.reason) == ("vm2", "the less filled of two VMs drawn by lot")


def test_where_one_vm_has_room_there_is_nothing_to_draw() -> None:
    assert choose(asked(), [offer("vm1")]).reason == "the only VM with room"
    assert choose(asked(CLOSED), []).route is None
    assert choose(asked(OPEN), []).route == "cloud"


@given(st.text(), st.integers(2, 64))
def test_two_different_places_are_drawn(key: str, count: int) -> None:
    first, second = drawn(key, count)
    assert first != second
    assert {first, second} <= set(range(count))
    assert (first, second) == drawn(key, count)


@pytest.mark.parametrize("count", [2, 3, 8, 64])
def test_jobs_with_ids_in_a_row_spread_evenly(count: int) -> None:
    each = 300
    times = Counter(place for n in range(count * each) for place in drawn(f"job-{n}", count))
    assert len(times) == count
    assert all(1.6 * each < drawn_often < 2.4 * each for drawn_often in times.values())


def test_only_the_two_that_were_drawn_are_recorded() -> None:
    vms = known(*(beat(f"vm{n}") for n in range(10)))
    choices = [scenes.choose(vms, "p2c", key=f"job-{n}") for n in range(40)]
    assert all(isinstance(choice, ToVm) and len(choice.candidates) == 2 for choice in choices)
    assert len({choice.vm for choice in choices if isinstance(choice, ToVm)}) > 5


def test_the_same_job_draws_the_same_vms_again() -> None:
    vms = known(*(beat(f"vm{n}") for n in range(10)))
    assert scenes.choose(vms, "p2c", key="a") == scenes.choose(vms, "p2c", key="a")


def test_where_none_has_room_the_receipt_shows_the_full_ones() -> None:
    vms = known(beat("vm1"))
    scenes.fill(vms, "vm1", 3)
    choice = scenes.choose(vms, "p2c", OPEN)
    assert isinstance(choice, Overflow)
    assert (choice.reason, [told.vm for told in choice.candidates]) == ("no VM has room", ["vm1"])
