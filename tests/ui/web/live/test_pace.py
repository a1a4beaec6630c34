"""When samples are told: by a clock that the test turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.web.live.pace import HURRIED_S, TICK_S, doze_s, is_due, rest_s


def told(news: set[int], *, until_ms: int) -> list[int]:
    """The moments at which samples are told, with news at some milliseconds, by a clock of 10 ms."""
    samples, waiting, second = [-1000], False, 0
    for now_ms in range(0, until_ms, 10):
        waiting |= now_ms in news
        turned = now_ms // 1000 != second
        if is_due((now_ms - samples[-1]) / 1000, turned=turned, news=waiting):
            samples.append(now_ms)
            waiting, second = False, now_ms // 1000
    return samples[1:]


def test_without_news_it_is_once_a_second() -> None:
    assert told(set(), until_ms=3500) == [1000, 2000, 3000]


def test_news_is_told_at_once() -> None:
    assert told({430}, until_ms=1500) == [430, 1000]


def test_news_upon_news_is_told_together_and_none_is_lost() -> None:
    assert told({430, 440, 500, 620}, until_ms=1500) == [430, 630, 1000]
    assert told(set(range(0, 1000, 10)), until_ms=1000) == [0, 200, 400, 600, 800]


def test_a_second_that_is_over_is_told_however_short_ago_there_was_news() -> None:
    assert told({990}, until_ms=1500) == [990, 1000]


@pytest.mark.parametrize(("since_s", "news", "rest"), [(0.05, True, 0.15), (0.3, True, 0.0), (0.05, False, 0.0)])
def test_news_that_follows_upon_a_sample_rests(since_s: float, news: bool, rest: float) -> None:
    assert rest_s(since_s, news=news) == pytest.approx(rest)


@given(st.floats(0, 10))
def test_after_its_rest_news_is_due(since_s: float) -> None:
    assert is_due(since_s + rest_s(since_s, news=True) + 1e-9, turned=False, news=True)
    assert rest_s(since_s, news=True) <= HURRIED_S


@given(st.integers(0, 2**45))
def test_nobody_dozes_past_the_end_of_a_second(wall_ms: int) -> None:
    assert 0 < doze_s(wall_ms) <= TICK_S
    assert wall_ms // 1000 <= (wall_ms + doze_s(wall_ms) * 1000) // 1000 <= wall_ms // 1000 + 1
