"""What this router sent into the cloud: counted by the last minute and the last day, and set right afterwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import spending as module
from producers.spending import DAY_S, MINUTE_S, Sent, Spending


def sent(*costs: float, at: float = 0.0) -> Spending:
    """Jobs `c0`, `c1` ... sent at one moment, each of a user who was charged 1.5 s."""
    spending = Spending()
    for number, cost in enumerate(costs):
        spending.sent(f"c{number}", cost, 1.5, at)
    return spending


def test_jobs_and_money_are_added_up() -> None:
    spending = sent(0.1, 0.2)
    assert spending.jobs(0) == 2
    assert spending.money(0) == pytest.approx(0.3)
    assert (Spending().jobs(0), Spending().money(0)) == (0, 0.0)


def test_a_job_counts_for_a_minute_and_its_money_for_a_day() -> None:
    spending = sent(1.0, at=0.9)
    assert [spending.jobs(now) for now in (60.9, 61.0)] == [1, 0]
    assert [spending.money(now) for now in (DAY_S + 59, DAY_S + 60)] == [1.0, 0.0]


def test_what_a_job_has_really_cost_counts() -> None:
    spending = sent(0.1, 0.2)
    spending.ended("c0", 0.4)
    spending.ended("c1", None)  # not told: the estimate stands
    assert spending.money(0) == pytest.approx(0.6)
    spending.ended("c0", 9.0)  # told twice
    spending.ended("another router's", 9.0)
    assert spending.jobs(0) == 2
    assert spending.money(0) == pytest.approx(0.6)


def test_a_job_that_comes_home_was_never_sent_and_gives_its_charge_back_once() -> None:
    spending = sent(0.1, 0.2)
    assert spending.came_home("c0") == Sent(cost=0.1, charged_s=1.5, at=0.0)
    assert (spending.came_home("c0"), spending.came_home("x")) == (None, None)
    assert spending.jobs(0) == 1
    assert spending.money(0) == pytest.approx(0.2)


def test_what_no_longer_counts_is_not_set_right() -> None:
    spending = sent(1.0)
    spending.sent("later", 0.5, 1.5, DAY_S)
    assert spending.money(2 * DAY_S) == 0.5
    spending.came_home("c0")
    assert (spending.jobs(2 * DAY_S), spending.money(2 * DAY_S)) == (0, 0.5)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    spending = sent(0.1, 0.2, 0.3)
    assert [spending.came_home(f"c{number}") is None for number in range(3)] == [True, False, False]


steps = st.lists(st.tuples(st.sampled_from(["sent", "ended", "home", "time"]), st.floats(0, 5)), max_size=60)


@given(steps)
def test_no_sum_is_less_than_what_was_spent_in_its_span(script: list[tuple[str, float]]) -> None:
    spending, now, flying = Spending(), 0.0, list[str]()
    real: dict[str, tuple[float, float]] = {}  # placement -> when it was sent, and its cost
    for number, (kind, amount) in enumerate(script):
        if kind == "time":
            now += amount * 10_000
        elif kind == "sent":
            flying.append(f"c{number}")
            spending.sent(flying[-1], amount, 1.0, now)
            real[flying[-1]] = (now, amount)
        elif kind == "ended" and flying:
            place = flying.pop()
            spending.ended(place, amount)
            real[place] = (real[place][0], amount)
        elif flying:
            spending.came_home(flying[0])
            del real[flying.pop(0)]
        assert spending.jobs(now) >= sum(at >= now - MINUTE_S for at, _ in real.values())
        assert spending.money(now) >= sum(cost for at, cost in real.values() if at >= now - DAY_S) - 1e-6
