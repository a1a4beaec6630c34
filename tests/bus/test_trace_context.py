"""Traces as callers tell them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.trace_context import Trace, read, readable, trace_of, written

ID = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ({"traceparent": f"00-{ID}-{SPAN}-01"}, Trace(ID, SPAN, 1)),
        ({"traceparent": f"00-{ID}-{SPAN}-00"}, Trace(ID, SPAN)),
        ({"traceparent": f"cc-{ID}-{SPAN}-03-what-will-be"}, Trace(ID, SPAN, 3)),
        ({"x-cloud-trace-context": f"{ID}/255;o=1"}, Trace(ID, "00000000000000ff", 1)),
        ({"x-cloud-trace-context": ID.upper()}, Trace(ID)),
        ({"x-cloud-trace-context": f"{ID}/{2**64};o=0"}, Trace(ID)),
        ({"traceparent": "nonsense", "x-cloud-trace-context": f"{ID}/255"}, Trace(ID, "00000000000000ff")),
        ({"traceparent": f"00-{ID}-{SPAN}-01", "x-cloud-trace-context": "1" * 32}, Trace(ID, SPAN, 1)),
        ({"traceparent": f"ff-{ID}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{'0' * 32}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{ID}-{'0' * 16}-01"}, None),
        ({"traceparent": f"00-{ID}-{SPAN}-01-{'x' * 128}"}, None),
        ({"traceparent": f"00-{ID}-{SPAN}-01-two words"}, None),
        ({"x-cloud-trace-context": "nonsense"}, None),
        ({}, None),
    ],
)
def test_a_trace_is_read_from_either_header(headers: dict[str, str], trace: Trace | None) -> None:
    assert trace_of(headers) == trace


@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_in_a_header_is_a_fault(one: str, other: str) -> None:
    trace_of({"traceparent": one, "x-cloud-trace-context": other})


@given(
    st.none() | st.text() | st.binary() | st.integers() | st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-01")
)
def test_what_goes_on_is_what_came_or_nothing(value: object) -> None:
    kept = readable(value)
    assert kept is None or (kept == value and re.fullmatch(r"[0-9a-f]{2}(-[!-~]+)+", kept))


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_what_is_written_can_be_read(trace: int, span: int, flags: int) -> None:
    assert read(written(trace, span, flags)) == Trace(f"{trace:032x}", f"{span:016x}", flags)


@pytest.mark.parametrize(("flags", "sampled"), [(0, False), (1, True), (2, False), (3, True)])
def test_a_flag_says_whether_it_is_recorded(flags: int, sampled: bool) -> None:
    assert Trace(ID, SPAN, flags).sampled is sampled
