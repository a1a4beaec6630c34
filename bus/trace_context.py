"""Which trace a job or a request belongs to, as W3C's `traceparent` tells it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LONGEST: Final = 128
"""Characters of a `traceparent` that is believed; today's have 55, those of a later version may have more."""
_W3C: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-[!-~]*)?")
_GOOGLE: Final = re.compile(r"([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]))?")
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace (32 hexadecimal digits), the span that called us (16, or None), and W3C's flags."""

    id: str
    span: str | None = None
    flags: int = 0

    @property
    def sampled(self) -> bool:
        """Whether it is being recorded."""
        return bool(self.flags & _SAMPLED)


def read(traceparent: str | None) -> Trace | None:
    """What a `traceparent` tells; None of one that is none."""
    w3c = _W3C.fullmatch(traceparent) if traceparent and len(traceparent) <= LONGEST else None
    if w3c is None:
        return None
    trace, span, flags = w3c.groups()
    return Trace(trace, span, int(flags, 16))


def readable(value: Any) -> str | None:
    """A `traceparent` as it came, if it is one: tracing has no errors, and garbage is as good as absent."""
    return value if isinstance(value, str) and read(value) is not None else None


def written(trace_id: int, span_id: int, flags: int) -> str:
    """The `traceparent` that names a span."""
    return f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"


def trace_of(headers: Mapping[str, str]) -> Trace | None:
    """The trace told by `traceparent` (W3C), else by `x-cloud-trace-context` (Google's load balancers).

    Names of headers in lower case; what can't be read is as good as absent.
    """
    if (w3c := read(headers.get("traceparent"))) is not None:
        return w3c
    google = _GOOGLE.fullmatch(headers.get("x-cloud-trace-context", ""))
    if google is None:
        return None
    trace, number, options = google.groups()
    span = f"{int(number):016x}" if number is not None and int(number) < 2**64 else None
    return Trace(trace.lower(), span, int(options or 0) & _SAMPLED)
