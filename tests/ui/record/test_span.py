import pytest

from ui.record.span import Span

NOW = 1_790_000_000_000
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ({}, Span(0, NOW, from_now=False)),
        ({"since_s": 3_600}, Span(NOW - HOUR, NOW, from_now=False)),
        ({"since_s": 7_200, "for_s": 3_600}, Span(NOW - 2 * HOUR, NOW - HOUR, from_now=False)),
        ({"since_s": 3_600, "for_s": 7_200}, Span(NOW - HOUR, NOW + HOUR, from_now=False)),
        ({"for_s": 3_600}, Span(NOW, NOW + HOUR, from_now=True)),
        ({"follow": True}, Span(NOW, None, from_now=True)),
        ({"since_s": 3_600, "follow": True}, Span(NOW - HOUR, None, from_now=False)),
    ],
)
def test_what_was_asked_for(asked: dict[str, object], span: Span) -> None:
    assert Span.of(NOW, **{"since_s": None, "for_s": None, "follow": False, **asked}) == span  # type: ignore[arg-type]


def test_a_length_without_end_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="choose one"):
        Span.of(NOW, since_s=None, for_s=60, follow=True)


def test_when_it_is_over() -> None:
    assert Span(NOW, NOW + 5, from_now=True).is_past(NOW + 5)
    assert not Span(NOW, NOW + 5, from_now=True).is_past(NOW + 4)
    assert not Span(NOW, None, from_now=True).is_past(NOW + HOUR)
