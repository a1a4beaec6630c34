"""What a job costs the router: `python -m tests.benchmarks.router`.

CPU milliseconds a job of a real router process on a real broker, with 1, 10 and 100 VMs and 10 and 1,000 users, in one
run; ratios are against 1 VM and 10 users. The VMs are played: they beat once a second, ack each job at once and tell
its end, so all that is measured is the router's own work, heartbeats and events included.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from bus.events import Heartbeat, JobEvent, event_message, heartbeat_key
from bus.messages import Job, Message
from bus.rabbit import Bus, Delivery
from bus.topology import EVENTS, HEARTBEATS, JOBS, of_vm, shared, vm_queue
from tests.journey.processes import Processes
from ui.stack.rabbitmq import PrivateBroker

KIB = 1 << 10
SHAPES = ((1, 10), (10, 10), (100, 10), (1, 1000), (10, 1000), (100, 1000))
"""VMs and users."""


class PlayedVms:
    """VMs of two slots each that do nothing, at once."""

    def __init__(self, bus: Bus, count: int) -> None:
        self._bus = bus
        self._held: dict[str, set[str]] = {f"vm{n}": set() for n in range(count)}
        self._done = dict.fromkeys(self._held, 0)
        self.answered = 0
        self.all_answered = asyncio.Event()
        self.expected = 0

    async def start(self) -> None:
        for name in self._held:
            await self._bus.declare(of_vm(name))
            await self._bus.consume(vm_queue(name), self._on_job, prefetch=3)

    def _on_job(self, delivery: Delivery) -> None:
        job = Job.from_message(delivery.message, 0)
        vm = delivery.queue.removeprefix("vm.")
        self._bus.ack(delivery)
        self._done[vm] += 1
        done = JobEvent(
            state="done",
            job=job.id,
            operation=job.operation,
            user=job.user,
            at_ms=0,
            vm=vm,
            placement=job.placement,
            ran_ms=20,
        )
        self._bus.post(EVENTS, event_message(done, done.key))
        self.answered += 1
        if self.answered == self.expected:
            self.all_answered.set()

    async def beat(self) -> None:
        names = list(self._held)
        for seq in range(1_000_000):
            for name in names:
                self._bus.post(HEARTBEATS, event_message(self._heartbeat(name, seq), heartbeat_key(name)))
                await asyncio.sleep(1 / len(names))

    def _heartbeat(self, name: str, seq: int) -> Heartbeat:
        return Heartbeat(
            vm=name,
            session="s",
            started_ms=1,
            seq=seq,
            at_ms=0,
            cpu_percent=10.0,
            ram_percent=30.0,
            cores=2,
            slots=2,
            look_ahead=1,
            done=self._done[name],
            operations=("sketch", "caption"),
            worker="ready",
        )


async def cpu_ms_a_job(url: str, folder: Path, vms: int, users: int, jobs: int, **settings: str) -> float:
    """CPU milliseconds a job that a router spends; `settings` are its environment variables."""
    processes = Processes(url, folder, **settings)
    bus = Bus(url, name="benchmark", topology=shared())
    await bus.start(30)
    try:
        played = PlayedVms(bus, vms)
        await played.start()
        beating = asyncio.create_task(played.beat())
        processes.start_router()
        await asyncio.sleep(4)  # it is active, and has heard each VM
        process = psutil.Process(processes.pid("router"))
        await _run(bus, played, users, jobs // 5, "warm-up")
        before = sum(process.cpu_times()[:2])
        await _run(bus, played, users, jobs, "measured")
        spent = sum(process.cpu_times()[:2]) - before
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
    finally:
        await bus.close()
        processes.stop()
    return 1000 * spent / jobs


async def _run(bus: Bus, played: PlayedVms, users: int, jobs: int, name: str) -> None:
    played.answered, played.expected = 0, jobs
    played.all_answered.clear()
    body = os.urandom(20 * KIB)
    for first in range(0, jobs, 50):
        numbers = range(first, min(first + 50, jobs))
        await asyncio.gather(*(bus.publish(JOBS, _job(body, users, f"{name}-{number}", number)) for number in numbers))
    await asyncio.wait_for(played.all_answered.wait(), 300)


def _job(body: bytes, users: int, name: str, number: int) -> Message:
    headers = {"user": f"user{number % users}"}
    return Message(body, "sketch", headers, message_id=f"{time.time_ns()}-{name}", reply_to="nobody")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    measured: dict[tuple[int, int], list[float]] = {shape: [] for shape in SHAPES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = PrivateBroker(folder / "rabbitmq")
        broker.start()
        try:
            for turn in range(options.rounds):
                for vms, users in SHAPES:
                    vhost = f"router{turn}-{vms}-{users}"
                    url = broker.add_vhost(vhost)
                    measured[vms, users].append(asyncio.run(cpu_ms_a_job(url, folder, vms, users, options.jobs)))
                    broker.delete_vhost(vhost)
        finally:
            broker.stop()
    least = statistics.median(measured[SHAPES[0]])
    for (vms, users), figures in measured.items():
        cpu_ms = statistics.median(figures)
        print(f"{vms:4} VMs, {users:5} users: {cpu_ms:.2f} CPU ms a job, ratio {cpu_ms / least:.2f}")


if __name__ == "__main__":
    main()
