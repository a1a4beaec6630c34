"""The metrics of a process as it uses them: served or not, told and heard, and by whom."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from bus.events import JobEvent, RouterStatus
from bus.rabbit import Bus
from bus.rabbit.observing import OBSERVED, Observer
from bus.settings import Settings
from bus.topology import shared
from telemetry import metrics
from telemetry.fleet import Fleet, Rules
from telemetry.metrics.families import FAMILIES, PROGRAMS
from tests.telemetry.beats import beat
from tests.telemetry.metrics.pages import faults, parsed, served_page, values

DONE = JobEvent(state="done", job="a", operation="sketch", at_ms=0, route="vm", vm="vm1")
COUNTED = 'overspill_jobs_total{operation="sketch",place="vm",state="done"}'
STATUS = RouterStatus(router="router", at_ms=0, routed=0)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    metrics.stop()
    assert type(OBSERVED.by) is Observer


def served(program: str) -> None:
    metrics.serve(Settings(metrics_port=0), program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_serves_its_own_and_what_its_process_takes(program: str) -> None:
    served(program)
    told = parsed(served_page())
    ours = [metric for name, metric in told.items() if name.startswith("overspill_")]
    assert [fault for metric in ours for fault in faults(metric)] == []
    assert {metric.name for metric in ours} == {
        family.name.removesuffix("_total") for family in FAMILIES if program in family.told_by
    }
    assert {"process_resident_memory_bytes", "python_info", "python_gc_collections"} <= told.keys()
    (build,) = told["overspill_build_info"].samples
    assert build.labels["program"] == program


def test_without_a_port_nothing_is_served_or_counted() -> None:
    metrics.serve(Settings(), "vm")
    assert metrics.url() is None
    metrics.told(DONE)
    metrics.heard(DONE, 0)
    metrics.watch(Fleet(Rules()))
    metrics.watch_page(dict)
    with metrics.service_run("sketch") as ended:
        ended("done")


def test_where_they_are_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    served("vm")
    assert f"metrics on {metrics.url()}" in caplog.text


def test_a_process_that_serves_again_begins_anew() -> None:
    served("vm")
    metrics.told(DONE)
    assert values(served_page())[COUNTED] == 1
    served("vm")
    assert values(served_page())[COUNTED] == 0


def test_an_event_that_is_heard_is_not_counted_again() -> None:
    served("router")
    metrics.heard(DONE, 100)
    assert values(served_page())['overspill_event_lag_seconds_sum{kind="job"}'] == 0.1
    assert COUNTED not in values(served_page())


def test_a_router_tells_of_the_fleet_that_it_watches() -> None:
    served("router")
    fleet = Fleet(Rules())
    fleet.heard(beat(1), time.monotonic())
    metrics.watch(fleet)
    metrics.told(STATUS)
    assert values(served_page())['overspill_vm_state{state="ready",vm="vm1"}'] == 1


async def test_queues_that_cannot_be_asked_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bus = Bus("amqp://127.0.0.1:1/", name="test", topology=shared())
    await metrics.ask_queues(bus)
    assert "queues" not in caplog.text
    served("router")
    await metrics.ask_queues(bus)
    await metrics.ask_queues(bus)
    assert caplog.text.count("how much lies in the queues is not known") == 1, "it asked again at once"


@pytest.mark.broker
async def test_how_much_lies_in_the_queues_is_told(amqp_url: str) -> None:
    served("router")
    async with Bus(amqp_url, name="test", topology=shared()) as bus:
        await metrics.ask_queues(bus)
        assert values(served_page())['overspill_queue_messages{queue="dead"}'] == 0
    assert metrics._process.serving is not None
    metrics._process.serving.queues_due_s = 0.0
    await metrics.ask_queues(bus)  # which is closed
    assert not [name for name in values(served_page()) if name.startswith("overspill_queue_messages")]


async def test_requests_are_counted_while_metrics_are_served() -> None:
    async def answers(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def nothing(*_args: Any) -> Any:
        return {}

    app = metrics.measured(answers)
    for _ in range(2):
        await app({"type": "http", "method": "GET"}, nothing, nothing)
        served("page")
    assert values(served_page()).get('overspill_http_requests_total{method="GET",route="none",status="200"}') is None
    await app({"type": "http", "method": "GET"}, nothing, nothing)
    assert values(served_page())['overspill_http_requests_total{method="GET",route="none",status="200"}'] == 1


def test_a_page_tells_its_jobs_under_way() -> None:
    served("page")
    metrics.watch_page(lambda: {"queued": 3})
    assert values(served_page())['overspill_page_jobs{state="queued"}'] == 3


def test_runs_of_a_cloud_service_are_counted_by_how_they_ended() -> None:
    served("cloud-service")
    with metrics.service_run("sketch") as ended:
        assert values(served_page())["overspill_service_running_jobs"] == 1
        ended("done")
    with pytest.raises(RuntimeError), metrics.service_run("x" * 100):
        raise RuntimeError("the process computing the job died")
    told = values(served_page())
    assert told['overspill_service_runs_total{operation="sketch",outcome="done"}'] == 1
    assert told['overspill_service_runs_total{operation="other",outcome="crashed"}'] == 1
    assert told['overspill_service_run_seconds_count{operation="sketch"}'] == 1
    assert told["overspill_service_running_jobs"] == 0
