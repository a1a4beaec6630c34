"""When jobs were sent, and whom to believe about it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.flight.arrivals import UNSURE_MS, as_sent
from producers.flight.recording import RecordedJob
from tests.producers.flight.days import BEGINS_MS, job, told


def queued(number: int, arrived_s: float, placed_s: float, lain_s: float | None = 0.0, **more: object) -> RecordedJob:
    """A job of anna's that was taken up and placed then, after lying in its lane for so long by her clock."""
    placed_ms = BEGINS_MS + int(placed_s * 1000)
    lain_ms = None if lain_s is None else int(lain_s * 1000)
    return job(number, arrived_s, placed_s + 1 - arrived_s, routed_ms=placed_ms, lain_ms=lain_ms, **more)


def sent(*jobs: RecordedJob) -> dict[str, float]:
    """When each arrived, seconds, in order."""
    return {each.id: (each.arrived_ms - BEGINS_MS) / 1000 for each in as_sent(told(*jobs, seconds=9000)).jobs}


WINDOW = tuple(queued(number, 10.0, 12.0 + number) for number in range(4))
"""Four jobs that a router takes up at once: its look-ahead is full until the last is placed."""


def behind(number: int, lain_s: float | None, **more: object) -> RecordedJob:
    """One that is taken up as the first of the window is placed, or later."""
    return queued(number, 12.0 + (number - 4), 16.0 + (number - 4), lain_s, **more)


def test_what_had_lain_behind_others_came_when_it_was_sent() -> None:
    assert sent(*WINDOW, behind(4, 1.9), behind(5, 2.9)) == dict.fromkeys("012345", 10.0) | {"4": 10.1, "5": 10.1}


def test_what_is_left_of_it_is_not_believed() -> None:
    first, second = as_sent(told(*WINDOW, behind(4, 1.9), behind(5, 100.0))).jobs[-2:]
    assert (first.id, first.lain_ms, second.id, second.lain_ms) == ("5", 97_000, "4", 0)


def test_where_nobody_says_when_they_sent_their_jobs_they_come_when_they_are_taken_up() -> None:
    recording = told(*WINDOW, behind(4, None), behind(5, 0.0))
    assert as_sent(recording) is recording
    assert sent(*WINDOW, behind(4, None), behind(5, 2.0))["4"] == 12.0


def test_a_clock_that_is_always_late_changes_nothing() -> None:
    late = [replace(each, lain_ms=(each.lain_ms or 0) + 3_600_000) for each in (*WINDOW, behind(4, 1.9))]
    assert sent(*late) == sent(*WINDOW, behind(4, 1.9))


def test_of_two_clocks_the_late_one_moves_no_job_before_those_that_came_first() -> None:
    phone = [behind(number, 3_600.0) for number in (6, 7, 8)]
    came = sent(*WINDOW, behind(5, 0.0), *phone)
    assert [came[each.id] for each in phone] == [13.0 - UNSURE_MS / 1000] * 3


def test_the_urgent_ones_may_overtake_the_others_in_their_lane() -> None:
    urgent, other = behind(7, 0.0, priority=5), behind(8, 5.9)
    others = [behind(number, number - 2.1) for number in (4, 5, 6)]
    assert sent(*WINDOW, *others, urgent, other)["8"] == 10.1


@pytest.mark.parametrize("others", [0, 1])
def test_where_nobody_is_in_line_no_job_had_lain_in_a_lane(others: int) -> None:
    alone = queued(9, 50.0, 51.0, 40.0)
    few = [queued(number, 20.0, 60.0) for number in range(others)]
    assert sent(*WINDOW, *few, alone)["9"] == 50.0


def test_a_line_is_as_old_as_the_first_break_before_it() -> None:
    again = [queued(number, 30.0, 40.0) for number in range(5, 9)]
    assert sent(*WINDOW, *again, queued(9, 35.0, 41.0, 30.0, user="ben"), queued(10, 36.0, 41.0, user="ben"))["9"] == 30


def test_a_line_that_is_gone_for_a_moment_is_still_the_same() -> None:
    """The router has placed three of its window before the next three come."""
    first = [queued(number, 10.0, 12.0) for number in range(4)]
    then = [queued(number, 12.9, 15.0, 2.0) for number in range(4, 8)]
    assert sent(*first, *then)["4"] == 10.9
    assert sent(*first, then[0])["4"] == 10.9, "nor need more than one of them have come so far"


def test_what_was_there_before_the_recording_began_comes_as_it_begins_in_the_order_of_before() -> None:
    early = [queued(number, number - 4.0, 1.0 + number) for number in range(4)]
    lain = queued(4, 1.0, 6.0, 90.0)
    assert list(sent(*early, lain).items()) == [(name, 0.0) for name in "01234"]


def test_who_is_still_in_line_as_it_ends_was_in_it() -> None:
    waiting = [replace(each, routed_ms=None, ended_ms=None, end=None) for each in WINDOW]
    ben = [queued(4, 500.0, 501.0, 400.0, user="ben"), queued(5, 501.0, 501.0, user="ben")]
    assert sent(*waiting, *ben)["4"] == 100.0
    later = [replace(each, arrived_ms=each.arrived_ms + 4_000_000) for each in ben]
    assert sent(*waiting, *later)["4"] == 4_500.0, "nothing is heard of the others for an hour"


jobs = st.builds(
    queued,
    st.integers(0, 99),
    st.floats(-50, 100),
    st.floats(0, 200),
    st.none() | st.floats(0, 5000),
    user=st.sampled_from(["anna", "ben"]),
    priority=st.sampled_from([0, 5]),
)


@given(st.lists(jobs, max_size=30))
def test_no_clock_makes_a_job_come_later_than_it_was_seen_or_earlier_than_it_says(some: list[RecordedJob]) -> None:
    unique = [replace(each, id=str(number)) for number, each in enumerate(some)]
    recording = told(*sorted(unique, key=lambda each: each.arrived_ms))
    seen = {each.id: each for each in unique}
    for moved in as_sent(recording).jobs:
        was = seen[moved.id]
        assert max(BEGINS_MS, was.arrived_ms - (was.lain_ms or 0)) <= moved.arrived_ms
        assert moved.arrived_ms <= max(BEGINS_MS, was.arrived_ms)
        assert replace(moved, arrived_ms=was.arrived_ms, lain_ms=was.lain_ms) == was
        assert (moved.lain_ms is None) == (was.lain_ms is None)
