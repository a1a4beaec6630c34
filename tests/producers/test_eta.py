"""The coverage of forecasts is shown on a small queue: jobs come at random to a few slots and are served in order."""

import random
from collections.abc import Callable
from heapq import heappop, heappush
from math import exp, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.estimates import Range
from producers.eta import Expected, Forecast

ONE = Range(1.0, 2.0)
SLOTS = 4
DRAWS: dict[str, Callable[[random.Random], float]] = {
    "constant": lambda _: 1.0,
    "light-tailed": lambda draw: exp(draw.gauss(0, 0.2)),
    "exponential": lambda draw: draw.expovariate(1),
    "lognormal, heavy": lambda draw: exp(draw.gauss(-0.72, 1.2)),
    "Pareto": lambda draw: min(30.0, draw.paretovariate(1.5) / 3),
}


class Queue:
    """Jobs served in order by a few slots; each end is learnt from when it happens."""

    def __init__(self, forecast: Forecast, draw: random.Random) -> None:
        self.forecast = forecast
        self._draw = draw
        self._now = 0.0
        self._free = [0.0] * SLOTS
        self._unended: list[tuple[float, float, Expected]] = []

    def serve(self, jobs: int, load: float, seconds: Callable[[random.Random], float]) -> None:
        for _ in range(jobs):
            self._now += self._draw.expovariate(load * SLOTS)
            while self._unended and self._unended[0][0] <= self._now:
                end, born, expected = heappop(self._unended)
                self.forecast.learn(expected, end - born)
            self._join(seconds(self._draw))

    def _join(self, seconds: float) -> None:
        ahead = max(0.0, len(self._unended) - SLOTS / 2) if len(self._unended) >= SLOTS else 0.0
        expected = self.forecast.expect(ahead * ONE.p50, ONE, SLOTS)
        end = max(heappop(self._free), self._now) + seconds
        heappush(self._free, end)
        heappush(self._unended, (end, self._now, expected))


@pytest.mark.parametrize("seconds", DRAWS.values(), ids=DRAWS)
def test_nine_of_ten_ends_come_to_fall_inside(seconds: Callable[[random.Random], float]) -> None:
    queue = Queue(Forecast(), random.Random(3))
    queue.serve(4000, 0.8, seconds)
    assert 0.85 <= queue.forecast.coverage <= 0.95


@pytest.mark.parametrize("seconds", DRAWS.values(), ids=DRAWS)
def test_they_do_again_after_everything_slows_down(seconds: Callable[[random.Random], float]) -> None:
    queue = Queue(Forecast(), random.Random(4))
    queue.serve(2000, 0.25, seconds)
    queue.serve(2500, 0.25, lambda draw: 3 * seconds(draw))
    assert 0.85 <= queue.forecast.coverage <= 0.95


def test_what_is_known_narrows_the_range() -> None:
    forecast = Forecast()
    wide = forecast.range(40.0, ONE, 4)
    for _ in range(1000):
        forecast.learn(forecast.expect(40.0, ONE, 4), 14.3)
    soonest, latest = forecast.range(40.0, ONE, 4)
    assert wide[0] < soonest <= 14.4
    assert 14.2 <= latest < wide[1]
    assert latest - soonest < 1


def test_before_any_end_the_range_is_wide_and_around_the_plain_forecast() -> None:
    expected = Forecast().expect(40.0, ONE, 4)
    assert expected.plain_s == 11
    assert expected.soonest_s < 11 / 3
    assert expected.latest_s > 11 * 3
    assert expected.range == Forecast().range(40.0, ONE, 4)


def test_long_and_short_waits_are_learnt_apart() -> None:
    forecast = Forecast()
    for _ in range(500):
        forecast.learn(forecast.expect(0.0, ONE, 1), 2.0)
        forecast.learn(forecast.expect(99.0, ONE, 1), 50.0)
    assert forecast.range(0.0, ONE, 1) == pytest.approx((2, 2), rel=0.1)
    assert forecast.range(99.0, ONE, 1) == pytest.approx((50, 50), rel=0.1)


def test_a_wait_of_unknown_length_borrows_from_the_length_most_like_it() -> None:
    forecast = Forecast()
    for _ in range(500):
        forecast.learn(forecast.expect(0.0, ONE, 1), 2.0)
        forecast.learn(forecast.expect(99.0, ONE, 1), 50.0)
    assert forecast.range(999.0, ONE, 1) == pytest.approx((500, 500), rel=0.1)
    assert forecast.range(0.3, ONE, 1) == pytest.approx((2.6, 2.6), rel=0.1)


def test_hundreds_of_late_ends_at_once_do_not_overshoot() -> None:
    forecast = Forecast()
    in_line = [forecast.expect(40.0, ONE, 4) for _ in range(300)]
    for expected in in_line:
        forecast.learn(expected, 110.0)
    assert forecast.range(40.0, ONE, 4)[1] < 2 * 110


def test_coverage_is_that_of_the_latest_thousand() -> None:
    forecast = Forecast()
    assert forecast.coverage == 1
    for _ in range(500):
        forecast.learn(Expected(1.0, 0.5, 2.0, 0), 1.0)
    for _ in range(500):
        forecast.learn(Expected(1.0, 0.5, 2.0, 0), 9.0)
    assert forecast.coverage == 0.5
    for _ in range(250):
        forecast.learn(Expected(1.0, 0.5, 2.0, 0), 9.0)
    assert forecast.coverage == 0.25


def test_without_slots_the_forecast_is_long_but_a_number() -> None:
    assert Forecast().expect(10.0, ONE, 0).plain_s == 41


seconds = st.floats(0, 1e6)


@given(st.lists(st.tuples(seconds, seconds, st.floats(0, 100), st.floats(0, 1e9) | st.just(-1.0)), max_size=50))
def test_a_range_is_positive_and_in_order_whatever_happened(jobs: list[tuple[float, float, float, float]]) -> None:
    forecast = Forecast()
    for ahead, own, slots, actual in jobs:
        forecast.learn(forecast.expect(ahead, Range(own, own), slots), actual)
        soonest, latest = forecast.range(ahead, Range(own, own), slots)
        assert 0 < soonest <= latest < inf
