"""Falling behind is said once, and only by who was up to date."""

from ui.tail.lateness import Lateness


def said(lateness: Lateness, ages_ms: list[int]) -> list[str]:
    told = [lateness.told(0, age_ms) for age_ms in ages_ms]
    return [text for text in told if text]


def test_who_falls_behind_is_told_once() -> None:
    (text,) = said(Lateness(caught_up=True), [12_000] * 500)
    assert text.startswith("12 s behind")


def test_the_past_takes_as_long_as_it_takes() -> None:
    lateness = Lateness(caught_up=False)
    assert said(lateness, [600_000] * 500) == []
    assert said(lateness, [10] + [60_000] * 200) != []


def test_one_slow_clock_among_others_is_no_lateness() -> None:
    assert said(Lateness(caught_up=True), [60_000, 60_000, 5] * 500) == []


def test_who_has_caught_up_may_fall_behind_again() -> None:
    assert len(said(Lateness(caught_up=True), ([20_000] * 200 + [1]) * 2)) == 2
