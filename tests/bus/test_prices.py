"""What a job in the cloud is estimated to cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.prices import TIB, Prices, dollars, of_cap, over_cap
from bus.settings import Settings

GOOGLES = Prices.of(Settings(cloud="pubsub"))


def test_three_seconds_on_two_processors_with_a_megabyte_cost_about_a_sixtieth_of_a_cent() -> None:
    # 3 s x (2 vCPU x $0.000024 + 4 GiB x $0.0000025), a request, and a megabyte there and back through Pub/Sub
    assert GOOGLES.job(3, 0) == pytest.approx(3 * 0.000_058 + 0.000_000_4)
    assert GOOGLES.job(3, 1 << 20) - GOOGLES.job(3, 0) == pytest.approx(80 / (1 << 20))


def test_services_of_ones_own_cost_nothing_by_the_job() -> None:
    for cloud in ("http", "none"):
        assert Prices.of(Settings(cloud=cloud)).job(60, TIB) == 0.0


def test_prices_are_those_of_the_settings() -> None:
    chosen = Settings(cloud_vcpus=1, cloud_memory_gib=2, price_vcpu_s=3, price_gib_s=4, price_request=5, price_tib=TIB)
    assert Prices.of(chosen) == Prices(second=11, request=5, byte=1)
    assert Prices.of(chosen).job(2, 7) == 34


@given(st.floats(0, 1e6), st.integers(0, 2**40), st.floats(0, 1e6), st.integers(0, 2**40))
def test_more_never_costs_less(seconds: float, size: int, more_seconds: float, more: int) -> None:
    assert GOOGLES.job(seconds + more_seconds, size + more) >= GOOGLES.job(seconds, size) > 0


# Caps


def test_within_the_cap_and_without_one_jobs_go() -> None:
    assert over_cap(0.4, 0.8, 1.2) is None
    assert over_cap(100.0, 100.0, None) is None
    assert over_cap(0.0, 0.0, 0.0) is None


@pytest.mark.parametrize("spent", [1.2, 1.3, 0.4 + 0.8])
def test_a_cap_that_is_reached_is_spent(spent: float) -> None:
    assert over_cap(0.1, spent, 1.2) == f"budget spent: {dollars(spent)} of $1.20 a day"


def test_a_job_that_would_pass_the_cap_is_told_apart_from_a_cap_that_is_spent() -> None:
    said = "the next job's estimated $0.00042 would pass the cap: $0.00 of $0.00010 a day are spent"
    assert over_cap(0.000_42, 0.0, 0.0001) == said


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_what_is_refused_would_pass_the_cap(cost: float, spent: float, cap: float) -> None:
    assert (over_cap(cost, spent, cap) is not None) == (spent + cost > cap + 1e-9)


def test_both_sums_of_a_cap_are_told_in_one_form() -> None:
    assert of_cap(0.12, 5) == "$0.12 of $5.00 a day"
    assert of_cap(0.0042, 0.5) == "$0.0042 of $0.50 a day"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (-1, "$0.00"),
        (1234.5, "$1,234.50"),
        (12.499, "$12.50"),
        (0.996, "$1.00"),
        (0.42, "$0.42"),
        (0.0042, "$0.0042"),
        (0.000171, "$0.00017"),
        (4e-12, "$0.00000000"),
    ],
)
def test_less_than_a_cent_keeps_two_digits(amount: float, text: str) -> None:
    assert dollars(amount) == text
