"""A stand-in for an OpenTelemetry collector: takes spans over OTLP/HTTP, and shows what they tell."""

import gzip
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it came; `parent` is empty for a root."""

    trace: str
    id: str
    parent: str
    name: str
    service: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    start_ns: int
    end_ns: int
    error: str | None


class Collector:
    """Listens on a port of its own until the context is left. `status` is what it says to each batch, once `awake`."""

    def __init__(self, status: int = 200) -> None:
        self.spans: list[Span] = []
        self.batches = 0
        self.headers: dict[str, str] = {}
        self.status = status
        self.awake = threading.Event()
        self.awake.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def of(self, trace: str) -> list[Span]:
        """The spans of one trace, those that began first first."""
        return sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.start_ns)

    def of_job(self, job: str) -> list[Span]:
        """The spans of the trace that a job is in."""
        trace = next((span.trace for span in self.spans if span.attributes.get("overspill.job") == job), "")
        return self.of(trace)

    def wait(self, look: Callable[[], bool]) -> None:
        """Until enough has come: each process sends its spans seconds later."""
        give_up = time.monotonic() + PATIENCE_S
        while not look():
            assert time.monotonic() < give_up, f"only these came: {[(s.name, s.service, s.trace) for s in self.spans]}"
            time.sleep(0.05)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.awake.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, body: bytes, headers: Mapping[str, str]) -> None:
        """A batch has come."""
        request = ExportTraceServiceRequest.FromString(body)
        self.batches += 1
        self.headers = {name.lower(): value for name, value in headers.items()}
        for block in request.resource_spans:
            resource = told(block.resource.attributes)
            self.spans += [_read(span, resource) for scope in block.scope_spans for span in scope.spans]


def _handler_of(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.awake.wait()
            if collector.status == 200 and self.path == "/v1/traces":
                collector.take(body, dict(self.headers))
            self.send_response(collector.status if self.path == "/v1/traces" else 404)
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_args: object) -> None:
            pass

    return Handler


def _read(span: Any, resource: Mapping[str, Any]) -> Span:
    return Span(
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        service=str(resource.get("service.name")),
        attributes=told(span.attributes),
        resource=resource,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        error=span.status.message or None,
    )


def told(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in attributes}


def tree(spans: Iterable[Span]) -> str:
    """Spans as lines, each set in under the one it hangs under: `service: name`."""
    spans = list(spans)
    ids = {span.id for span in spans}
    lines: list[str] = []

    def draw(parent: str, depth: int) -> None:
        for span in spans:
            if span.parent == parent:
                lines.append(f"{'  ' * depth}{span.service.removeprefix('overspill-')}: {span.name}")
                draw(span.id, depth + 1)

    for root in sorted({span.parent for span in spans} - ids):
        draw(root, 0)
    return "\n".join(lines)
