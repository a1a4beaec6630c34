"""What the bus costs: `python -m tests.benchmarks.bus` prints ratios, each measured side by side in one run.

(a) relaying 200 KiB jobs from lanes to a VM's queue, against a minimal relay on aio-pika, same broker, same durability;
(b) sketches a second through the whole bus against the same function bare on the same cores;
(c) the time the bus adds to a lone job.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil

from bus.events import Heartbeat, event_message, heartbeat_key
from bus.messages import Message
from bus.rabbit import Bus, Delivery
from bus.topology import DEFAULT_EXCHANGE, HEARTBEATS, JOBS, VMS, Binding, Queue, Topology, of_vm, shared, vm_queue
from consumers.models import Models
from consumers.operations import REGISTRY, Limits
from tests.benchmarks.side_by_side import photograph
from tests.journey.processes import Processes
from ui.stack.rabbitmq import PrivateBroker

KIB = 1 << 10
FAKE_VM = "benchmark"
QUORUM = {"x-queue-type": "quorum"}


@contextlib.asynccontextmanager
async def connected(url: str, topology: Topology | None = None) -> AsyncIterator[Bus]:
    bus = Bus(url, name="benchmark", topology=topology or shared())
    await bus.start(30)
    try:
        yield bus
    finally:
        await bus.close()


class Counter:
    """Counts and acks deliveries; `done` is set at the last of them."""

    def __init__(self, bus: Bus, expected: int) -> None:
        self._bus = bus
        self._expected = expected
        self.count = 0
        self.began = 0.0
        self.ended = 0.0
        self.done = asyncio.Event()

    def __call__(self, delivery: Delivery) -> None:
        self.count += 1
        self.began = self.began or time.perf_counter()
        self._bus.ack(delivery)
        if self.count == self._expected:
            self.ended = time.perf_counter()
            self.done.set()


async def _relayed(bus: Bus, queue: str, jobs: int) -> float:
    """Messages a second arriving in `queue`, from the first of `jobs` to the last."""
    counter = Counter(bus, jobs)
    consumer = await bus.consume(queue, counter, prefetch=200)
    await asyncio.wait_for(counter.done.wait(), 300)
    await bus.cancel(consumer)
    return (jobs - 1) / (counter.ended - counter.began)


async def _preload(bus: Bus, exchange: str, key: str, jobs: int, body: bytes) -> None:
    """Confirmed publishes, from 100 users, in portions."""
    for first in range(0, jobs, 50):
        portion = range(first, min(first + 50, jobs))
        await asyncio.gather(
            *(
                bus.publish(
                    exchange,
                    Message(body, key, {"user": f"user{n % 100}"}, message_id=f"{n}", reply_to="nobody"),
                )
                for n in portion
            )
        )


async def _beat(bus: Bus) -> None:
    """A VM with room for everything, so that only the router's own pace counts."""
    for seq in range(1_000_000):
        beat = Heartbeat(
            vm=FAKE_VM,
            session="s",
            started_ms=1,
            seq=seq,
            at_ms=time.time_ns() // 1_000_000,
            cpu_percent=1.0,
            ram_percent=1.0,
            cores=1000,
            slots=4096,
            operations=("sketch",),
            worker="ready",
        )
        bus.post(HEARTBEATS, event_message(beat, heartbeat_key(FAKE_VM)))
        await asyncio.sleep(0.5)


async def relay_of_router(url: str, folder: Path, jobs: int, body: bytes) -> tuple[float, float]:
    """(messages a second, CPU ms a message) of the router."""
    processes = Processes(url, folder)
    async with connected(url) as bus:
        await bus.declare(of_vm(FAKE_VM))
        await _preload(bus, JOBS, "sketch", jobs, body)
        processes.start_router()
        process = psutil.Process(processes.pid("router"))
        await asyncio.sleep(2)
        beating = asyncio.create_task(_beat(bus))
        before = sum(process.cpu_times()[:2])
        rate = await _relayed(bus, vm_queue(FAKE_VM), jobs)
        spent = sum(process.cpu_times()[:2]) - before
        beating.cancel()
    processes.stop()
    return rate, 1000 * spent / jobs


async def relay_of_aio_pika(url: str, jobs: int, body: bytes) -> tuple[float, float]:
    """The same of the minimal peer."""
    queues = (Queue("peer.in", QUORUM), Queue(vm_queue("peer"), QUORUM))
    topology = Topology(shared().exchanges, queues, (Binding(VMS, vm_queue("peer"), vm_queue("peer")),))
    async with connected(url, topology) as bus:
        await _preload(bus, DEFAULT_EXCHANGE, "peer.in", jobs, body)
        peer = subprocess.Popen(  # noqa: ASYNC220 (milliseconds)
            [sys.executable, "-m", "tests.benchmarks.aio_pika_relay", url]
        )
        process = psutil.Process(peer.pid)
        try:
            rate = await _relayed(bus, vm_queue("peer"), jobs)
            spent = sum(process.cpu_times()[:2])
        finally:
            peer.terminate()
            peer.wait()
    return rate, 1000 * spent / jobs


def _bare(jobs: int, body: bytes, start: "multiprocessing.synchronize.Barrier") -> None:
    operation = REGISTRY["sketch"]
    runner = operation.load(Models(Path(tempfile.gettempdir())), 1)
    runner.warm_up()
    start.wait()
    for _ in range(jobs):
        runner.run(body, operation.parse({}), Limits())
    start.wait()


def sketches_bare(processes: int, jobs: int, body: bytes) -> float:
    """Sketches a second of `processes` plain processes."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes + 1)
    workers = [context.Process(target=_bare, args=(jobs // processes, body, barrier)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    barrier.wait()
    began = time.perf_counter()
    barrier.wait()
    spent = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return jobs / spent


async def sketches_over_bus(url: str, jobs: int, body: bytes, window: int) -> float:
    """Sketches a second of two running VMs, `window` jobs in flight; from the first job sent to the last answer."""
    replies = Queue("benchmark.replies", QUORUM)
    async with connected(url, Topology(shared().exchanges, (replies,), ())) as bus:
        room = asyncio.Semaphore(window)
        counter = Counter(bus, jobs)

        def on_answer(delivery: Delivery) -> None:
            room.release()
            assert delivery.message.content_type == "image/jpeg", delivery.message
            counter(delivery)

        await bus.consume(replies.name, on_answer, prefetch=50)
        began = time.perf_counter()
        for n in range(jobs):
            await room.acquire()
            message = Message(body, "sketch", {"user": f"u{n}"}, message_id=f"{began}-{n}", reply_to=replies.name)
            bus.publish(JOBS, message)
        await asyncio.wait_for(counter.done.wait(), 600)
        return jobs / (counter.ended - began)


async def added_latencies_ms(url: str, rounds: int, body: bytes) -> list[float]:
    """Round trip less the run itself of lone jobs, one after another, milliseconds."""
    replies = Queue("benchmark.latency")  # a caller's own: classic, as most are
    added: list[float] = []
    async with connected(url, Topology(shared().exchanges, (replies,), ())) as bus:
        answered: asyncio.Queue[Delivery] = asyncio.Queue()

        def on_answer(delivery: Delivery) -> None:
            bus.ack(delivery)
            answered.put_nowait(delivery)

        await bus.consume(replies.name, on_answer, prefetch=1)
        for n in range(rounds + 20):
            began = time.perf_counter()
            bus.publish(JOBS, Message(body, "sketch", message_id=f"l{began}-{n}", reply_to=replies.name))
            answer = await asyncio.wait_for(answered.get(), 30)
            round_trip_ms = 1000 * (time.perf_counter() - began)
            if n >= 20:
                added.append(round_trip_ms - float(answer.message.headers["ran_ms"]))
            await asyncio.sleep(0.02)
    return sorted(added)


@contextlib.contextmanager
def two_vms(url: str, folder: Path) -> Iterator[None]:
    processes = Processes(url, folder)
    processes.start_router()
    for name in ("vm1", "vm2"):
        processes.start_vm(name, slots=max(1, (os.cpu_count() or 2) // 2))
    processes.wait_ready("vm1", "vm2")
    yield
    processes.stop()


def run_relay(broker: PrivateBroker, folder: Path, jobs: int, rounds: int) -> None:
    body = os.urandom(200 * KIB)
    ours, peers, cpu_ours, cpu_peers = [], [], [], []
    for turn in range(rounds):
        rate, cpu_ms = asyncio.run(relay_of_aio_pika(broker.add_vhost(f"peer{turn}"), jobs, body))
        peers.append(rate)
        cpu_peers.append(cpu_ms)
        rate, cpu_ms = asyncio.run(relay_of_router(broker.add_vhost(f"ours{turn}"), folder, jobs, body))
        ours.append(rate)
        cpu_ours.append(cpu_ms)
        broker.delete_vhost(f"peer{turn}")
        broker.delete_vhost(f"ours{turn}")
    ratio = statistics.median(a / b for a, b in zip(ours, peers, strict=True))
    print(
        f"(a) relay of 200 KiB jobs: router {statistics.median(ours):.0f}/s, {statistics.median(cpu_ours):.2f} CPU ms"
    )
    print(
        f"    aio-pika {statistics.median(peers):.0f}/s, {statistics.median(cpu_peers):.2f} CPU ms; ratio {ratio:.2f}"
    )


def run_sketches(broker: PrivateBroker, folder: Path, jobs: int, rounds: int) -> None:
    body = photograph(12)
    cores = os.cpu_count() or 2
    ratios = []
    with two_vms(broker.add_vhost("sketches"), folder):
        for _ in range(rounds):
            bare = sketches_bare(cores, jobs, body)
            bus = asyncio.run(sketches_over_bus(broker.url("sketches"), jobs, body, window=2 * cores + 2))
            ratios.append(bus / bare)
            print(f"    over the bus {bus:.2f}/s, bare {bare:.2f}/s")
    print(f"(b) 12-megapixel sketches ({len(body) / 1e6:.1f} MB): ratio {statistics.median(ratios):.3f}")


def run_latency(broker: PrivateBroker, folder: Path, rounds: int) -> None:
    with two_vms(broker.add_vhost("latency"), folder):
        added = asyncio.run(added_latencies_ms(broker.url("latency"), rounds, photograph(0.25)))
    p50, p95 = added[len(added) // 2], added[int(len(added) * 0.95)]
    print(f"(c) the bus adds {p50:.1f} ms at the median, {p95:.1f} ms at the 95th percentile ({rounds} lone jobs)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["a", "b", "c"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = PrivateBroker(folder / "rabbitmq")
        broker.start()
        try:
            if "a" in options.parts:
                run_relay(broker, folder, 1000, options.rounds)
            if "b" in options.parts:
                run_sketches(broker, folder, 60, options.rounds)
            if "c" in options.parts:
                run_latency(broker, folder, 300)
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
