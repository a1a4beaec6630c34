"""What spans and bound log lines cost: `python -m tests.benchmarks.traces`.

First one step of a job in this process: what a router's shell does with it (read, write), without a span, with one that
nobody listens to, and with one that is recorded. Then the log's line about a step of a job. Then CPU milliseconds a job
of a real router process without a collector, with one, and with one that is down, in turn; ratios are against none. 10
VMs and 10 users.
"""

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider

from bus.events import JobEvent
from bus.messages import Job, Message
from telemetry import hops, logs, telling, traces
from telemetry.logs import about
from tests.benchmarks.router import cpu_ms_a_job
from tests.collector import Collector
from tests.tracing import PARENT
from ui.stack.rabbitmq import PrivateBroker

STEPS = 20_000
MESSAGE = Message(b"x" * 1000, "sketch", {"user": "anna", "traceparent": PARENT}, message_id="j1", reply_to="q")
DOWN = "http://127.0.0.1:1"


def bare() -> None:
    Job.from_message(MESSAGE, 0).to_message("vm.vm1", 0)


def bound() -> None:
    job = Job.from_message(MESSAGE, 0)
    with about(job):
        job.to_message("vm.vm1", 0)


def spanned() -> None:
    job = Job.from_message(MESSAGE, 0)
    span = hops.route(job, "vm.vm1", 0)
    job = span.carried_by(job)
    with about(job):
        job.to_message("vm.vm1", 0)
    span.end()


def microseconds(step: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(STEPS):
        step()
    return (time.process_time() - began) / STEPS * 1e6


def one_step(rounds: int) -> dict[str, float]:
    """Median CPU microseconds of each way, in turn. Recorded spans go nowhere: that is the collector's cost."""
    ways = {"bare": bare, "bound": bound, "span, off": spanned, "span, on": spanned}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            traces.use(TracerProvider(shutdown_on_exit=False) if name == "span, on" else None)
            spent[name].append(microseconds(way))
    traces.use(None)
    return {name: statistics.median(times) for name, times in spent.items()}


def a_line(rounds: int) -> dict[str, float]:
    """Median CPU microseconds of a line about a job's end that goes nowhere: too low for the level, and written."""
    event = JobEvent(
        state="done", job=uuid.uuid4().hex, operation="sketch", user="anna", at_ms=1, vm="vm1", route="vm", attempt=1,
        waited_ms=12, ran_ms=310, traceparent=PARENT,
    )  # fmt: skip
    spent: dict[str, list[float]] = {"not shown": [], "for people": [], "for programs": []}
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        handler = logging.StreamHandler(nowhere)
        telling.log.addHandler(handler)
        telling.log.propagate = False
        for way, formatter in zip(spent, (logs.plain_lines(), logs.plain_lines(), logs.json_lines("vm")), strict=True):
            telling.log.setLevel("WARNING" if way == "not shown" else "INFO")
            handler.setFormatter(formatter)
            spent[way] = [microseconds(lambda: telling.log_step(event)) for _ in range(rounds)]
    return {way: statistics.median(times) for way, times in spent.items()}


def a_router(jobs: int, rounds: int) -> dict[str, float]:
    """Median CPU milliseconds a job."""
    spent: dict[str, list[float]] = {"no collector": [], "a collector": [], "one that is down": []}
    with tempfile.TemporaryDirectory() as name, Collector() as collector:
        broker = PrivateBroker(Path(name) / "rabbitmq")
        broker.start()
        try:
            for turn in range(rounds):
                for number, (way, endpoint) in enumerate(zip(spent, ("", collector.url, DOWN), strict=True)):
                    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} if endpoint else {}
                    vhost = f"traces{turn}-{number}"
                    url = broker.add_vhost(vhost)
                    spent[way].append(asyncio.run(cpu_ms_a_job(url, Path(name), 10, 10, jobs, **told)))
                    broker.delete_vhost(vhost)
            print(f"the collector took {len(collector.spans)} spans in {collector.batches} batches")
        finally:
            broker.stop()
    return {way: statistics.median(times) for way, times in spent.items()}


def show(what: dict[str, float], unit: str) -> None:
    least = next(iter(what.values()))
    for name, figure in what.items():
        print(f"{name:18} {figure:8.2f} {unit}, ratio {figure / least:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    show(one_step(options.rounds), "CPU us a step")
    show(a_line(options.rounds), "CPU us a line")
    show(a_router(options.jobs, options.rounds), "CPU ms a job")


if __name__ == "__main__":
    main()
