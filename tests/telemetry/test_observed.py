"""What a serving process tells of itself, set up in one call: its lines, figures and spans share one name."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.collector import Collector

SERVES = """
import logging
from bus.settings import Settings
from telemetry import observed, traces
from telemetry.traces import begin

observed.set_up(Settings(log_format="json", otel_exporter_otlp_endpoint={endpoint!r}), "bridge")
logging.getLogger("bridge.bridge").info("this bridge is the active one now")
begin("overflow", None, dict).end()
traces.flush()
"""


@pytest.fixture(scope="module")
def said() -> tuple[list[dict[str, Any]], Collector]:
    """The lines of such a process, and the collector that it told."""
    with Collector() as collector:
        program = SERVES.format(endpoint=collector.url)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stderr.splitlines()], collector


def test_lines_and_spans_tell_the_program(said: tuple[list[dict[str, Any]], Collector]) -> None:
    lines, collector = said
    assert [(line["program"], line["message"]) for line in lines] == [("bridge", "this bridge is the active one now")]
    assert [(span.service, span.name) for span in collector.spans] == [("overspill-bridge", "overflow")]
