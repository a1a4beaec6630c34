"""Places in line against the real order of service; an item's user is its first letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.fairness import FairQueue, Place
from tests.producers.fair import ARRIVALS, Arrival, fill, filled, many, of_arrivals, served


@given(ARRIVALS, st.integers(0, 30), ARRIVALS, st.sampled_from([0, 0.1, 1, 3.7]))
def test_the_place_in_line_is_the_place_in_the_order_of_service(
    before: list[Arrival],
    served_before: int,
    after: list[Arrival],
    seconds: float,
) -> None:
    queue: FairQueue[str] = FairQueue()

    def add(arrivals: list[Arrival], mark: str) -> None:
        for number, (user, kind, _, _) in enumerate(arrivals):
            item = f"{user}{mark}{number}"
            queue.add(item, user=user, kind=kind, seconds=seconds, interactive=user in "ab")

    add(before, "before")
    served(queue, most=served_before)
    add(after, "after")
    lines = {item: queue.line(item) for item in queue}
    order = served(queue)
    assert [lines[item].place for item in order] == list(range(1, len(order) + 1))
    for place, item in enumerate(order):
        assert lines[item].seconds_ahead == pytest.approx(place * seconds)


@given(ARRIVALS)
def test_a_place_in_line_is_a_place(arrivals: list[Arrival]) -> None:
    queue = of_arrivals(arrivals)
    queue.correct("b", -5)
    total = sum(queue.seconds(user) for user in "abcd")
    for item in queue:
        line = queue.line(item)
        assert 1 <= line.place <= len(queue)
        assert 0 <= line.seconds_ahead <= total


def test_the_seconds_ahead_of_a_newcomer_are_near_for_unequal_jobs() -> None:
    queue = filled(many("a", 100), seconds=7)
    fill(queue, many("b", 100), seconds=2)
    ahead = queue.line("b49")
    order = served(queue)
    place = order.index("b49")
    assert abs(ahead.place - 1 - place) <= 1
    assert ahead.seconds_ahead == pytest.approx(sum(7 if item[0] == "a" else 2 for item in order[:place]), abs=7)


def test_jobs_that_cost_nothing_go_before_those_that_do() -> None:
    queue = filled("a1 a2 a3", seconds=0)
    fill(queue, "b1 b2")
    assert queue.line("b2") == Place(5, 1.0)
    assert served(queue) == ["a1", "b1", "a2", "a3", "b2"]


def test_an_unknown_item_has_no_place() -> None:
    with pytest.raises(KeyError):
        filled("a1").line("a2")
