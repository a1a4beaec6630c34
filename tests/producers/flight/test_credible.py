"""What can be true in a recording, and what can't."""

from dataclasses import replace
from math import inf, nan

import pytest

from producers.flight.credible import AHEAD_MS, LONGEST_LAIN_MS, LONGEST_MS, is_credible, is_of_now
from producers.flight.recording import (
    Line,
    RecordedCloud,
    RecordedJob,
    RecordedLoad,
    RecordedRouter,
    RecordedState,
    RecordedVm,
)

NOON = 1_800_000_000_000
JOB = RecordedJob(
    "j1", "ada", "sketch", NOON, 2.5, 900, began_ms=NOON + 5, ended_ms=NOON + 9, ran_ms=4, cost=0.1, routed_ms=NOON
)
LAIN = replace(JOB, lain_ms=LONGEST_LAIN_MS)
VM = RecordedVm("vm1", NOON, 2, 1, 4.0, ("sketch",))
STATE = RecordedState("vm1", NOON, "ready")
LOAD = RecordedLoad("vm1", NOON, (10, -1), (40, -1), (2, -1))
ROUTER = RecordedRouter(NOON, "threshold", {"cpu": 40.0})
CLOUD = RecordedCloud(NOON, "ready", 32, {"sketch": 2.5}, 5.0, 60, ("sketch",), 9_000_000, 0.25)


@pytest.mark.parametrize("line", [JOB, LAIN, VM, STATE, LOAD, ROUTER, CLOUD, RecordedJob("j", "u", "o", NOON)])
def test_what_is_recorded_of_a_day_is_credible(line: Line) -> None:
    assert is_credible(line, NOON)
    assert is_credible(line, NOON - LONGEST_MS + 1000)
    assert is_credible(line, NOON - 1000)


@pytest.mark.parametrize("line", [JOB, VM, STATE, LOAD, ROUTER, CLOUD])
def test_a_line_of_another_time_is_not(line: Line) -> None:
    assert not is_credible(line, NOON - LONGEST_MS - 1000)
    assert not is_credible(line, NOON + LONGEST_MS + 1000)


@pytest.mark.parametrize(
    "line",
    [
        *(replace(JOB, megapixels=figure) for figure in (nan, inf, -1.0, 1e308)),
        *(replace(JOB, ran_ms=figure) for figure in (-1, 10**18)),
        *(replace(JOB, cost=figure) for figure in (nan, -1.0, 1e308)),
        *(replace(JOB, lain_ms=figure) for figure in (-1, LONGEST_LAIN_MS + 1)),
        replace(JOB, bytes=-1),
        replace(JOB, attempts=-1),
        replace(JOB, began_ms=10**18),
        replace(JOB, ended_ms=10**300),
        replace(JOB, routed_ms=-1),
        replace(VM, vm="\x1b[31mvm"),
        *(replace(VM, slots=figure) for figure in (-1, 10**9)),
        replace(VM, look_ahead=10**9),
        *(replace(VM, cores=figure) for figure in (0.0, nan, 1e300)),
        replace(VM, operations=("sketch",) * 65),
        replace(LOAD, cpu=(1,) * 61, ram=(1,) * 61, running=(1,) * 61),
        replace(LOAD, ram=(40,)),
        replace(LOAD, cpu=(101, -1)),
        replace(LOAD, ram=(-2, -1)),
        replace(LOAD, running=(10**9, -1)),
        replace(ROUTER, limits={"cpu": nan}),
        replace(CLOUD, seconds={"sketch": -1.0}),
        replace(CLOUD, seconds={"sketch": inf}),
        replace(CLOUD, money_per_day=-5.0),
        replace(CLOUD, capacity=-1),
        replace(CLOUD, operations=("sketch",) * 65),
    ],
)
def test_sizes_beyond_all_bounds_are_not(line: Line) -> None:
    assert not is_credible(line, NOON)


def test_what_is_heard_now_was_told_within_a_month_back_and_for_a_good_clock_an_hour_ahead() -> None:
    assert is_of_now(NOON + AHEAD_MS, NOON, exact=True)
    assert is_of_now(NOON - LONGEST_MS, NOON, exact=True)
    assert is_of_now(NOON + LONGEST_MS, NOON, exact=False)
    assert not is_of_now(NOON + AHEAD_MS + 1, NOON, exact=True)
    assert not is_of_now(NOON - LONGEST_MS - 1, NOON, exact=False)
    assert not is_of_now(NOON + LONGEST_MS + 1, NOON, exact=False)
