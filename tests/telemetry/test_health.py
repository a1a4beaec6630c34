"""Health: how jobs end in, a share out; beats in, whether the worker is stuck out."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.health import LONGEST_WAIT_S, Health, Progress, ease
from tests.telemetry.beats import beat

FULL = 8


def after(*ends: bool, at: float = 0.0) -> Health:
    health = Health()
    for ok in ends:
        health.judged(at, ok=ok)
    return health


def test_a_failure_halves_the_share_and_a_success_gives_a_tenth_back() -> None:
    assert after().share == 1.0
    assert after(False).share == 0.5
    assert after(False, True).share == pytest.approx(0.6)
    assert after(False, *[True] * 9).share == 1.0
    assert after(*[False, False, True] * 9).share >= 0.1


def test_the_share_cuts_the_capacity_but_leaves_one_job() -> None:
    capacities = [health.capacity(FULL, 1.0, 0.0) for health in (after(), after(False), after(False, False))]
    assert capacities == [8, 4, 2]
    assert after(False, False).capacity(1, 0.0, 0.0) == 1
    assert after(*[False, *[True] * 3]).capacity(10, 1.0, 0.0) == 8  # 0.5 + 0.1 + 0.1 + 0.1 is a little over 0.8


def test_slow_answers_cut_the_share_once_they_are_the_rule() -> None:
    health, shares = Health(), list[float]()
    for _ in range(30):
        health.judged(0.0, ok=True, slowness=3.0)
        shares.append(round(health.share, 2))
    assert shares[:4] == [1.0, 0.87, 0.76, 0.69]
    assert shares[-1] == 0.5

    for _ in range(10):
        health.judged(0.0, ok=True, slowness=1.0)
    assert health.share == 1.0


def test_a_single_freak_is_no_rule() -> None:
    health = Health()
    health.judged(0.0, ok=True, slowness=1e9)

    assert health.share == pytest.approx(1.5 / 2.8)


def test_three_failures_in_a_row_bring_probation() -> None:
    assert not after(False, False, True, False, False).on_probation

    health = after(False, False, False, at=10.0)
    assert health.on_probation
    assert [health.capacity(FULL, 1.0, now) for now in (10.0, 10.4, 10.5, 99.0)] == [0, 0, 1, 1]


def test_each_trial_that_fails_doubles_the_wait_and_a_success_ends_it() -> None:
    health, now, waits = after(False, False, False), 0.0, list[float]()
    for _ in range(9):
        wait = next(wait for wait in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0) if health.capacity(8, 1.0, now + wait))
        waits.append(wait)
        now += wait
        health.judged(now, ok=False)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]

    health.judged(now, ok=True)
    assert (health.on_probation, health.capacity(FULL, 1.0, now)) == (False, 2)  # a share of 0.2


def test_jobs_sent_before_the_probation_may_fail_in_a_bunch() -> None:
    health = after(*[False] * 20, at=10.0)
    health.judged(10.4, ok=False)

    assert [health.capacity(FULL, 1.0, now) for now in (10.8, 10.9)] == [0, 1]


def test_a_failure_that_is_pardoned_gives_back_what_it_took() -> None:
    health = after(False, False)
    health.pardoned()
    assert health.share == 0.5
    health.judged(0.0, ok=False)
    assert not health.on_probation
    health.pardoned()
    health.pardoned()
    health.pardoned()  # its failure was followed by a success, say
    assert (health.share, health.capacity(FULL, 1.0, 0.0)) == (1.0, FULL)


def test_a_pardon_may_end_a_probation_or_one_step_of_it() -> None:
    health = after(False, False, False)
    health.judged(0.5, ok=False)  # a trial: it waits for a second now
    health.pardoned()
    health.judged(1.5, ok=False)
    assert [health.capacity(FULL, 1.0, now) for now in (2.4, 2.5)] == [0, 1]

    health.pardoned()
    health.pardoned()
    assert (health.on_probation, health.capacity(FULL, 1.0, 1.5)) == (False, 4)
    health.judged(1.5, ok=False)
    assert [health.capacity(FULL, 1.0, now) for now in (1.9, 2.0)] == [0, 1]  # it begins anew


ENDS = st.tuples(st.floats(0, 100), st.sampled_from([True, False, None]), st.none() | st.floats(0, 1e12))


@given(st.lists(ENDS, max_size=60))
def test_whatever_happens_a_vm_gets_another_chance(ends: list[tuple[float, bool | None, float | None]]) -> None:
    health, now = Health(), 0.0
    for passed, ok, slowness in ends:
        now += passed
        if ok is None:
            health.pardoned()
        else:
            health.judged(now, ok=ok, slowness=slowness)
        assert 0 < health.share <= 1
        assert 0 <= health.capacity(FULL, 1.0, now) <= FULL
        assert 1 <= health.capacity(FULL, 0.0, math.nextafter(now + LONGEST_WAIT_S, math.inf)) <= FULL


def test_a_newcomer_gets_its_share_evenly() -> None:
    assert [ease(passed, 10.0) for passed in (0.0, 2.5, 10.0, 99.0)] == [0.0, 0.25, 1.0, 1.0]
    assert ease(0.0, 0.0) == 1.0
    assert [Health().capacity(FULL, ease(passed, 10.0), 0.0) for passed in (0.0, 1.0, 2.5, 5.0, 9.9)] == [1, 1, 2, 4, 8]


def hears(progress: Progress, now: float, *, done: int = 0, **more: Any) -> str | None:
    heard = beat(0, done=done, **more)
    progress.heard(heard, now, holds=bool(heard.held))
    return progress.stuck(heard, now, after_s=75.0)


def test_a_worker_whose_job_never_ends_is_stuck() -> None:
    progress = Progress(done=4, since=0.0)
    why = "its worker is stuck: one job has run for 95 s and nothing was finished"

    assert hears(progress, 75.0, done=4, oldest_running_s=94.0, running=1, held=("a",)) is None
    assert hears(progress, 76.0, done=4, oldest_running_s=95.0, running=1, held=("a",)) == why
    assert hears(progress, 77.0, done=5, oldest_running_s=96.0, running=1, held=("a",)) is None
    assert hears(progress, 153.0, done=5, oldest_running_s=75.0, running=1, held=("a",)) is None


def test_a_worker_that_holds_jobs_and_runs_none_is_stuck() -> None:
    progress = Progress(done=0, since=0.0)

    assert hears(progress, 100.0) is None  # idle for long, without a job
    assert hears(progress, 101.0, held=("a",)) is None
    assert hears(progress, 176.0, held=("a",)) is None
    assert hears(progress, 177.0, held=("a",)) == "its worker is stuck: it has held jobs for 76 s and runs none"
    assert hears(progress, 178.0, held=("a",), running=1) is None
    assert hears(progress, 179.0, held=("a",)) is None


def test_jobs_too_quick_to_be_seen_running_are_seen_to_be_done() -> None:
    progress = Progress(done=0, since=0.0)

    assert [hears(progress, second * 10.0, done=second, held=("a",)) for second in range(20)] == [None] * 20


def test_a_worker_that_starts_or_drains_may_hold_jobs_and_run_none() -> None:
    progress = Progress(done=0, since=0.0)

    assert [hears(progress, now, held=("a",), worker="starting") for now in (0.0, 80.0, 160.0)] == [None] * 3
