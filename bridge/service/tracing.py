"""Which trace a request belongs to, and how Google Cloud's logs are told so. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_W3C: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_GOOGLE: Final = re.compile(r"([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]))?")
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace (32 hexadecimal digits), the span that called us (16, or None), and whether it is being recorded."""

    id: str
    span: str | None = None
    sampled: bool = False


def trace_of(headers: Mapping[str, str]) -> Trace | None:
    """The trace told by `traceparent` (W3C), else by `x-cloud-trace-context` (Google's load balancers).

    Names of headers in lower case; what can't be read is as good as absent.
    """
    if (w3c := _W3C.fullmatch(headers.get("traceparent", ""))) is not None:
        trace, span, flags = w3c.groups()
        return Trace(trace, span, bool(int(flags, 16) & _SAMPLED))
    if (google := _GOOGLE.fullmatch(headers.get("x-cloud-trace-context", ""))) is not None:
        trace, number, options = google.groups()
        span = f"{int(number):016x}" if number is not None and int(number) < 2**64 else None
        return Trace(trace.lower(), span, bool(int(options or 0) & _SAMPLED))
    return None


def log_fields(trace: Trace | None, project: str | None) -> dict[str, str | bool]:
    """The fields by which Cloud Logging puts a line under its trace; without a project, the trace's bare number."""
    if trace is None:
        return {}
    name = f"projects/{project}/traces/{trace.id}" if project else trace.id
    told: dict[str, str | bool] = {
        "logging.googleapis.com/trace": name,
        "logging.googleapis.com/trace_sampled": trace.sampled,
    }
    return told if trace.span is None else {**told, "logging.googleapis.com/spanId": trace.span}
