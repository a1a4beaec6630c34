"""Traces of jobs by OpenTelemetry: spans that cost next to nothing until somebody has set it up.

A serving process sets it up when the settings name a collector; a program that uses our client may have done so itself.
Everywhere else a span hands on the context that came, and nothing of OpenTelemetry's SDK is imported. Which spans there
are, and what each tells, is in `telemetry.hops`.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, ProxyTracerProvider, SpanContext, SpanKind, Tracer

from bus.errors import SetupError
from bus.messages import Job
from bus.settings import Settings
from bus.trace_context import read, written

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger(__name__)

SCOPE: Final = "overspill"
"""What our spans are said to come from."""
FLUSH_S: Final = 2.0
"""The longest that the last spans may keep a process from ending."""
Attributes = Callable[[], Mapping[str, Any]]
"""What a span tells, asked for only where somebody listens; what is None is left out."""


class Span:
    """One step of a job. `traceparent` is what to hand on: the span's own context, or the one that came.

    As a context manager it ends when the context is left, and an exception that leaves it makes it a failed one.
    """

    __slots__ = ("_current", "_span", "traceparent")

    def __init__(self, traceparent: str | None, span: trace.Span | None = None) -> None:
        self.traceparent = traceparent
        self._span = span
        self._current: Token[contexts.Context] | None = None

    def carried_by(self, job: Job) -> Job:
        """The job as it goes on from here, under this span."""
        same = job.traceparent == self.traceparent
        return job if same else job.model_copy(update={"traceparent": self.traceparent})

    def note(self, what: str, **told: str | float) -> None:
        """Something that happens within."""
        if self._span is not None:
            self._span.add_event(what, told)

    def fail(self, reason: str) -> None:
        """It came to nothing, or to a problem."""
        if self._span is not None:
            self._span.set_status(trace.StatusCode.ERROR, reason)

    def end(self, error: str | None = None, **told: str | float | None) -> None:
        """It is over, badly where there is an `error`; a second end is none. `told` are further attributes."""
        span, self._span = self._span, None
        if span is None:
            return
        span.set_attributes(_known({f"{SCOPE}.{name}": value for name, value in told.items()}))
        if error is not None:
            span.set_status(trace.StatusCode.ERROR, error)
        span.end()

    def __enter__(self) -> Self:
        if self._span is not None:
            # The current one for whatever else in this process makes spans, such as an instrumented HTTP client.
            self._current = contexts.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _where: TracebackType | None
    ) -> None:
        if self._current is not None:
            contexts.detach(self._current)
        self.end(None if error is None else f"{type(error).__name__}: {error}")


_FLAGS: Final = trace.TraceFlags.SAMPLED | trace.TraceFlags.RANDOM_TRACE_ID
"""Of a caller's flags, those that have a meaning."""
NOTHING: Final = Span(None)
"""The span of what has not begun."""
_own: Tracer | None = None
_ambient: Final = trace.get_tracer(SCOPE)
"""Whatever the program around us has set up, or will."""


def begin(
    name: str,
    parent: str | None,
    attributes: Attributes,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    since_ms: int | None = None,
) -> Span:
    """A span that `end` ends; `since_ms` (Unix epoch) is when it began, if not now.

    It hangs under `parent` (a `traceparent`), else under the current span of this program, else it is a root.
    """
    tracer = _tracer()
    if tracer is None:
        return Span(parent)
    span = tracer.start_span(
        name,
        _context_of(parent),
        kind,
        _known(attributes()),
        start_time=None if since_ms is None else since_ms * 1_000_000,
    )
    told = span.get_span_context()
    return Span(written(told.trace_id, told.span_id, told.trace_flags) if told.is_valid else parent, span)


def _tracer() -> Tracer | None:
    if _own is not None:
        return _own
    return None if isinstance(trace.get_tracer_provider(), ProxyTracerProvider) else _ambient


def _context_of(parent: str | None) -> contexts.Context | None:
    """The context that a `traceparent` tells; None, which means the current one, where there is none to be read."""
    came = read(parent)
    if came is None or came.span is None:
        return None
    flags = trace.TraceFlags(came.flags & _FLAGS)
    told = SpanContext(int(came.id, 16), int(came.span, 16), is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(NonRecordingSpan(told))


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


# -- set-up


_MISSING: Final = "No trace is exported: OTEL_EXPORTER_OTLP_ENDPOINT is set, and a package that it takes is missing"
Warn = Callable[[str], None]


def set_up(settings: Settings, program: str, warn: Warn = log.warning) -> None:
    """Export the spans of this process, which is called `program`, if the settings name a collector.

    OpenTelemetry's own variables hold as well. Where its packages are missing `warn` is told so, and nothing is
    exported: the variable may be a whole cluster's, and jobs matter more. Raises SetupError when a variable is wrong.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        return
    try:
        use(_exporting(endpoint, program))
    except ImportError as error:
        warn(f"{_MISSING} ({error}): pip install 'overspill[traces]', or unset it.")


def use(provider: "TracerProvider | None") -> None:
    """Have `provider` make our spans, whatever the program around us has set up; None ends that."""
    global _own, _provider  # noqa: PLW0603 (a process has one set of spans, as it has one set of logs)
    _provider = provider
    _own = None if provider is None else provider.get_tracer(SCOPE)


_provider: "TracerProvider | None" = None


def flush() -> None:
    """Send the last spans, for as long as `FLUSH_S`, and make none after them."""
    ending = _provider
    use(None)
    if ending is not None:
        # On a thread of its own: a batch that a dead collector does not take is waited for much longer.
        last = threading.Thread(target=ending.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(FLUSH_S)


@contextmanager
def exported(settings: Settings, program: str, warn: Warn) -> Iterator[None]:
    """Export the spans made inside, as `set_up` does; for a command that doesn't serve."""
    set_up(settings, program, warn)
    try:
        yield
    finally:
        flush()


def _exporting(endpoint: str, program: str) -> "TracerProvider":
    """Raises ImportError when a package is missing, SetupError when a variable is wrong."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 (only where spans are exported)
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    from telemetry.exporting import resource, to_collector  # noqa: PLC0415

    try:
        # An address for traces alone is OpenTelemetry's to read, and comes before the common one.
        exporter = to_collector(None if "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" in os.environ else endpoint)
        provider = TracerProvider(resource=resource(program), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    except ValueError as error:
        raise SetupError(f"Traces can't be set up ({error}): correct the variable OTEL_… that it speaks of.") from None
    return provider
