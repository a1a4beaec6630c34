"""What events cost a job: `python -m tests.benchmarks.events`.

First the CPU that a sketch of a small picture takes of router, VM and broker, events included, and how many events are
told of one job. Then the CPU of one event, in turn for each process: to write and post it, measured in this process,
and to take it, keep it in the history and give it to nobody, measured in the broker. What remains is the job's own.
Heartbeats and statuses come once a second, jobs or none: they are measured idle and taken off.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bus.events import JobEvent, read_event
from bus.rabbit import Bus
from bus.topology import EVENTS_HISTORY, shared
from producers.client import AsyncClient
from telemetry.telling import tell
from tests.journey.pictures import photograph
from tests.journey.processes import Processes
from ui.stack.rabbitmq import PrivateBroker

PICTURE = photograph(64, 48)
WINDOW = 16
BATCH = 200


@dataclass(frozen=True)
class Watched:
    """Processes by name, each with its children."""

    pids: Mapping[str, int]

    def cpu_s(self) -> dict[str, float]:
        return {name: sum(_cpu_s(process) for process in _family(pid)) for name, pid in self.pids.items()}


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


async def spent(watched: Watched, work: Coroutine[Any, Any, None], idle_s: float) -> dict[str, float]:
    """CPU seconds that work took of each process, over what they take without any."""
    resting = watched.cpu_s()
    await asyncio.sleep(idle_s)
    before, began = watched.cpu_s(), time.monotonic()
    await work
    took_s, after = time.monotonic() - began, watched.cpu_s()
    return {name: after[name] - before[name] - (before[name] - resting[name]) * took_s / idle_s for name in after}


async def run_jobs(client: AsyncClient, jobs: int) -> None:
    async for _picture, outcome in client.map("sketch", (PICTURE for _ in range(jobs)), window=WINDOW):
        if isinstance(outcome, Exception):
            raise outcome


async def tell_events(bus: Bus, event: JobEvent, events: int) -> None:
    for _ in range(events // BATCH):
        for _ in range(BATCH):
            tell(bus, event)
        await bus.counts("dead")  # answered once the broker has read what came before
    await asyncio.sleep(0.5)


async def history(bus: Bus, since_ms: int) -> list[JobEvent]:
    """Every step of a job that was told since."""
    async with aclosing(bus.replay(EVENTS_HISTORY, since_ms)) as messages:
        told = [read_event(message.body) async for message in messages]
    return [event for event in told if isinstance(event, JobEvent)]


async def measure(url: str, watched: Watched, jobs: int, idle_s: float) -> None:
    async with AsyncClient(url) as client, Bus(url, name="benchmark", topology=shared()) as bus:
        await run_jobs(client, jobs // 4)
        since_ms = time.time_ns() // 1_000_000
        for_jobs = await spent(watched, run_jobs(client, jobs), idle_s)
        events = [event for event in await history(bus, since_ms) if event.at_ms >= since_ms]
        each = len(events) / jobs
        # As long as the usual one: a receipt makes `routed` several times the length of the others.
        usual = sorted(events, key=lambda event: len(event.model_dump_json()))[len(events) // 2]
        waiting = usual.model_copy(update={"state": "waiting"})  # the one that no router listens for
        count = jobs * 10
        began = time.process_time()
        of_broker = (await spent(watched, tell_events(bus, waiting, count), idle_s))["broker"]
        of_teller = time.process_time() - began
    report(for_jobs, jobs, each, (of_teller / count, of_broker / count))


def report(for_jobs: Mapping[str, float], jobs: int, each: float, an_event_s: tuple[float, float]) -> None:
    total_ms = 1000 * sum(for_jobs.values()) / jobs
    shares = ", ".join(f"{name} {1000 * cpu_s / jobs:.2f}" for name, cpu_s in for_jobs.items())
    print(f"a job: {total_ms:.2f} CPU ms ({shares}), {each:.1f} events")
    told_us, kept_us = (1e6 * cpu_s for cpu_s in an_event_s)
    print(f"an event: {told_us:.0f} CPU us to tell, {kept_us:.0f} of the broker")
    events_ms = each * (told_us + kept_us) / 1000
    print(f"events: {events_ms:.2f} CPU ms a job; ratio with and without {total_ms / (total_ms - events_ms):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--idle", type=float, default=10, help="seconds to see what no job costs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = PrivateBroker(folder / "rabbitmq")
        broker.start()
        processes = Processes(broker.add_vhost("events"), folder)
        try:
            processes.start_router()
            processes.start_vm("vm1")
            processes.wait_ready("vm1")
            pids = {"router": processes.pid("router"), "VM": processes.pid("vm1"), "broker": broker.process.pid}
            asyncio.run(measure(processes.url, Watched(pids), options.jobs, options.idle))
        finally:
            processes.stop()
            broker.stop()


if __name__ == "__main__":
    main()
