"""A collector that is down, refuses or sleeps: told once, and waited for by nobody."""

import contextlib
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.collector import Collector
from tests.loglines import said_by
from tests.needed import need_package
from tests.telemetry.test_traces import SERVES
from tests.tracing import recorded

need_package("opentelemetry.exporter.otlp.proto.http", "traces")

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: E402 (it needs the first)
from opentelemetry.sdk.trace import ReadableSpan  # noqa: E402
from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: E402

from telemetry.exporting import ToldOnce, resource, to_collector  # noqa: E402
from telemetry.traces import begin  # noqa: E402


@pytest.fixture
def spans() -> list[ReadableSpan]:
    with recorded() as seen:
        begin("run", None, dict).end()
    return [seen.spans["run"]]


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    exporters = logging.getLogger(OTLPSpanExporter.__module__)
    sdk = logging.getLogger("opentelemetry.sdk")
    filters, level = list(exporters.filters), sdk.level
    yield
    exporters.filters[:] = filters
    sdk.setLevel(level)


def test_a_collector_that_takes_nothing_is_told_once_and_once_more_when_it_does(
    spans: list[ReadableSpan], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with Collector(status=400) as collector:
        exporter = to_collector(collector.url + "/")
        for status in (400, 400, 200, 200, 403):
            collector.status = status
            exporter.export(spans)
        exporter.shutdown()
    down, back, down_again = said_by("telemetry.exporting", caplog)
    assert "spans don't reach the collector of traces" in down
    assert "400" in down
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in down
    assert back == "spans reach the collector of traces again"
    assert "403" in down_again


def test_who_is_not_there_is_told_too(spans: list[ReadableSpan], caplog: pytest.LogCaptureFixture) -> None:
    exporter = ToldOnce(OTLPSpanExporter(endpoint="http://127.0.0.1:1/v1/traces", timeout=0.2))
    exporter.export(spans)
    assert exporter.force_flush()
    exporter.shutdown()
    assert ["spans don't reach" in record.getMessage() for record in caplog.records] == [True]


def test_of_an_answer_without_end_the_beginning_is_read(spans: list[ReadableSpan]) -> None:
    taken = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        endless = threading.Thread(target=answer_without_end, args=(server, taken))
        endless.start()
        exporter = to_collector(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert taken.wait(20)  # we hung up
        exporter.shutdown()
        endless.join()


def answer_without_end(server: socket.socket, hung_up: threading.Event) -> None:
    caller, _ = server.accept()
    with caller, contextlib.suppress(OSError):
        caller.recv(100_000)
        caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
        while True:
            caller.sendall(bytes(100_000))
    hung_up.set()


def test_a_process_does_not_wait_for_a_collector_that_sleeps() -> None:
    with Collector() as collector:
        collector.awake.clear()
        command = [sys.executable, "-c", SERVES.format(endpoint=collector.url, spans=3_000)]
        subprocess.run(command, capture_output=True, check=True, timeout=60, env={})
        assert collector.batches == 0  # it has not answered yet, and the process is gone


def test_a_process_is_called_by_its_program_unless_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = resource("vm").attributes
    assert ours["service.name"] == "overspill-vm"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "images")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=7")
    named = resource("vm").attributes
    assert (named["service.name"], named["service.instance.id"]) == ("images", "7")
