"""What a job in the cloud is estimated to cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.prices import TIB, Prices
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
