"""Lengths of time, amounts of money, and text that is safe to show."""

import pytest

from ui.commands.wording import printable, seconds_of, short, trace_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86_400), ("1.5d", 129_600), (" 2 H ", 7200)]
)
def test_a_span_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1w", "1h30m", "1..5h"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="as in 24h"):
        seconds_of(text)


def test_a_span_is_a_year_at_most() -> None:
    assert seconds_of("365d") == 365 * 86_400


@pytest.mark.parametrize("text", ["366d", "30000d", "999999999d", "9" * 400 + "s"])
def test_a_span_over_a_year_is_refused_with_the_limit(text: str) -> None:
    with pytest.raises(ValueError, match="is too long: write 365d or less"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-0.5, "0.00 s"),
        (0.344, "0.34 s"),
        (9.994, "9.99 s"),
        (9.996, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_seconds_are_as_exact_as_they_matter(seconds: float, text: str) -> None:
    assert short(seconds) == text


def test_what_a_terminal_would_obey_is_marked() -> None:
    assert printable("anna\x1b[2J\nöß 猫") == "anna\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}öß 猫"


@pytest.mark.parametrize(
    ("context", "trace"),
    [(f"00-{'a' * 32}-{'b' * 16}-01", "a" * 32), (None, None), ("", None), ("00-abc-def-01", None), ("a" * 55, None)],
)
def test_the_trace_in_a_trace_context(context: str | None, trace: str | None) -> None:
    assert trace_of(context) == trace
