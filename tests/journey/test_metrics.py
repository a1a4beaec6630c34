"""A small run of real processes, as their metrics tell it: each job once, by the process that told of it."""

import asyncio
import re
import urllib.request
from pathlib import Path

import pytest

from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import JOBS, shared
from producers.client import AsyncClient
from tests.bus.rabbit.foreign import eventually
from tests.journey.pictures import photograph
from tests.journey.processes import Processes
from tests.journey.watching import Watch
from tests.telemetry.metrics.pages import faults, parsed, values

pytestmark = [pytest.mark.broker, pytest.mark.journey]

GOOD = 5
AT_THE_VM = 'operation="sketch",place="vm"'


def page(processes: Processes, name: str) -> str:
    """The metrics of a process, where its log says that they are."""
    (url,) = re.findall(r"metrics on (\S+)", processes.log(name))
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (our own process)
        text: str = answer.read().decode()
    return text


async def small_run(url: str) -> None:
    """Five sketches, a picture that is none, and a job for an operation that nobody knows, all told to their ends."""
    async with (
        Watch(url) as watch,
        AsyncClient(url, user="anna") as client,
        Bus(url, name="s", topology=shared()) as bus,
    ):
        await watch.active()
        jobs = [await client.submit(photograph(200, 100, seed), "sketch") for seed in range(GOOD)]
        await asyncio.gather(*(job.result(60) for job in jobs))
        await client.submit(b"\xff\xd8\xff no picture at all", "sketch")
        await bus.publish(JOBS, Message(body=b"x", routing_key="garbage", message_id="g", reply_to="nobody"))
        await eventually(lambda: len(ended(watch)) == GOOD + 2 and watch.beats)


def ended(watch: Watch) -> list[str]:
    return [event.job for event in watch.jobs if event.state in {"done", "failed", "unanswerable"}]


def jobs_told(told: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in told.items() if name.startswith("overspill_jobs_total") and value}


def test_a_small_run_is_counted_once_by_those_who_told_of_it(amqp_url: str, tmp_path: Path) -> None:
    processes = Processes(amqp_url, tmp_path, OVERSPILL_METRICS_PORT="0")
    try:
        processes.start_router()
        processes.start_vm("vm1")
        processes.wait_ready("vm1")
        asyncio.run(small_run(amqp_url))
        router, vm = page(processes, "router"), page(processes, "vm1")
    finally:
        processes.stop()
    assert [fault for text in (router, vm) for metric in parsed(text).values() for fault in faults(metric)] == []
    check_vm(values(vm))
    check_router(values(router))


def check_vm(told: dict[str, float]) -> None:
    assert jobs_told(told) == {
        f'overspill_jobs_total{{{AT_THE_VM},state="running"}}': GOOD + 1,
        f'overspill_jobs_total{{{AT_THE_VM},state="done"}}': GOOD,
        f'overspill_jobs_total{{{AT_THE_VM},state="failed"}}': 1,
    }
    for figure in ("queue", "run"):
        assert told[f"overspill_job_{figure}_seconds_count{{{AT_THE_VM}}}"] == GOOD + 1
    assert told['overspill_job_failures_total{operation="sketch",problem="broken-image"}'] == 1
    assert told['overspill_vm_slots{vm="vm1"}'] == 1
    assert told['overspill_vm_heartbeats_total{vm="vm1"}'] > 0
    assert told["overspill_bus_connected"] == 1


def check_router(told: dict[str, float]) -> None:
    assert jobs_told(told) == {
        f'overspill_jobs_total{{{AT_THE_VM},state="routed"}}': GOOD + 1,
        'overspill_jobs_total{operation="other",place="none",state="unanswerable"}': 1,
    }
    assert told[f"overspill_job_line_seconds_count{{{AT_THE_VM}}}"] == GOOD + 1
    assert told['overspill_event_lag_seconds_count{kind="job"}'] > GOOD
    assert told["overspill_router_active"] == 1
    assert sum(value for name, value in told.items() if name.startswith("overspill_vm_state")) == 1
    assert told['overspill_queue_messages{queue="dead"}'] == 0
