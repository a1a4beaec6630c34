"""Texts and counts that everything on the wire may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from bus.wire import MOST, SHORT_BYTES, ShortStr, cut, is_count


@given(st.text(), st.integers(0, 300))
def test_a_text_is_cut_between_two_letters(text: str, most: int) -> None:
    kept = cut(text, most)
    assert len(kept.encode()) <= most
    assert text.encode(errors="replace").decode().startswith(kept)


@pytest.mark.parametrize("text", ["", "x" * SHORT_BYTES, "é" * (SHORT_BYTES // 2)])
def test_a_short_text_is_one_that_amqp_holds(text: str) -> None:
    short: TypeAdapter[str] = TypeAdapter(ShortStr)
    assert short.validate_python(text) == text
    with pytest.raises(ValidationError, match="at most 255 bytes"):
        short.validate_python(text + "é" * 128)


@pytest.mark.parametrize(
    ("value", "counts"),
    [(0, True), (MOST, True), (-1, False), (MOST + 1, False), (True, False), (1.0, False), ("1", False)],
)
def test_a_count_is_a_whole_number_that_can_be_believed(value: object, counts: bool) -> None:
    assert is_count(value) is counts
