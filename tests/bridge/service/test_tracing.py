"""Traces as callers tell them, and as Cloud Logging wants them told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.service.tracing import Trace, log_fields, trace_of

ID = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ({"traceparent": f"00-{ID}-{SPAN}-01"}, Trace(ID, SPAN, sampled=True)),
        ({"traceparent": f"00-{ID}-{SPAN}-00"}, Trace(ID, SPAN)),
        ({"traceparent": f"cc-{ID}-{SPAN}-03-what-will-be"}, Trace(ID, SPAN, sampled=True)),
        ({"x-cloud-trace-context": f"{ID}/255;o=1"}, Trace(ID, "00000000000000ff", sampled=True)),
        ({"x-cloud-trace-context": ID.upper()}, Trace(ID)),
        ({"x-cloud-trace-context": f"{ID}/{2**64};o=0"}, Trace(ID)),
        ({"traceparent": "nonsense", "x-cloud-trace-context": f"{ID}/255"}, Trace(ID, "00000000000000ff")),
        ({"traceparent": f"00-{ID}-{SPAN}-01", "x-cloud-trace-context": "1" * 32}, Trace(ID, SPAN, sampled=True)),
        ({"traceparent": f"ff-{ID}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{'0' * 32}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{ID}-{'0' * 16}-01"}, None),
        ({"x-cloud-trace-context": "nonsense"}, None),
        ({}, None),
    ],
)
def test_a_trace_is_read_from_either_header(headers: dict[str, str], trace: Trace | None) -> None:
    assert trace_of(headers) == trace


@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_in_a_header_is_a_fault(one: str, other: str) -> None:
    trace_of({"traceparent": one, "x-cloud-trace-context": other})


def test_a_line_is_put_under_its_trace() -> None:
    assert log_fields(Trace(ID, SPAN, sampled=True), "mine") == {
        "logging.googleapis.com/trace": f"projects/mine/traces/{ID}",
        "logging.googleapis.com/spanId": SPAN,
        "logging.googleapis.com/trace_sampled": True,
    }
    assert log_fields(Trace(ID), None) == {
        "logging.googleapis.com/trace": ID,
        "logging.googleapis.com/trace_sampled": False,
    }
    assert log_fields(None, "mine") == {}
