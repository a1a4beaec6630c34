from collections.abc import Sequence
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from producers.estimates import Range
from producers.work import Outstanding, Work, remaining_s


def job(placement: str, at: float = 0.0, *, vm: str = "vm1", seconds: float = 10.0, slots: int = 1) -> Outstanding:
    return Outstanding(placement, vm, "anna", "caption", 2.0, slots, Range(seconds, 2 * seconds), at)


def holding(*jobs: Outstanding) -> Work:
    work = Work()
    for one in jobs:
        work.placed(one)
    return work


def test_a_job_is_there_from_its_placing_to_its_end() -> None:
    work = holding(job("a"))
    assert ("a" in work, len(work), work.held_slots("vm1")) == (True, 1, 1)
    assert work.ended("a", 3.0) == job("a")
    assert ("a" in work, len(work), work.held_slots("vm1")) == (False, 0, 0)


def test_an_end_of_no_placement_known_is_none() -> None:
    work = holding(job("a"))
    assert work.ended("b", 3.0) is None
    assert work.ended("a", 3.0) is not None
    assert work.ended("a", 3.0) is None


def test_a_placement_told_twice_counts_once() -> None:
    work = holding(job("a", 0.0), job("a", 1.0, vm="vm2"))
    assert (len(work), work.held_slots("vm1"), work.held_slots("vm2")) == (1, 0, 1)


def test_a_lost_vm_s_jobs_are_dropped() -> None:
    work = holding(job("a"), job("b", vm="vm2"), job("c"))
    assert work.drop("vm1") == (job("a"), job("c"))
    assert work.drop("vm1") == ()
    assert (len(work), work.wait_s("vm1", 1, 0.0), work.ended("a")) == (1, 0.0, None)


def test_a_free_slot_is_no_wait() -> None:
    work = holding(job("a"))
    assert work.wait_s("vm1", 2, 5.0) == 0
    assert work.wait_s("never heard of", 1, 5.0) == 0


def test_a_vm_without_slots_has_none_ever() -> None:
    assert holding(job("a")).wait_s("vm1", 0, 5.0) == inf
    assert Work().wait_s("vm1", 0, 5.0) == inf


def test_the_wait_is_what_is_left_of_the_first_to_end() -> None:
    work = holding(job("a", 0.0), job("b", 0.0, seconds=6.0))
    assert work.wait_s("vm1", 2, 4.0) == 3.0  # half of what lies between the 6 s and the 12 s of b
    assert work.wait_s("vm1", 2, 1.0) == 5.0


def test_who_waits_there_already_goes_first() -> None:
    work = holding(job("a"), job("b"), job("c", seconds=3.0))
    assert work.wait_s("vm1", 1, 0.0) == 23
    assert work.wait_s("vm1", 2, 0.0) == 10
    assert holding(job("a"), job("b", seconds=7.0), job("c", seconds=1.0)).wait_s("vm1", 2, 0.0) == 8


def test_a_job_that_waited_begins_when_a_slot_is_freed() -> None:
    work = holding(job("a", 0.0), job("b", 0.0))
    work.ended("a", 10.0)
    assert work.wait_s("vm1", 1, 12.0) == 8


def test_without_the_time_of_an_end_it_counts_as_begun_when_placed() -> None:
    work = holding(job("a", 0.0), job("b", 1.0))
    work.ended("a")
    assert work.wait_s("vm1", 1, 4.0) == 7


def test_a_later_end_does_not_restart_a_job_that_has_begun() -> None:
    work = holding(job("a", 0.0), job("b", 0.0, seconds=9.0), job("c", 0.0, seconds=50.0))
    work.ended("b", 3.0)  # now c begins
    work.ended("a", 5.0)
    work.placed(job("d", 5.0, seconds=90.0))
    assert work.wait_s("vm1", 2, 7.0) == 50 - (7 - 3)


def test_a_big_job_begins_when_all_its_slots_are_free_and_nobody_passes_it() -> None:
    line = [job("a", seconds=4.0), job("b", seconds=10.0), job("big", seconds=5.0, slots=2), job("c", seconds=1.0)]
    assert holding(*line[:3]).wait_s("vm1", 2, 0.0) == 15
    assert holding(*line).wait_s("vm1", 2, 0.0) == 15
    assert holding(*line).wait_s("vm1", 3, 0.0) == 9, "c waits for the big job, though a slot is free"


def test_a_job_of_more_slots_than_the_vm_has_takes_them_all() -> None:
    work = holding(job("huge", slots=9))
    assert work.wait_s("vm1", 2, 4.0) == 6


def test_a_run_is_expected_to_take_what_half_of_its_like_take() -> None:
    assert remaining_s(Range(10, 12), 0) == 10
    assert remaining_s(Range(10, 12), 8) == 2


def test_one_that_has_outlived_them_is_given_some_more_and_then_ever_more() -> None:
    assert remaining_s(Range(10, 14), 10) == 2
    assert remaining_s(Range(10, 14), 14) == 2
    assert remaining_s(Range(10, 14), 50) == 10


actions = st.lists(
    st.tuples(st.sampled_from(["placed", "ended", "dropped"]), st.integers(0, 9), st.integers(1, 3)), max_size=60
)


@given(actions, st.integers(1, 4))
def test_slots_held_are_those_of_the_jobs_held(actions: Sequence[tuple[str, int, int]], slots: int) -> None:
    work, held = Work(), dict[str, Outstanding]()
    for now, (action, number, size) in enumerate(actions):
        placement, vm = f"job{number}", f"vm{number % 2}"
        if action == "placed":
            held[placement] = job(placement, float(now), vm=vm, slots=size)
            work.placed(held[placement])
        elif action == "ended":
            assert work.ended(placement, float(now)) == held.pop(placement, None)
        else:
            assert {one.placement for one in work.drop(vm)} == {key for key in held if held[key].vm == vm}
            held = {key: one for key, one in held.items() if one.vm != vm}
        taken = sum(one.slots for one in held.values() if one.vm == vm)
        assert (len(work), work.held_slots(vm)) == (len(held), taken)
        assert (work.wait_s(vm, slots, float(now)) == 0) == (taken < slots)


@given(st.lists(st.floats(0.1, 60), min_size=1, max_size=12), st.integers(1, 4), st.floats(0, 100))
def test_one_more_job_in_line_never_shortens_the_wait(runs: list[float], slots: int, now: float) -> None:
    work, waits = Work(), list[float]()
    for number, seconds in enumerate(runs):
        work.placed(job(f"job{number}", 0.0, seconds=seconds))
        waits.append(work.wait_s("vm1", slots, now))
    assert waits == sorted(waits)


def test_what_a_vm_holds_no_more_is_forgotten() -> None:
    work = Work()
    for placement in ("p1", "p2"):
        work.placed(Outstanding(placement, "vm1", "anna", "sketch", 1.0, 1, Range(1, 2), 0.0))
    work.keep("vm1", {"p2"})
    work.keep("vm2", set())
    assert ("p1" in work, "p2" in work, work.held_slots("vm1")) == (False, True, 1)
