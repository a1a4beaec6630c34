"""A failed job waits longer each time, never with its neighbours, and a decision can be computed again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.retries import delay_s


@pytest.mark.parametrize(("attempt", "whole_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (1000, 30.0)])
def test_each_wait_is_twice_the_one_before_up_to_half_a_minute(attempt: int, whole_s: float) -> None:
    delays = [delay_s(attempt, 0.5, f"job-{n}") for n in range(1000)]
    assert whole_s / 2 <= min(delays) < whole_s * 0.51
    assert whole_s * 0.99 < max(delays) <= whole_s


def test_jobs_that_failed_together_are_spread_evenly() -> None:
    tenths = [int((delay_s(1, 2.0, f"job-{n}") - 1.0) * 10) for n in range(10_000)]
    assert all(900 < tenths.count(tenth) < 1100 for tenth in range(10))


def test_a_job_has_another_share_of_the_wait_each_time() -> None:
    shares = {delay_s(attempt, 0.001, "job") / 2**attempt for attempt in range(1, 11)}
    assert len(shares) == 10


def test_no_base_is_no_wait() -> None:
    assert delay_s(5, 0.0, "job") == 0.0


@given(st.integers(1, 10**6), st.floats(0, 1e6), st.text() | st.just("\ud800"))
def test_any_wait_is_within_its_bounds_and_can_be_computed_again(attempt: int, base_s: float, key: str) -> None:
    delay = delay_s(attempt, base_s, key)
    assert min(base_s, 30.0) / 2 <= delay <= 30.0
    assert delay_s(attempt, base_s, key) == delay
