"""Quantiles over a sliding window."""

from hypothesis import given
from hypothesis import strategies as st

from ui.web.live.quantiles import WITHIN, Latencies, SlidingQuantiles
from ui.web.live.sample import Latency, Quantiles

TIMES = st.lists(st.floats(min_value=1, max_value=1e8), min_size=1, max_size=300)


def of(*times: float, window_s: int = 5) -> SlidingQuantiles:
    quantiles = SlidingQuantiles(window_s)
    for time in times:
        quantiles.add(time)
    return quantiles


def test_without_jobs_there_are_no_figures() -> None:
    assert of().told == Quantiles(n=0)


def test_one_job_is_every_quantile() -> None:
    told = of(1000).told
    assert told.n == 1
    assert told.p50 == told.p95 == told.p99
    assert abs((told.p50 or 0) - 1000) <= 1000 * WITHIN


@given(TIMES)
def test_quantiles_are_near_the_exact_ones(times: list[float]) -> None:
    told, ordered = of(*times).told, sorted(times)
    for share, figure in ((50, told.p50), (95, told.p95), (99, told.p99)):
        exact = ordered[-(-share * len(times) // 100) - 1]
        assert figure is not None
        assert abs(figure - exact) <= exact * WITHIN + 0.06  # what rounding to a tenth adds


def test_what_the_window_has_passed_counts_no_more() -> None:
    quantiles = of(1000, 1000, window_s=3)
    counted = [quantiles.told.n]
    for time in (10, 1000, 10):
        quantiles.roll()
        quantiles.add(time)
        counted.append(quantiles.told.n)
    assert counted == [2, 3, 4, 3]
    assert (quantiles.told.p50 or 0) < 11
    assert (quantiles.told.p99 or 0) > 980
    for _ in range(3):
        quantiles.roll()
    assert quantiles.told == Quantiles(n=0)


@given(st.floats(allow_nan=False, max_value=1e300, min_value=-1e300))
def test_times_that_can_not_be_are_taken_for_the_nearest_that_can(time: float) -> None:
    told = of(time).told
    assert 0.9 <= (told.p50 or 0) <= 7.1 * 86_400_000


def test_seconds_counted_before_go_in_front_as_far_as_the_window_reaches() -> None:
    earlier, later = of(1), of(1000, window_s=3)
    for time in (2, 3, 4):
        earlier.roll()
        earlier.add(time)
    later.preceded_by(earlier)
    assert later.told.n == 3  # the two latest of the earlier seconds, and its own
    later.roll()
    assert later.told.n == 2
    assert earlier.told.n == 4


def test_each_operation_has_its_own() -> None:
    latencies, earlier = Latencies(5), Latencies(5)
    latencies.add("sketch", 100)
    latencies.add("knit", 100)
    earlier.add("caption", 9000)
    latencies.preceded_by(earlier)
    told = latencies.told
    assert (told.n, {name: of.n for name, of in told.by_operation.items()}) == (3, {"sketch": 1, "caption": 1})
    for _ in range(5):
        latencies.roll()
    assert latencies.told == Latency(n=0)
