"""What the bridge leaves of Pub/Sub's pace: `python -m tests.benchmarks.bridge`.

Jobs a second from `overflow` to the reply queue, against the bare library over the same topics: published, pushed by
the official emulator to a service that sends the body back, published, pulled. Both ways have topics of their own that
`overspill cloud init` made alike, the same echo, as many jobs on their way and the same bodies; they take turns in one
run. What each process spends on a job is told as well.

The cloud's side, emulator and echo, has the last core to itself and the site's side the others: a cloud takes no time
of the site's machines, and the emulator's limit is the same both ways.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import psutil
from google.cloud import pubsub_v1
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from bus.events import BridgeStatus, read_event
from bus.messages import Message
from bus.rabbit import Bus, Delivery
from bus.topology import CLOUD_KEY, EVENTS, VMS, Queue, Topology, shared
from tests.benchmarks.echo_push import LIFTED
from tests.journey.processes import Processes
from ui.stack.emulator import PubSubEmulator
from ui.stack.processes import die_with_us
from ui.stack.rabbitmq import PrivateBroker

PROJECT, OPERATION, REPLIES = "benchmark", "sketch", "replies"
READY_S, PATIENCE_S = 60, 300


@dataclass(frozen=True)
class Figures:
    """Of one round: jobs a second, and CPU milliseconds a job by process."""

    rate: float
    cpu_ms: Mapping[str, float]


@dataclass
class Meter:
    """Counts answers; what was spent until `warm` of them had come is not counted."""

    warm: int
    jobs: int
    window: int
    processes: Mapping[str, psutil.Process]
    answered: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.room = asyncio.Semaphore(self.window)

    def count(self) -> None:
        self.answered += 1
        self.room.release()
        if self.answered == self.warm:
            self._began_s, self._spent_s = time.perf_counter(), self._cpu_s()
        if self.answered == self.warm + self.jobs:
            self._took_s, self._spent_by_then_s = time.perf_counter() - self._began_s, self._cpu_s()
            self.done.set()

    async def run(self, send: Callable[[int], object]) -> Figures:
        """Send all jobs, `window` of them on their way at a time, and wait for their answers."""
        async with asyncio.timeout(PATIENCE_S):
            for number in range(self.warm + self.jobs):
                await self.room.acquire()
                send(number)
            await self.done.wait()
        spent = {name: self._spent_by_then_s[name] - before for name, before in self._spent_s.items()}
        return Figures(self.jobs / self._took_s, {name: 1000 * s / self.jobs for name, s in spent.items()})

    def _cpu_s(self) -> dict[str, float]:
        return {name: sum(process.cpu_times()[:2]) for name, process in self.processes.items()}


@dataclass(frozen=True)
class Site:
    """What both ways share: the emulator, the echo behind it, and what is sent."""

    emulator: PubSubEmulator
    echo: subprocess.Popen[bytes]
    echo_port: int
    body: bytes
    options: argparse.Namespace

    def settings(self, prefix: str) -> dict[str, str]:
        """Of whoever uses the topics of a prefix, as environment variables."""
        return {
            "PUBSUB_EMULATOR_HOST": self.emulator.host,
            "OVERSPILL_CLOUD_PROJECT": PROJECT,
            "OVERSPILL_CLOUD_PREFIX": prefix,
            "OVERSPILL_CLOUD_SERVICES": f"{OPERATION}=http://127.0.0.1:{self.echo_port}/{prefix}",
            # Twice what is on its way: an answer may be with its caller before the bridge knows that it is.
            "OVERSPILL_CLOUD_IN_FLIGHT": str(2 * self.options.window),
        }

    def meter(self, **others: int) -> Meter:
        pids = {"emulator": self.emulator.process.pid, "echo": self.echo.pid, "driver": os.getpid(), **others}
        processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        return Meter(self.options.warm, self.options.jobs, self.options.window, processes)

    def init(self, prefix: str) -> None:
        """Make the topics and subscriptions of a prefix."""
        environment = os.environ | self.settings(prefix)
        command = [sys.executable, "-m", "ui.cli", "cloud", "init"]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

    def clear(self) -> None:
        """Delete all subscriptions: until then the emulator keeps what was acknowledged, and 1 GiB is all it has."""
        with bare_clients(self.emulator.host) as (_, subscriber):
            for subscription in subscriber.list_subscriptions(project=f"projects/{PROJECT}"):
                subscriber.delete_subscription(subscription=subscription.name)


@contextmanager
def bare_clients(host: str) -> Iterator[tuple[pubsub_v1.PublisherClient, pubsub_v1.SubscriberClient]]:
    """The library's own clients, batching as they do unasked; only the limit of 4 MiB a response is lifted."""
    with grpc.insecure_channel(host, options=LIFTED) as channel:
        publisher = pubsub_v1.PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        subscriber = pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        yield publisher, subscriber
        publisher.stop()


async def bare(site: Site, prefix: str) -> Figures:
    """Published and pulled by this process, with nothing between."""
    site.init(prefix)
    meter, loop = site.meter(), asyncio.get_running_loop()
    topic = f"projects/{PROJECT}/topics/{prefix}-jobs-{OPERATION}"
    with bare_clients(site.emulator.host) as (publisher, subscriber):

        def take(message: pubsub_v1.subscriber.message.Message) -> None:
            assert len(message.data) == len(site.body)
            message.ack()
            loop.call_soon_threadsafe(meter.count)

        def send(number: int) -> None:
            publisher.publish(topic, site.body, kind="job", ticket=f"{number}", operation=OPERATION)

        pulling = subscriber.subscribe(f"projects/{PROJECT}/subscriptions/{prefix}-results-pull", take)
        try:
            return await meter.run(send)
        finally:
            pulling.cancel()
            pulling.result(30)


@asynccontextmanager
async def ready_bridge(bus: Bus, processes: Processes) -> AsyncIterator[int]:
    """The pid of a bridge that takes jobs."""
    ready = asyncio.Event()

    def on_event(delivery: Delivery) -> None:
        match read_event(delivery.message.body):
            case BridgeStatus(active=True, state="ready"):
                ready.set()
            case _:
                pass

    await bus.listen([(EVENTS, "bridge.*")], on_event)
    processes._start("bridge", "bridge")
    try:
        await asyncio.wait_for(ready.wait(), READY_S)
        yield processes.pid("bridge")
    except TimeoutError:
        raise AssertionError(f"the bridge came to a halt:\n{processes.log('bridge')}") from None
    finally:
        processes.stop()


async def bridged(site: Site, prefix: str, url: str, broker: int) -> Figures:
    """The same from the router's place on the bus to the caller's."""
    site.init(prefix)
    processes = Processes(url, site.emulator.folder, **site.settings(prefix))
    whole = shared()
    topology = Topology(whole.exchanges, (*whole.queues, Queue(REPLIES)), whole.bindings)
    async with Bus(url, name="benchmark", topology=topology) as bus, ready_bridge(bus, processes) as bridge:
        meter = site.meter(bridge=bridge, broker=broker)

        def take(delivery: Delivery) -> None:
            assert len(delivery.message.body) == len(site.body), delivery.message.body
            bus.ack(delivery)
            meter.count()

        await bus.consume(REPLIES, take, prefetch=site.options.window)
        return await meter.run(lambda number: bus.publish(VMS, job(site.body, number)))


def job(body: bytes, number: int) -> Message:
    """A job as the router overflows it."""
    now_ms = time.time_ns() // 1_000_000
    hops = {"operation": OPERATION, "attempt": 1, "received_ms": now_ms, "deadline_ms": now_ms + 600_000}
    headers = {"user": f"user{number % 100}", "placement": uuid.uuid4().hex, **hops}
    return Message(body, CLOUD_KEY, headers, message_id=f"job-{number}", reply_to=REPLIES)


@contextmanager
def started_site(folder: Path, options: argparse.Namespace) -> Iterator[Site]:
    emulator = PubSubEmulator(folder / "emulator")
    *site, cloud = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cloud})  # children inherit it
    emulator.start()
    command = die_with_us([sys.executable, "-m", "tests.benchmarks.echo_push", emulator.host, PROJECT])
    echo = subprocess.Popen(command, stdout=subprocess.PIPE)
    os.sched_setaffinity(0, site or {cloud})
    try:
        assert echo.stdout
        port = int(echo.stdout.readline())
        yield Site(emulator, echo, port, os.urandom(options.kib << 10), options)
    finally:
        echo.terminate()
        echo.wait(10)
        emulator.stop()


def in_turn(site: Site, broker: PrivateBroker) -> dict[str, list[Figures]]:
    """The figures of each way, round by round."""
    figures: dict[str, list[Figures]] = {"bare": [], "bridged": []}
    asyncio.run(bare(site, "warming-up"))  # Java compiles what it runs often
    for turn in range(site.options.rounds):
        site.clear()
        figures["bare"].append(asyncio.run(bare(site, f"bare-{turn}")))
        site.clear()
        vhost = f"bridge{turn}"
        url = broker.add_vhost(vhost)
        figures["bridged"].append(asyncio.run(bridged(site, f"bridged-{turn}", url, broker.process.pid)))
        broker.delete_vhost(vhost)
        print("  ".join(f"{way} {those[-1].rate:.0f}" for way, those in figures.items()), "jobs/s", flush=True)
    return figures


def report(figures: Mapping[str, list[Figures]]) -> None:
    rates = {way: statistics.median(each.rate for each in those) for way, those in figures.items()}
    for way, those in figures.items():
        spent = {name: statistics.median(each.cpu_ms[name] for each in those) for name in those[0].cpu_ms}
        told = ", ".join(f"{name} {cpu_ms:.1f}" for name, cpu_ms in spent.items())
        print(f"{way:8} {rates[way]:6.1f} jobs/s; CPU ms a job: {told}; together {sum(spent.values()):.1f}")
    ratios = [through.rate / alone.rate for alone, through in zip(figures["bare"], figures["bridged"], strict=True)]
    print(f"ratio {statistics.median(ratios):.2f} (median of {', '.join(f'{ratio:.2f}' for ratio in ratios)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=800)
    parser.add_argument("--warm", type=int, default=200, help="jobs of each round that are not counted")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--window", type=int, default=32, help="jobs on their way at a time")
    parser.add_argument("--kib", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, started_site(Path(name), options) as site:
        broker = PrivateBroker(Path(name) / "rabbitmq")
        broker.start()
        try:
            report(in_turn(site, broker))
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
