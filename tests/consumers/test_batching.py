"""Which waiting jobs run together."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Job
from consumers.batching import MOST, Batching

ALLOWED = Batching({"caption"}, most_bytes=100, most_attempts=3)


def job(operation: str = "caption", size: int = 1, attempt: int = 1, **params: Any) -> Job:
    return Job(id="j", operation=operation, user="anna", body=b"x" * size, params=params, attempt=attempt)


def test_a_lone_job_runs_at_once() -> None:
    assert ALLOWED.choose([job()], free=1) == [0]


def test_jobs_that_ask_for_the_same_run_together_wherever_they_stand() -> None:
    line = [job(length=5), job(length=6), job("sketch"), job(length=5)]
    assert ALLOWED.choose(line, free=1) == [0, 3]


def test_what_only_python_takes_for_the_same_does_not() -> None:
    assert ALLOWED.choose([job(length=1), job(length=True), job(length=1.0)], free=1) == [0]


def test_an_operation_that_gains_nothing_runs_alone() -> None:
    assert ALLOWED.choose([job("sketch"), job("sketch")], free=1) == [0]


def test_a_batch_has_its_most() -> None:
    assert len(ALLOWED.choose([job()] * (MOST + 1), free=1)) == MOST


def test_pictures_that_are_too_large_together_leave_room_for_smaller_ones() -> None:
    assert ALLOWED.choose([job(size=60), job(size=60), job(size=40)], free=1) == [0, 2]
    assert ALLOWED.choose([job(size=200), job()], free=1) == [0]


def test_waiting_jobs_are_shared_out_among_free_processes() -> None:
    assert len(ALLOWED.choose([job()] * 7, free=2)) == 4
    assert len(ALLOWED.choose([job()] * 3, free=3)) == 1


def test_a_job_that_failed_once_runs_alone() -> None:
    assert ALLOWED.choose([job(attempt=2), job()], free=1) == [0]
    assert ALLOWED.choose([job(), job(attempt=2), job()], free=1) == [0, 2]


def test_a_last_attempt_has_no_company() -> None:
    only_one = Batching({"caption"}, most_bytes=100, most_attempts=1)
    assert only_one.choose([job(), job()], free=1) == [0]


JOBS = st.builds(
    job,
    st.sampled_from(["caption", "sketch"]),
    st.integers(0, 60),
    st.integers(0, 3),
    length=st.integers(1, 2),
)


@given(st.lists(JOBS, min_size=1, max_size=30), st.integers(1, 4))
def test_the_first_in_line_always_runs_and_whoever_joins_it_fits(line: list[Job], free: int) -> None:
    places = ALLOWED.choose(line, free)
    assert places[0] == 0
    assert places == sorted(set(places))
    assert len({(line[place].operation, str(line[place].params)) for place in places}) == 1
    if len(places) > 1:
        assert sum(len(line[place].body) for place in places) <= ALLOWED.most_bytes
        assert all(line[place].attempt <= 1 for place in places)
