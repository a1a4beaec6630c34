import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.metrics.fairness import MOST_USERS, Fairness, jain

SHARES = st.lists(st.floats(min_value=0.001, max_value=1e6), min_size=1, max_size=50)


def five_minutes(fairness: Fairness, seconds: dict[str, float], waiting: set[str]) -> float:
    """Each second these wait, and each user's jobs take so many seconds of computing; returns the index."""
    for now in range(300):
        fairness.waiting(waiting, now)
        for user, took in seconds.items():
            fairness.ran(user, took, now)
    return jain(fairness.rates(299).values())


@given(SHARES)
def test_the_index_lies_between_all_for_one_and_equal_shares(shares: list[float]) -> None:
    assert 1 / len(shares) - 1e-9 <= jain(shares) <= 1 + 1e-9


@given(SHARES, st.floats(min_value=0.01, max_value=100))
def test_the_index_knows_no_unit(shares: list[float], factor: float) -> None:
    assert jain(share * factor for share in shares) == pytest.approx(jain(shares))


def test_nothing_to_compare_is_no_unfairness() -> None:
    assert jain([]) == jain([5.0]) == jain([0.0, 0.0]) == 1


def test_equal_shares_are_fair_and_all_for_one_is_not() -> None:
    assert five_minutes(Fairness(), {"anna": 1, "ben": 1}, {"anna", "ben"}) == pytest.approx(1)
    assert five_minutes(Fairness(), {"anna": 1}, {"anna", "ben"}) == pytest.approx(0.5)


def test_who_need_not_wait_is_not_compared() -> None:
    assert five_minutes(Fairness(), {"anna": 1, "ben": 0.01}, {"anna"}) == 1


def test_twice_the_weight_is_meant_to_get_twice_as_much() -> None:
    assert five_minutes(Fairness({"anna": 2.0}), {"anna": 2, "ben": 1}, {"anna", "ben"}) == pytest.approx(1)


def test_a_moment_of_waiting_says_nothing_yet() -> None:
    fairness = Fairness()
    fairness.waiting({"anna", "ben"}, 1.0)
    fairness.ran("anna", 9.0, 1.0)
    assert fairness.rates(1.0) == {}


def test_what_was_five_minutes_ago_is_forgotten() -> None:
    fairness = Fairness()
    assert five_minutes(fairness, {"anna": 1}, {"anna", "ben"}) < 1
    assert fairness.rates(700.0) == {}


def test_a_thousand_users_are_kept_in_a_step_and_no_more() -> None:
    fairness = Fairness()
    for number in range(MOST_USERS + 1):
        fairness.ran(f"user-{number}", 1.0, 0.0)
    fairness.ran("user-0", 1.0, 0.0)
    for now in (0.0, 10.0, 20.0):
        fairness.waiting({"user-0", f"user-{MOST_USERS}"}, now)
    assert fairness.rates(20.0) == {"user-0": pytest.approx(2 / 3), f"user-{MOST_USERS}": 0}
