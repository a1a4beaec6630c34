import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.top.bars import ASCII, bar, brief, clock, per_second, percent_of


def test_a_bar_has_its_mark_and_turns_red_there() -> None:
    assert [bar(percent, 40, 10).plain for percent in (0, 20, 39, 55, 100)] == [
        "····│·····",
        "██··│·····",
        "████│·····",
        "████│█····",
        "████│█████",
    ]
    assert (bar(39.9, 40, 10).style, bar(40, 40, 10).style) == ("green", "red")
    assert bar(50, 100, 4, ASCII).plain == "##.|"


def test_a_load_is_told_to_those_who_see_no_colour() -> None:
    assert [percent_of(value, 40).plain for value in (0, 39.4, 40, 100)] == ["   0%", "  39%", " !40%", "!100%"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (-1, "0.00s"), (0.344, "0.34s"), (9.99, "9.99s"), (9.996, "10.0s"), (59.96, "1m00s"),
        (200, "3m20s"), (3599.6, "1h00m"), (7500, "2h05m"), (86_400 * 3 + 7200, "3d02h"), (1e9, "99d01h"),
    ],
)  # fmt: skip
def test_seconds_are_brief(seconds: float | None, text: str) -> None:
    assert brief(seconds) == text


@given(st.floats(0, 1e12))
def test_seconds_fit_their_column(seconds: float) -> None:
    assert len(brief(seconds)) <= 6


def test_rates_and_times_of_day() -> None:
    assert [per_second(rate) for rate in (0, 12.34, 999.94, 1234.5)] == ["0.0", "12.3", "999.9", "1234"]
    assert clock(1_800_000_000_000 + 3_723_000) == "09:02:03"
