from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.web.people.limits import AtATime, Logins, Rate, Tries

CALLS = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20), st.integers(1, 3)), max_size=80)


def at_moments(calls: Iterable[tuple[str, float, int]]) -> Iterable[tuple[str, float, int]]:
    """Calls with the time since the one before, as calls with their moments."""
    now = 1000.0
    for key, after_s, cost in calls:
        now += after_s
        yield key, now, cost


def test_a_minutes_share_may_be_taken_at_once_and_comes_back_evenly() -> None:
    rate = Rate(3)
    assert [rate.take("a", 0.0) for _ in range(4)] == [0, 0, 0, 20.0]
    assert rate.take("b", 0.0) == 0
    assert rate.take("a", 19.0) == pytest.approx(1.0)
    assert rate.take("a", 20.0) == 0
    assert rate.take("a", 20.0) == 20.0


def test_what_costs_more_than_a_minutes_share_never_passes() -> None:
    assert Rate(3).take("a", 0.0, cost=4) > 0


@given(CALLS, st.integers(3, 12))
def test_nobody_gets_more_than_two_shares_in_any_minute(calls: list[tuple[str, float, int]], share: int) -> None:
    rate = Rate(share)
    taken = [(key, now, cost) for key, now, cost in at_moments(calls) if rate.take(key, now, cost) == 0]
    for _, end, _ in taken:
        in_minute = Counter[str]()
        for key, now, cost in taken:
            in_minute[key] += cost if end - 60 < now <= end else 0
        assert all(count <= 2 * share for count in in_minute.values())


@given(CALLS, st.integers(3, 12))
def test_whoever_waits_as_told_passes(calls: list[tuple[str, float, int]], share: int) -> None:
    rate, now = Rate(share), 0.0
    for key, after_s, cost in calls:
        now += after_s
        wait_s = rate.take(key, now, cost)
        if wait_s:
            now += wait_s
            assert rate.take(key, now, cost) == 0


@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1)), max_size=300))
def test_however_many_callers_few_are_remembered(calls: list[tuple[int, float]]) -> None:
    rate, now = Rate(1, most_keys=50), 0.0
    for key, after_s in calls:
        now += after_s
        rate.take(key, now)
        assert len(rate) <= 51


def test_those_who_are_owed_nothing_are_forgotten() -> None:
    rate = Rate(60)
    for caller in range(2000):
        rate.take(caller, float(caller))
    assert len(rate) < 1100


def test_when_all_can_not_be_remembered_those_who_took_most_are() -> None:
    rate = Rate(10, most_keys=10)
    assert [rate.take("greedy", 0.0) for _ in range(11)][-1] > 0
    for caller in range(100):
        rate.take(caller, 1.0)
    assert rate.take("greedy", 1.0) > 0


def test_so_many_at_a_time() -> None:
    uploads = AtATime(2)
    assert [uploads.enter("a") for _ in range(3)] == [True, True, False]
    assert uploads.enter("b")
    uploads.leave("a")
    assert uploads.enter("a")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_nobody_who_has_left_is_remembered(steps: list[tuple[str, bool]]) -> None:
    uploads, inside = AtATime(2), Counter[str]()
    for key, enters in steps:
        if enters:
            may = inside[key] < 2
            assert uploads.enter(key) is may
            inside[key] += may
        elif inside[key]:
            uploads.leave(key)
            inside[key] -= 1
        assert len(uploads) == sum(count > 0 for count in inside.values())


def test_waits_double_up_to_the_longest_and_end_with_success() -> None:
    tries, now, waits = Tries(free=2, longest_s=10.0), 0.0, []
    for _ in range(8):
        waits.append(tries.wait_s("a", now))
        now += waits[-1]
        tries.began("a", now)
    assert waits == [0, 0, 1, 2, 4, 8, 10, 10]
    assert tries.wait_s("b", now) == 0
    tries.succeeded("a")
    assert tries.wait_s("a", now) == 0
    assert len(tries) == 0


def test_after_an_hour_of_peace_tries_are_free_again() -> None:
    tries = Tries(free=1, longest_s=900.0)
    for _ in range(40):
        tries.began("a", 0.0)
    assert tries.wait_s("a", 1.0) == 899.0
    assert tries.wait_s("a", 3600.0) == 0
    tries.began("a", 3600.0)
    assert tries.wait_s("a", 3600.0) == 1.0


@given(st.lists(st.integers(0, 500), max_size=300))
def test_tries_are_remembered_of_few(keys: list[int]) -> None:
    tries = Tries(free=1, longest_s=10.0, most_keys=50)
    for now, key in enumerate(keys):
        tries.began(key, float(now))
        assert len(tries) <= 51


def guesses(logins: Logins, name: str, address: str, seconds: int, start: float = 0.0) -> int:
    """How many passwords somebody may try who tries one each tenth of a second."""
    return sum(logins.begin(name, address, start + tenth / 10) == 0 for tenth in range(seconds * 10))


def test_an_hour_of_guessing_from_one_address_is_some_twenty_guesses() -> None:
    assert guesses(Logins(), "anna", "192.0.2.7", 3600) < 25


def test_other_names_do_not_make_an_address_quicker() -> None:
    logins = Logins()
    tried = sum(logins.begin(f"name{tenth}", "192.0.2.7", tenth / 10) == 0 for tenth in range(36_000))
    assert tried < 25


def test_many_addresses_do_not_make_a_name_quicker_than_one_guess_a_minute() -> None:
    logins = Logins()
    tried = sum(logins.begin("anna", f"192.0.2.{tenth % 250}", tenth / 10) == 0 for tenth in range(36_000))
    assert tried < 80


def test_guessers_elsewhere_do_not_keep_the_owner_out() -> None:
    logins = Logins()
    assert logins.begin("anna", "192.0.2.7", 0.0) == 0
    logins.succeeded("anna", "192.0.2.7", 0.0)
    for guess in range(200):
        logins.begin("anna", f"198.51.100.{guess}", guess / 10)
    assert logins.begin("anna", "203.0.113.1", 20.0) > 0
    assert logins.begin("anna", "192.0.2.7", 20.0) == 0


def test_guessers_at_the_same_address_do_not_keep_those_out_who_log_in_there() -> None:
    logins = Logins()
    for name in ("anna", "ben"):
        assert logins.begin(name, "192.0.2.7", 0.0) == 0
        logins.succeeded(name, "192.0.2.7", 0.0)
    assert 8 <= guesses(logins, "anna", "192.0.2.7", 60) < 16
    guesses(logins, "root", "192.0.2.7", 60)
    assert logins.begin("ben", "192.0.2.7", 60.0) == 0
    assert logins.begin("carla", "192.0.2.7", 60.0) > 0


def test_guesses_at_one_name_of_an_address_cost_a_newcomer_there_no_wait() -> None:
    logins = Logins()
    logins.succeeded("anna", "192.0.2.7", 0.0)
    assert guesses(logins, "anna", "192.0.2.7", 3600) < 80
    assert logins.begin("ben", "192.0.2.7", 3600.0) == 0


def test_logging_in_oneself_buys_no_guesses_at_others() -> None:
    logins, tried = Logins(), 0
    logins.succeeded("mallory", "192.0.2.7", 0.0)
    for tenth in range(36_000):
        now = tenth / 10
        tried += logins.begin(f"name{tenth}", "192.0.2.7", now) == 0
        if logins.begin("mallory", "192.0.2.7", now) == 0:
            logins.succeeded("mallory", "192.0.2.7", now)
    assert tried < 25


def test_many_known_names_of_an_address_share_a_bound() -> None:
    logins = Logins()
    names = [f"name{number}" for number in range(400)]
    for name in names:
        logins.succeeded(name, "192.0.2.7", 0.0)
    assert sum(logins.begin(name, "192.0.2.7", 0.0) == 0 for name in names) == 300
    assert logins.begin(names[-1], "192.0.2.7", 1.0) == 0


def test_an_address_is_known_for_a_month() -> None:
    logins, month_s = Logins(), 30 * 86_400.0
    logins.succeeded("anna", "192.0.2.7", 0.0)
    guesses(logins, "anna", "198.51.100.1", 60, start=month_s)
    assert logins.begin("anna", "192.0.2.7", month_s + 60.0) > 0


def test_a_success_forgives_the_typing_errors_before_it() -> None:
    logins = Logins()
    for now in range(8):
        assert logins.begin("anna", "192.0.2.7", float(now)) == 0
    assert logins.begin("anna", "192.0.2.7", 7.5) > 0
    logins.succeeded("anna", "192.0.2.7", 8.0)
    assert logins.begin("anna", "192.0.2.7", 9.0) == 0
