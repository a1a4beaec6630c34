"""The budget: what a job is estimated to cost, what was spent, and that no day and no minute ever passes its cap."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.budget import HOURS, Budget
from bus.prices import TIB, Prices
from bus.settings import Settings

FREE = Prices(0.0, 0.0, 0.0)
GOOGLE = Prices.of(Settings())
HOUR_S = 3600.0
DAY_S = 86_400.0
WALL_S = 500_000 * HOUR_S
"""The beginning of an hour, that of number 500,000."""


def spent(*costs: float, wall_s: float = WALL_S, **caps: Any) -> Budget:
    """A budget of which so much went at one moment."""
    budget = Budget(GOOGLE, **caps)
    for cost in costs:
        budget.sent(cost, 0.0, wall_s)
    return budget


# What a job costs


def test_a_thousand_jobs_of_three_seconds_cost_seventeen_cents() -> None:
    assert round(1000 * Budget(GOOGLE).cost(3.0, 0), 2) == 0.17
    assert Budget(GOOGLE).cost(0.0, TIB) == pytest.approx(80.0, abs=1e-5)
    assert Budget(GOOGLE).cost(-1.0, 0) == GOOGLE.request


def test_before_anything_is_learnt_a_job_is_taken_to_run_for_seconds() -> None:
    budget = Budget(Prices(1.0, 0.0, 0.001))
    operations = ("sketch", "remove-background", "caption", "new")
    assert [budget.estimate(operation, 0) for operation in operations] == [2.0, 4.0, 6.0, 6.0]
    assert budget.estimate("sketch", 100) == 2.0 + 0.2
    assert budget.seconds == {}


def test_the_first_answers_soon_outweigh_the_prior() -> None:
    budget, estimates = Budget(Prices(1.0, 0.0, 0.0)), list[float]()
    for _ in range(40):
        budget.learnt("sketch", 9.0, ran_s=0.5)
        estimates.append(round(budget.estimate("sketch", 0), 2))
    assert estimates[:3] == [1.25, 1.0, 0.88]
    assert estimates[-1] == pytest.approx(0.51, abs=0.01)
    assert budget.seconds["sketch"] == pytest.approx(9.0, abs=0.1)


def test_later_answers_are_followed() -> None:
    budget = Budget(FREE)
    for _ in range(100):
        budget.learnt("caption", 1.0)
    for _ in range(30):
        budget.learnt("caption", 5.0)
    assert 4.5 < budget.seconds["caption"] < 5.0


def test_waiting_in_the_cloud_takes_time_and_no_money() -> None:
    budget = Budget(Prices(1.0, 0.0, 0.0))
    for _ in range(60):
        budget.learnt("sketch", 200.0, ran_s=1.0)
    assert budget.seconds["sketch"] > 190
    assert budget.estimate("sketch", 0) < 1.1


def test_a_job_that_does_not_tell_how_long_it_ran_may_have_run_all_the_time() -> None:
    budget = Budget(Prices(1.0, 0.0, 0.0))
    budget.learnt("sketch", 4.0)
    assert budget.estimate("sketch", 0) == 3.0


@pytest.mark.parametrize(("took_s", "ran_s", "estimate"), [(4.0, 1e15, 3.0), (4.0, -7.0, 1.0), (-4.0, 3.0, 1.0)])
def test_times_that_can_not_be_are_not_believed(took_s: float, ran_s: float, estimate: float) -> None:
    budget = Budget(Prices(1.0, 0.0, 0.0))
    budget.learnt("sketch", took_s, ran_s)
    assert budget.estimate("sketch", 0) == estimate


# Money


def test_what_was_spent_and_would_be_spent_is_held_against_the_cap() -> None:
    budget = spent(0.4, 0.4, money_per_day=1.2)
    assert budget.spent_today(WALL_S) == 0.8
    assert budget.over(0.4, 0.0, WALL_S) is None
    said = "the next job's estimated $0.41 would pass the cap: $0.80 of $1.20 a day are spent"
    assert budget.over(0.41, 0.0, WALL_S) == said
    budget.sent(0.4, 0.0, WALL_S)
    assert budget.over(0.01, 0.0, WALL_S) == "budget spent: $1.20 of $1.20 a day"


def test_what_costs_nothing_is_never_too_dear() -> None:
    assert Budget(FREE, money_per_day=0.0).over(0.0, 0.0, WALL_S) is None
    assert spent(100.0).over(100.0, 0.0, WALL_S) is None


def test_money_comes_back_when_its_whole_hour_is_a_day_old() -> None:
    late = WALL_S + 3599
    budget = spent(1.0, wall_s=late, money_per_day=1.0)
    assert budget.over(0.1, 0.0, late + DAY_S) == "budget spent: $1.00 of $1.00 a day"
    assert budget.over(0.1, 0.0, late + DAY_S + 1) is None


def test_an_answer_tells_what_its_job_really_cost() -> None:
    budget = spent(0.5, 0.5)
    budget.corrected(0.5, 0.1, WALL_S)
    assert budget.spent_today(WALL_S) == pytest.approx(0.6)
    budget.corrected(0.5, 0.9, WALL_S)
    assert budget.spent_today(WALL_S) == pytest.approx(1.0)


def test_a_correction_goes_into_the_hour_of_the_sending() -> None:
    budget = spent(0.5)
    budget.sent(0.5, 10.0, WALL_S + HOUR_S)
    budget.corrected(0.5, 0.2, WALL_S)
    assert budget.by_hour() == {"500000": 0.2, "500001": 0.5}


def test_a_correction_of_an_hour_that_is_not_known_or_spent_already_takes_nothing_from_others() -> None:
    budget = spent(0.5)
    budget.corrected(0.5, 0.0, WALL_S - HOUR_S)
    assert budget.by_hour() == {"500000": 0.5}
    budget.corrected(0.7, 0.0, WALL_S)
    assert budget.spent_today(WALL_S) == 0.0
    assert budget.by_hour() == {}


def test_a_clock_that_is_set_back_gives_no_money_back() -> None:
    budget = spent(1.0)
    assert budget.spent_today(WALL_S - 5 * HOUR_S) == 1.0


def test_a_clock_that_was_wrong_by_years_does_not_shut_the_cloud_for_years() -> None:
    budget = spent(1.0, wall_s=WALL_S + 10 * 365 * DAY_S)
    assert budget.spent_today(WALL_S) == 0.0


def test_old_hours_are_forgotten() -> None:
    budget = Budget(GOOGLE)
    for hour in range(200):
        budget.sent(0.25, 0.0, WALL_S + hour * HOUR_S)
    assert list(budget.by_hour()) == [str(500_000 + hour) for hour in range(200 - HOURS, 200)]
    assert budget.spent_today(WALL_S + 199 * HOUR_S) == 0.25 * HOURS


# Jobs a minute


def test_jobs_are_counted_over_the_last_minute() -> None:
    budget = Budget(FREE, jobs_per_minute=2)
    budget.sent(0.0, 0.9, WALL_S)
    assert budget.over(0.0, 1.0, WALL_S) is None
    budget.sent(0.0, 1.0, WALL_S)
    assert budget.over(0.0, 60.9, WALL_S) == "budget spent: 2 of 2 jobs this minute"
    assert (budget.sent_last_minute(60.9), budget.sent_last_minute(61.0)) == (2, 1)
    assert budget.over(0.0, 61.0, WALL_S) is None
    budget.sent(0.0, 61.9, WALL_S)
    assert budget.sent_last_minute(61.9) == 2
    budget.sent(0.0, 200.0, WALL_S)
    assert (budget.sent_last_minute(200.0), budget.sent_last_minute(261.0)) == (1, 0)


def test_a_cap_of_none_at_all_lets_nothing_go() -> None:
    assert Budget(FREE, jobs_per_minute=0).over(0.0, 0.0, WALL_S) == "budget spent: 0 of 0 jobs this minute"


# What outlives a bridge


def test_a_successor_takes_over_what_was_spent() -> None:
    told = json.loads(json.dumps(spent(0.3, 0.123_456_78).by_hour()))
    assert told == {"500000": 0.4234568}
    heir = Budget(GOOGLE, money_per_day=0.5)
    heir.restore(told, WALL_S + HOUR_S)
    assert "$0.42 of $0.50 a day" in str(heir.over(0.1, 0.0, WALL_S + HOUR_S))


def test_of_an_hour_that_both_know_the_larger_sum_counts() -> None:
    budget = spent(0.5)
    budget.restore({"500000": 0.2, "499999": 0.3}, WALL_S)
    assert budget.by_hour() == {"499999": 0.3, "500000": 0.5}
    budget.restore({"500000": 0.7}, WALL_S)
    assert budget.by_hour() == {"499999": 0.3, "500000": 0.7}


@pytest.mark.parametrize(
    ("hour", "sum_"),
    [
        *((hour, 1.0) for hour in ("", "x", "-1", "5e5", "٥", "9" * 30, "499975", "500001", 500_000, None)),
        *(("500000", sum_) for sum_ in (-1.0, float("nan"), float("inf"), True, "1", None, [1])),
    ],
)
def test_what_is_no_hour_of_late_or_no_sum_is_ignored(hour: Any, sum_: Any) -> None:
    budget = Budget(GOOGLE)
    budget.restore({hour: sum_}, WALL_S)
    assert budget.by_hour() == {}


def test_the_oldest_hour_that_counts_is_taken_over() -> None:
    budget = Budget(GOOGLE)
    budget.restore({"499976": 1}, WALL_S)
    assert budget.spent_today(WALL_S) == 1.0


hours = st.dictionaries(st.integers(499_970, 500_005).map(str), st.floats(0, 1e6) | st.floats(), max_size=40)


@given(hours, hours)
def test_restoring_never_lowers_what_counts_as_spent(first: dict[str, float], then: dict[str, float]) -> None:
    budget = Budget(GOOGLE)
    budget.restore(first, WALL_S)
    before = budget.by_hour()
    budget.restore(then, WALL_S)
    after = budget.by_hour()
    assert all(after[hour] >= before[hour] for hour in before)
    assert len(after) <= HOURS
    assert all(499_976 <= int(hour) <= 500_000 for hour in after)


# No cap is ever passed

steps = st.lists(
    st.tuples(st.floats(0, 5 * HOUR_S), st.floats(0.001, 0.5), st.floats(0, 1), st.booleans()), max_size=80
)


@given(steps, st.floats(0, 3))
def test_no_day_costs_more_than_the_cap(steps: list[tuple[float, float, float, bool]], cap: float) -> None:
    """Jobs go when they may; some answers tell that less was spent; now and then another bridge takes over."""
    budget, passed_s, paid = Budget(GOOGLE, money_per_day=cap), 0.0, list[tuple[float, float]]()
    for gap, estimate, share, heir in steps:
        passed_s += gap
        now, wall_s = passed_s, WALL_S + passed_s
        if budget.over(estimate, now, wall_s):
            continue
        budget.sent(estimate, now, wall_s)
        budget.corrected(estimate, estimate * share, wall_s)
        paid.append((passed_s, estimate * share))
        if heir:
            told, budget = budget.by_hour(), Budget(GOOGLE, money_per_day=cap)
            budget.restore(told, wall_s)
    # A sum is told to 1e-7, once an hour.
    rounding = HOURS * 1e-7
    assert all(sum(cost for at, cost in paid if t <= at <= t + DAY_S) <= cap + rounding for t, _ in paid)


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 8)), max_size=60), st.integers(0, 30))
def test_no_minute_has_more_jobs_than_the_cap(steps: list[tuple[float, int]], cap: int) -> None:
    budget, now, sent = Budget(FREE, jobs_per_minute=cap), 0.0, list[float]()
    for gap, wanted in steps:
        now += gap
        for _ in range(wanted):
            if budget.over(0.0, now, WALL_S) is None:
                budget.sent(0.0, now, WALL_S)
                sent.append(now)
    assert all(sum(start <= at <= start + 60 for at in sent) <= cap for start in sent)
