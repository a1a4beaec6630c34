"""Spans as a test sees them, made in its own process."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanContext

from telemetry import traces
from tests.needed import need_package

need_package("opentelemetry.sdk.trace", "traces")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider  # noqa: E402 (it needs the first)
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"
"""A caller's span."""


class Recorded:
    """The spans that have ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """By name; of several with one name the latest."""
        return {span.name: span for span in self._exporter.get_finished_spans()}

    @property
    def names(self) -> list[str]:
        return [span.name for span in self._exporter.get_finished_spans()]

    def told(self, name: str) -> dict[str, object]:
        return dict(self.spans[name].attributes or {})

    def error(self, name: str) -> str | None:
        return self.spans[name].status.description

    def parent(self, name: str) -> str | None:
        """The id of the span that it hangs under."""
        parent = self.spans[name].parent
        return None if parent is None else f"{parent.span_id:016x}"

    def id(self, name: str) -> str:
        return f"{context_of(self.spans[name]).span_id:016x}"

    def trace(self, name: str) -> str:
        return f"{context_of(self.spans[name]).trace_id:032x}"


def context_of(span: ReadableSpan) -> SpanContext:
    context: SpanContext | None = span.context
    assert context is not None
    return context


@contextmanager
def recorded() -> Iterator[Recorded]:
    """All spans of this process until the context is left."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces.use(provider)
    try:
        yield Recorded(exporter)
    finally:
        traces.use(None)
        provider.shutdown()
