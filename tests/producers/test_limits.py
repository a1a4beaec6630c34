"""A user over a limit is told which, and when to come again; others notice nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.problems import Problem
from producers.limits import Limits


def refused(problem: Problem | None) -> Problem:
    assert problem is not None
    return problem


# Jobs in line


def test_a_user_may_fill_the_line_and_no_more() -> None:
    limits = Limits(queued=3)
    assert limits.admit("ada", 2, 60.0, now=0) is None
    problem = refused(limits.admit("ada", 3, 60.0, now=0))
    assert (problem.slug, problem.status, problem.limit) == ("too-many-jobs", 429, 3)
    assert problem.detail == "'ada' has 3 jobs in line; at most 3 may wait at a time."


@pytest.mark.parametrize(
    ("queued_now", "seconds_ahead", "after_s"),
    [
        (10, 60.0, 6.0),  # one of ten must end
        (14, 28.0, 10.0),  # five of fourteen
        (10, 1.0, 1.0),
        (10, 0.0, 1.0),
    ],
)
def test_one_comes_again_when_enough_have_ended(queued_now: int, seconds_ahead: float, after_s: float) -> None:
    assert refused(Limits(queued=10).admit("ada", queued_now, seconds_ahead, now=0)).retry_after_s == after_s


def test_with_no_place_at_all_there_is_still_an_answer() -> None:
    assert refused(Limits(queued=0).admit("ada", 0, 5.0, now=0)).retry_after_s == 5.0


# Jobs in a minute


def test_without_a_rate_there_is_none_and_nobody_is_remembered() -> None:
    limits = Limits(queued=1)
    assert [limits.admit("ada", 0, 0.0, now=0) for _ in range(1000)] == [None] * 1000
    assert len(limits) == 0


def test_a_minutes_worth_may_come_at_once_and_then_one_at_a_time() -> None:
    limits = Limits(queued=1, per_minute=30)
    assert [limits.admit("ada", 0, 0.0, now=5) for _ in range(30)] == [None] * 30
    problem = refused(limits.admit("ada", 0, 0.0, now=5))
    assert (problem.slug, problem.status, problem.limit, problem.retry_after_s) == ("too-fast", 429, 30, 2.0)
    assert problem.detail == "'ada' may send 30 jobs a minute; the next one may come in 2 s."
    assert refused(limits.admit("ada", 0, 0.0, now=6.5)).retry_after_s == 0.5
    assert limits.admit("ada", 0, 0.0, now=7) is None
    assert refused(limits.admit("ada", 0, 0.0, now=7)).retry_after_s == 2.0


def test_one_users_haste_is_not_anothers() -> None:
    limits = Limits(queued=1, per_minute=1)
    assert limits.admit("ada", 0, 0.0, now=0) is None
    assert refused(limits.admit("ada", 0, 0.0, now=0)).retry_after_s == 60.0
    assert limits.admit("ben", 0, 0.0, now=0) is None


def test_a_job_refused_for_the_line_costs_nothing_of_the_rate() -> None:
    limits = Limits(queued=1, per_minute=1)
    assert refused(limits.admit("ada", 1, 9.0, now=0)).slug == "too-many-jobs"
    assert limits.admit("ada", 0, 0.0, now=0) is None


def test_users_who_stay_away_are_forgotten() -> None:
    limits = Limits(queued=1, per_minute=60)
    for n in range(10_000):
        limits.admit(f"user-{n}", 0, 0.0, now=n / 10)  # each bucket is full again after a second, that is, ten users
    assert len(limits) <= 65


@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=80))
def test_no_span_holds_more_than_a_minutes_worth_and_its_own(per_minute: int, gaps: list[float]) -> None:
    limits, now, passed = Limits(queued=1, per_minute=per_minute), 1e6, list[float]()
    for gap in gaps:
        now += gap
        if limits.admit("ada", 0, 0.0, now) is None:
            passed.append(now)
    for first, start in enumerate(passed):
        for last, end in enumerate(passed[first:], first):
            assert last - first + 1 <= per_minute * (1 + (end - start) / 60) + 1e-3


@given(st.integers(1, 5000), st.floats(0, 1e7), st.floats(0, 5))
def test_who_comes_again_when_told_is_let_in_and_not_much_before(rate: int, now: float, later_s: float) -> None:
    limits = Limits(queued=1, per_minute=rate)
    while limits.admit("ada", 0, 0.0, now) is None:
        pass
    told = refused(limits.admit("ada", 0, 0.0, now)).retry_after_s
    assert told is not None
    if told > 0.003:
        assert limits.admit("ada", 0, 0.0, now + told - 0.002) is not None
    assert limits.admit("ada", 0, 0.0, now + told) is None
