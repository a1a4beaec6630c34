"""One job is one trace: a collector that looks on sees one root, and every hop under the one before it."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bus.topology import JOBS
from tests.bus.rabbit.foreign import Foreign
from tests.collector import Collector, Span, tree
from tests.conftest import Vhosts
from tests.journey.pictures import photograph
from tests.journey.processes import Processes
from tests.needed import need_package
from tests.tracing import CALLER, PARENT, TRACE
from ui.stack.emulator import PubSubEmulator

need_package("google.cloud.pubsub_v1", "bridge")
need_package("uvicorn", "service")

from tests.journey.clouds import Site  # noqa: E402 (it needs the first of them)

pytestmark = [pytest.mark.journey, pytest.mark.broker]

AT_HOME = """\
client: submit
  router: route
    vm: run sketch
      client: receive"""
OVERFLOWED = """\
client: submit
  router: route
    bridge: overflow
      cloud-service: run sketch
        bridge: answer
          client: receive"""


class Watched(NamedTuple):
    """A running overspill, and the collector that all its processes tell."""

    processes: Processes
    collector: Collector
    environment: dict[str, str]


@pytest.fixture(scope="module")
def watched(
    vhosts: Vhosts, pubsub_emulator: PubSubEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """Its VM counts as loaded: a job goes to the cloud, unless it must stay."""
    vhost = f"traces-{uuid.uuid4().hex[:12]}"
    url = vhosts.add_vhost(vhost)
    with Site(pubsub_emulator) as site, Collector() as collector:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        settings = {**site.settings, **told, "OVERSPILL_CPU_THRESHOLD": "0", "OVERSPILL_LOG_FORMAT": "json"}
        settings["OVERSPILL_LOG_LEVEL"] = "DEBUG"
        processes = Processes(url, tmp_path_factory.mktemp("traces"), **settings)
        try:
            processes.start_router()
            processes.start_vm("vm1")
            processes.start_service()
            processes.start_bridge()
            processes.wait_ready("vm1", cloud=True)
            yield Watched(processes, collector, {"AMQP_URL": url, **told})
        finally:
            processes.stop()
    vhosts.delete_vhost(vhost)


def submitted(watched: Watched, folder: Path, *options: str) -> str:
    """What became of a picture: the id of its job."""
    picture = folder / "photograph.jpg"
    picture.write_bytes(photograph(160, 120))
    command = [sys.executable, "-m", "ui.cli", "submit", str(picture), "--out", str(folder / "out"), "--json", *options]
    environment = os.environ | watched.environment
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    job: str = json.loads(done.stdout)["job"]
    return job


def test_a_job_that_a_vm_runs_is_one_trace(watched: Watched, tmp_path: Path) -> None:
    job = submitted(watched, tmp_path, "--local")
    spans = seen(watched.collector, job, AT_HOME)
    assert {span.attributes["overspill.job"] for span in spans} == {job}
    assert [span.error for span in spans] == [None] * len(spans)
    run = next(span for span in spans if span.name == "run sketch")
    assert (run.attributes["overspill.vm"], run.attributes["overspill.route"]) == ("vm1", "vm")
    story = lines(watched, job=job)
    assert told(story) == {("router", "sketch routed"), ("vm", "sketch running"), ("vm", "sketch done")}
    assert {line["trace"] for line in story} == {spans[0].trace}


def test_a_job_that_overflows_is_one_trace_cloud_included(watched: Watched, tmp_path: Path) -> None:
    job = submitted(watched, tmp_path)
    spans = seen(watched.collector, job, OVERFLOWED)
    ticket = {span.attributes["overspill.job"] for span in spans if span.service == "overspill-cloud-service"}
    assert job not in ticket  # outside, a job is known by its ticket alone
    assert all(span.start_ns <= span.end_ns for span in spans)
    story = lines(watched, job=job)
    assert told(story) == {("router", "sketch routed"), ("bridge", "sketch sent"), ("bridge", "sketch done")}
    assert {line["ticket"] for line in story if line["program"] == "bridge"} == ticket
    (there,) = lines(watched, ticket=ticket.pop(), program="cloud-service")
    assert there["message"].startswith("sketch: done after ")
    assert {line["trace"] for line in (*story, there)} == {spans[0].trace}


async def test_a_foreign_client_s_job_hangs_under_its_own_span(watched: Watched) -> None:
    garbage = {"user": "anna", "site": "local", "traceparent": "00-no-such-trace"}
    with Foreign(watched.processes.url) as foreign:
        replies = foreign.queue()
        told = {"reply_to": replies, "message_id": "theirs"}
        foreign.publish(JOBS, "sketch", photograph(90, 60), headers={**garbage, "traceparent": PARENT}, **told)
        answer = await foreign.get(replies)
        foreign.publish(JOBS, "sketch", photograph(90, 61), headers=garbage, reply_to=replies, message_id="garbage")
        await foreign.get(replies)
        foreign.publish(JOBS, "sketch", b"no picture", headers={**garbage, "traceparent": PARENT}, **told)
        refused = await foreign.get(replies)
    collector = watched.collector
    collector.wait(lambda: len(collector.of(TRACE)) == 4)
    theirs = collector.of(TRACE)
    assert tree(theirs) == "router: route\n  vm: run sketch\nrouter: route\n  vm: run sketch"
    assert {span.parent for span in theirs if span.name == "route"} == {CALLER}
    assert [span.error for span in theirs if span.name == "run sketch"] == [None, "not-an-image"]
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-{theirs[1].id}")
    assert refused.headers["traceparent"].startswith(f"00-{TRACE}-{theirs[3].id}")
    collector.wait(lambda: tree(collector.of_job("garbage")) == "router: route\n  vm: run sketch")


def lines(watched: Watched, **wanted: str) -> list[dict[str, str]]:
    """The log lines of all processes that have these fields."""
    names = ("router", "vm1", "bridge", "cloud")
    found = [json.loads(line) for name in names for line in watched.processes.log(name).splitlines()]
    return [line for line in found if wanted.items() <= line.items()]


def told(story: list[dict[str, str]]) -> set[tuple[str, str]]:
    """By which program, and what; two that speak within a moment may come either way round."""
    return {(line["program"], line["message"]) for line in story}


def seen(collector: Collector, job: str, wanted: str) -> list[Span]:
    """The spans of a job, once its trace looks as it should."""
    collector.wait(lambda: len(collector.of_job(job)) >= len(wanted.splitlines()))
    spans = collector.of_job(job)
    assert tree(spans) == wanted
    assert [span.parent for span in spans].count("") == 1
    return spans
