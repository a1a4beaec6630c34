"""Finding a system's capacity: one that holds `capacity` jobs a second, and not one more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.bench.figures import Fairness, Figures, Generator, Row
from ui.bench.search import Step, best, next_rate, step_of, why_not


def step(rate: float, why: str | None = None) -> Step:
    return Step(rate=rate, offered_rate=rate, achieved_rate=rate, p95_s=1.0, why_not=why)


def searched(capacity: float, first: float) -> list[Step]:
    steps: list[Step] = []
    while (rate := next_rate(steps, first)) is not None:
        steps.append(step(rate, None if rate <= capacity else "over 2 s"))
        assert len(steps) < 100
    return steps


def test_the_rate_goes_up_until_one_is_bad_and_then_between() -> None:
    assert [round(each.rate, 2) for each in searched(capacity=20, first=10)] == [10, 15, 22.5, 18.37, 20.33, 19.33]


def test_a_first_rate_that_is_too_high_is_halved() -> None:
    steps = searched(capacity=3, first=10)
    assert [each.rate for each in steps[:3]] == [10, 5, 2.5]
    found = best(steps)
    assert found
    assert found.rate == pytest.approx(3, rel=0.1)


def test_a_system_that_holds_nothing_is_given_up() -> None:
    steps = searched(capacity=0, first=10)
    assert best(steps) is None
    assert len(steps) == 7


def test_where_nothing_is_answered_no_lower_rate_is_tried() -> None:
    none = step_of(10, figures(good=0), slo_s=2)
    assert none.why_not == "100 of 100 jobs got no good answer"
    assert next_rate([none], 10) is None


@given(st.floats(0.1, 1000), st.floats(0.1, 1000))
def test_what_is_found_is_within_a_tenth(capacity: float, first: float) -> None:
    found = best(searched(capacity, first))
    if found is None:
        assert capacity < first / 32
    else:
        assert found.rate <= capacity <= found.rate * 1.1001


def figures(*, good: int = 100, achieved: float = 100.0, p95: float | None = 1.0, kept_up: bool = True) -> Figures:
    """Of 100 jobs due in a second."""
    row = Row(operation="all", place="all", jobs=good, latency={} if p95 is None else {"p95": p95}, service={})
    return Figures(
        seconds=1.0,
        offered=100,
        offered_rate=100.0,
        achieved_rate=achieved,
        good=good,
        lost=0,
        problems={},
        cloud_share=0.0,
        cost=0.0,
        rows=(row,),
        fairness=Fairness(users=1, answers=1, waiting=1),
        generator=Generator(lag={}, cpu=0.1, kept_up=kept_up),
    )


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (figures(), None),
        (figures(p95=2.0), None),
        (figures(p95=2.1), "over 2 s"),
        (figures(good=95, achieved=95), None),
        (figures(good=94), "6 of 100 jobs got no good answer"),
        (figures(good=0, p95=None), "100 of 100 jobs got no good answer"),
        (figures(achieved=93), None),  # two may be on their way
        (figures(achieved=92), "answers fall behind"),
        (figures(kept_up=False), "the generator did not keep up"),
    ],
)
def test_a_rate_is_held_when_nearly_all_are_answered_in_time_and_at_their_pace(seen: Figures, why: str | None) -> None:
    assert why_not(seen, 2.0) == why
    assert step_of(100, seen, 2.0).why_not == why
