"""What a span costs and hands on where nobody listens, and what it tells where somebody does."""

import json
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import ProxyTracerProvider, SpanKind

from bus.errors import SetupError
from bus.messages import Job
from bus.settings import Settings
from telemetry import traces
from telemetry.traces import begin
from tests.collector import Collector
from tests.loglines import said_by
from tests.tracing import CALLER, PARENT, TRACE, context_of, recorded

GARBAGE = ["", "nonsense", f"ff-{TRACE}-{CALLER}-01", PARENT.upper(), "x" * 500]


def nothing() -> dict[str, Any]:
    return {}


def never() -> dict[str, Any]:
    raise AssertionError("nobody listens")


def test_without_a_collector_the_context_that_came_goes_on() -> None:
    assert isinstance(trace.get_tracer_provider(), ProxyTracerProvider)
    with begin("run", PARENT, never) as span:
        span.note("computed")
        span.fail("reason")
    assert span.traceparent == PARENT
    job = Job(id="1", operation="sketch", body=b"x", traceparent=PARENT)
    assert span.carried_by(job) is job
    assert begin("run", None, never).traceparent is None


def test_a_span_hangs_under_what_came_and_hands_on_itself() -> None:
    with recorded() as seen:
        span = begin("run", PARENT, lambda: {"a": 1, "b": None}, kind=SpanKind.CONSUMER, since_ms=1_000)
        job = span.carried_by(Job(id="1", operation="sketch", body=b"x", traceparent=PARENT))
        span.note("computed")
        span.end(ran_ms=7)
        span.end("a second end is none")
    told = seen.spans["run"]
    assert (seen.trace("run"), seen.parent("run")) == (TRACE, CALLER)
    assert job.traceparent == f"00-{TRACE}-{seen.id('run')}-01"
    assert (told.kind, told.start_time, seen.told("run")) == (SpanKind.CONSUMER, 10**9, {"a": 1, "overspill.ran_ms": 7})
    assert [event.name for event in told.events] == ["computed"]
    assert told.status.is_ok or told.status.is_unset


@pytest.mark.parametrize("garbage", GARBAGE)
def test_under_garbage_a_span_is_a_root(garbage: str) -> None:
    with recorded() as seen:
        begin("run", garbage, nothing).end()
    assert seen.parent("run") is None
    assert seen.trace("run") != TRACE


def test_a_caller_who_does_not_record_is_not_recorded() -> None:
    with recorded() as seen:
        span = begin("run", PARENT[:-1] + "0", nothing)
        span.end()
    assert seen.names == []
    assert span.traceparent is not None
    assert span.traceparent.startswith(f"00-{TRACE}-")
    assert span.traceparent.endswith("-00")


def test_what_leaves_the_context_or_is_told_is_its_error() -> None:
    with recorded() as seen:
        with pytest.raises(LookupError), begin("lost", None, nothing):
            raise LookupError("no such VM")
        begin("refused", None, nothing).end("expired")
        with begin("failed", None, nothing) as span:
            span.fail("too many attempts")
    assert [seen.error(name) for name in ("lost", "refused", "failed")] == [
        "LookupError: no such VM",
        "expired",
        "too many attempts",
    ]


def test_inside_its_context_a_span_is_the_current_one() -> None:
    with recorded() as seen:
        with begin("outer", None, nothing):
            begin("inner", None, nothing).end()
            begin("told", PARENT, nothing).end()
        assert not trace.get_current_span().get_span_context().is_valid
    assert seen.parent("inner") == seen.id("outer")
    assert seen.parent("told") == CALLER
    assert context_of(seen.spans["inner"]).trace_id == context_of(seen.spans["outer"]).trace_id


AROUND = """
import json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from telemetry.traces import begin

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
with trace.get_tracer("theirs").start_as_current_span("theirs"):
    begin("submit", None, dict).end()
ours, theirs = kept.get_finished_spans()
print(json.dumps([ours.name, ours.parent.span_id == theirs.context.span_id]))
"""


def test_a_program_that_has_set_up_opentelemetry_sees_our_spans_under_its_own() -> None:
    assert said(AROUND) == ["submit", True]


SERVES = """
import json, logging, sys
from bus.settings import Settings
from telemetry import traces
from telemetry.traces import begin

logging.basicConfig(level="INFO", format="%(message)s")
traces.set_up(Settings(otel_exporter_otlp_endpoint={endpoint!r}), "router")
for _ in range({spans}):
    begin("route", None, lambda: {{"overspill.job": "j1"}}).end()
traces.flush()
begin("late", None, dict).end()
print(json.dumps("opentelemetry.sdk.trace" in sys.modules))
"""


def said(program: str, **environment: str) -> Any:
    return json.loads(ran(program, **environment).stdout)


def ran(program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60)


def test_nothing_of_the_sdk_is_imported_without_a_collector() -> None:
    assert said(SERVES.format(endpoint=None, spans=1)) is False


def test_the_last_spans_reach_the_collector_under_the_name_of_the_program() -> None:
    with Collector() as collector:
        ran(SERVES.format(endpoint=collector.url, spans=3))
        assert [span.name for span in collector.spans] == ["route"] * 3
        assert {span.service for span in collector.spans} == {"overspill-router"}
        assert all(span.resource["service.instance.id"] for span in collector.spans)


def test_the_variables_of_opentelemetry_hold() -> None:
    with Collector() as collector:
        traces_alone = f"{collector.url}/v1/traces"
        ran(
            SERVES.format(endpoint="http://127.0.0.1:1", spans=1),
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=traces_alone,
            OTEL_EXPORTER_OTLP_HEADERS="x-key=secret",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,service.name=ours",
        )
        ran(SERVES.format(endpoint=collector.url, spans=1), OTEL_TRACES_SAMPLER="always_off")
        (span,) = collector.spans
        assert (span.service, span.resource["deployment.environment.name"]) == ("ours", "test")
        assert collector.headers["x-key"] == "secret"


def test_a_wrong_variable_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    with pytest.raises(SetupError, match="Traces can't be set up"):
        traces.set_up(Settings(otel_exporter_otlp_endpoint="http://127.0.0.1:1"), "router")


def test_without_the_packages_it_goes_on_and_the_log_tells_the_remedy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    traces.set_up(Settings(otel_exporter_otlp_endpoint="http://127.0.0.1:1"), "router")
    (line,) = said_by("telemetry.traces", caplog)
    assert line.startswith("No trace is exported: OTEL_EXPORTER_OTLP_ENDPOINT is set")
    assert line.endswith("pip install 'overspill[traces]', or unset it.")
    assert begin("route", PARENT, never).traceparent == PARENT


def test_a_command_without_the_packages_says_so_once_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    said: list[str] = []
    with traces.exported(Settings(otel_exporter_otlp_endpoint="http://127.0.0.1:1"), "client", said.append):
        assert begin("submit", None, never).traceparent is None
    assert len(said) == 1
