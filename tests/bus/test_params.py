"""Parameters, in any of the ways that a caller may write them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.bus.test_messages import sent


@pytest.mark.parametrize(
    "params",
    [
        {"format": "png", "strength": 0.5},
        '{"format": "png", "strength": 0.5}',
        b'{"format": "png", "strength": 0.5}',
        {"format": b"png", "strength": Decimal("0.5")},
    ],
)
def test_params_may_be_a_table_or_json(params: object) -> None:
    assert sent(headers={"params": params}).params == {"format": "png", "strength": 0.5}


@pytest.mark.parametrize("params", [None, "", b"", {}, "{}"])
def test_no_params_are_no_params(params: object) -> None:
    assert sent(headers={"params": params}).params == {}


def test_a_point_in_time_in_a_table_is_read_as_text() -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    assert sent(headers={"params": {"when": when}}).params == {"when": "2026-01-02 00:00:00+00:00"}
