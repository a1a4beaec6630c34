"""Log lines: what each tells of its job, for people and for programs, and that no value can forge one."""

import asyncio
import json
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Job
from bus.trace_context import Trace
from telemetry import logs
from telemetry.logs import about, bind, bound, google_fields, iso_time, json_lines, plain_lines
from tests.tracing import CALLER, PARENT, TRACE

JOB = Job(id="j1", operation="sketch", body=b"", traceparent=PARENT)
PLAIN, JSON = plain_lines(), json_lines("router")


def record(message: str = "it is so", *args: object, level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("a.module").makeRecord("a.module", level, __file__, 1, message, args, None, None, extra)


def plain(message: str = "it is so", *args: object, **extra: Any) -> str:
    """A line, without its time."""
    line = PLAIN.format(record(message, *args, **extra))
    assert re.match(r"\d\d:\d\d:\d\d ", line)
    return line[9:]


def as_json(formatter: logging.Formatter = JSON) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(formatter.format(record("%s of %d für", "one", 2, level=logging.WARNING)))
    assert told.pop("time").endswith("Z")
    return told


def test_a_line_for_people() -> None:
    assert plain("%s of %d", "one", 2) == "INFO    one of 2"
    assert plain(level=logging.WARNING) == "WARNING it is so"


def test_a_line_about_a_job_ends_in_its_id_and_its_trace() -> None:
    with about(JOB):
        assert plain() == f"INFO    it is so  job=j1  trace={TRACE}"
        with bound(job="j2", trace=None, ticket="t1"):
            assert plain() == "INFO    it is so  job=j2  ticket=t1"
        assert plain().endswith(f"job=j1  trace={TRACE}")
    assert plain() == "INFO    it is so"


def test_a_trace_that_is_none_is_not_told() -> None:
    with bound(job="j1", trace="nonsense"):
        assert plain() == "INFO    it is so  job=j1"


def test_a_module_that_can_not_bind_gives_them_with_its_line() -> None:
    with bound(job="another"):
        assert plain(job="j1", trace=PARENT, other="x") == f"INFO    it is so  job=j1  trace={TRACE}"


async def test_each_task_has_its_own() -> None:
    async def handle(job: str) -> list[str]:
        bind(job=job)
        lines = [plain()]
        await asyncio.sleep(0)
        return [*lines, plain()]

    said = await asyncio.gather(*(handle(f"j{n}") for n in range(3)))
    assert said == [[f"INFO    it is so  job=j{n}"] * 2 for n in range(3)]
    assert plain() == "INFO    it is so"


async def test_a_callback_keeps_what_was_bound_when_it_was_asked_for() -> None:
    confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    said: list[str] = []
    with about(JOB):
        confirmed.add_done_callback(lambda _: said.append(plain()))
    with bound(job="another"):
        confirmed.set_result(None)
    await asyncio.sleep(0)
    assert said == [f"INFO    it is so  job=j1  trace={TRACE}"]


def test_a_line_for_programs() -> None:
    with about(JOB):
        assert as_json() == {
            "severity": "WARNING",
            "message": "one of 2 für",
            "program": "router",
            "logger": "a.module",
            "job": "j1",
            "trace": TRACE,
        }


def test_a_moment_has_one_look_whatever_its_zone_and_however_round() -> None:
    assert iso_time(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000000Z"
    there = datetime(2026, 1, 1, 1, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
    assert iso_time(there) == "2026-01-01T00:00:00.250000Z"


def test_in_the_cloud_a_line_is_put_under_its_trace_as_well() -> None:
    formatter = json_lines("cloud-service", "mine", in_cloud=True)
    with bound(trace=Trace(TRACE, CALLER, 1)):
        told = as_json(formatter)
    assert told["trace"] == TRACE
    assert told["logging.googleapis.com/trace"] == f"projects/mine/traces/{TRACE}"
    assert told["logging.googleapis.com/spanId"] == CALLER
    assert told["logging.googleapis.com/trace_sampled"] is True
    assert not any(name.startswith("logging.") for name in as_json(formatter))


def test_without_a_project_or_a_span_there_is_less_to_say() -> None:
    assert google_fields(Trace(TRACE), None) == {
        "logging.googleapis.com/trace": TRACE,
        "logging.googleapis.com/trace_sampled": False,
    }


@given(st.text(), st.text())
def test_no_value_forges_a_line_or_moves_a_terminal(said: str, job: str) -> None:
    with bound(job=job):
        line, object_ = PLAIN.format(record("the caller said %s", said)), JSON.format(record("%s", said))
    assert line.isprintable()
    assert "\n" not in object_
    assert (json.loads(object_)["message"], json.loads(object_)["job"]) == (said, job)


def test_a_value_ends_where_it_seems_to() -> None:
    with bound(job="j1  trace=mine"):
        assert plain() == 'INFO    it is so  job="j1  trace=mine"'
    with bound(job="\x1b[2J"):
        assert plain() == 'INFO    it is so  job="\\u001b[2J"'


def failed() -> logging.LogRecord:
    fault = LookupError("oh\n12:00:00 INFO    all is well\x1b[2J")
    broke = record("it broke")
    broke.exc_info = (LookupError, fault, None)
    return broke


def test_an_exception_is_set_in_under_its_line() -> None:
    first, *rest = PLAIN.format(failed()).splitlines()
    assert first.endswith("it broke")
    assert rest[0] == "  LookupError: oh"
    assert all(line.startswith("  ") for line in rest)
    assert rest[-1] == "  12:00:00 INFO    all is well\\x1b[2J"


def test_an_exception_is_a_field_for_programs() -> None:
    told = json.loads(JSON.format(failed()))
    assert told["message"] == "it broke"
    assert "LookupError" in told["exception"]


SAYS = """
import logging
from bus.settings import Settings
from telemetry import logs
logs.set_up(Settings(log_level="INFO"{given}), "vm")
log = logging.getLogger("a.module")
log.debug("not told")
logging.getLogger("httpx").info("not told")
with logs.bound(ticket="t1"):
    log.warning("one of 2")
"""


@pytest.mark.parametrize(("given", "is_json"), [("", False), (', log_format="json"', True), (', k_service="s"', True)])
def test_a_process_logs_as_the_settings_say_and_on_cloud_run_for_programs(given: str, is_json: bool) -> None:
    command = [sys.executable, "-c", SAYS.format(given=given)]
    (line,) = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    if is_json:
        assert (json.loads(line)["ticket"], json.loads(line)["program"]) == ("t1", "vm")
    else:
        assert line.endswith(" WARNING one of 2  ticket=t1")


@pytest.mark.parametrize("library", ["httpx", "httpcore", "google.auth", "gcsfs", "uvicorn.error"])
@pytest.mark.parametrize(
    ("ours", "theirs"), [("DEBUG", logging.WARNING), ("INFO", logging.WARNING), ("CRITICAL", logging.CRITICAL)]
)
def test_no_library_tells_each_request_or_more_than_we_do(
    monkeypatch: pytest.MonkeyPatch, library: str, ours: str, theirs: int
) -> None:
    for name in logs._QUIET:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)

    logs.to_stderr(ours, PLAIN)

    assert logging.getLogger(library).getEffectiveLevel() == theirs
    assert logging.getLogger("pika").getEffectiveLevel() == logging.CRITICAL
