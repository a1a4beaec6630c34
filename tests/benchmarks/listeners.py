"""What listeners that stand still cost a job: `python -m tests.benchmarks.listeners [--rate 10000]`.

A real router and a real VM make sketches of small pictures, one at a time, while another process publishes RATE events
a second. Blocks of jobs take turns, in one run: with no listener, and with listeners bound to all events that never
read. The ratios of their latencies are what counts, most of all on a machine that others use.

Stalled listeners are of several kinds (`--stalled`): `queue`, a bounded queue nobody consumes; `tcp`, a bounded queue
with a consumer that never reads its socket; `unbounded`, a queue of no length limit that nobody consumes; `stream`, a
reader of the history that never reads its socket.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pika

from bus.events import JobEvent, event_message
from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import EVENTS, EVENTS_HISTORY, shared
from producers.client import AsyncClient
from tests.journey.pictures import photograph
from tests.journey.processes import Processes
from ui.stack.processes import die_with_us
from ui.stack.rabbitmq import PrivateBroker

BOUNDED = {"x-max-length": 10_000, "x-overflow": "drop-head"}
PICTURE = photograph(64, 48)
SETTLE_S = 3.0
"""Until the listeners' queues are full, or are gone."""
BATCH = 200


# -- events, from a process of their own


def flood(url: str, rate: float) -> None:
    """Publish so many events a second, or as many as the broker takes, until killed.

    The same frames again and again: it stands for other machines, and should leave this one to what is measured.
    """
    os.nice(10)
    # No router listens for jobs that wait: what is measured is listeners, not its work.
    event = JobEvent(
        state="waiting", job="f" * 32, operation="sketch", at_ms=1, place=3, eta_s=(1.0, 2.0), reason="busy"
    )
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    frames = BATCH * published(event_message(event, event.key), channel.channel_number)
    began = time.monotonic()
    for batch in range(1, 1_000_000_000):
        connection._impl._adapter_emit_data(frames)
        # Answered once the broker has read what came before it: never more than a batch ahead of it.
        channel.basic_qos(prefetch_count=1)
        connection.sleep(max(0.0, began + batch * BATCH / rate - time.monotonic()))


def published(message: Message, channel: int) -> bytes:
    """The frames of AMQP that publish an event."""
    properties = pika.BasicProperties(content_type=message.content_type, expiration=message.expiration)
    parts = (
        pika.frame.Method(channel, pika.spec.Basic.Publish(exchange=EVENTS, routing_key=message.routing_key)),
        pika.frame.Header(channel, len(message.body), properties),
        pika.frame.Body(channel, message.body),
    )
    return b"".join(part.marshal() for part in parts)


@contextmanager
def flooding(url: str, rate: float) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.benchmarks.listeners", "--flood", url, "--rate", str(rate)]
    process = subprocess.Popen(die_with_us(command))
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def told(bus: Bus) -> int:
    """Events in the history, about."""
    counted = await bus.counts(EVENTS_HISTORY)
    return counted.ready if counted else 0


# -- listeners that never read


@contextmanager
def stalled(url: str, kind: str) -> Iterator[None]:
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 0  # or the broker would hang up on who never answers
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    if kind == "stream":
        channel.basic_qos(prefetch_count=10_000)
        channel.basic_consume(EVENTS_HISTORY, lambda *_: None, arguments={"x-stream-offset": "next"})
    else:
        arguments = {} if kind == "unbounded" else BOUNDED
        queue = channel.queue_declare("", exclusive=True, arguments=arguments).method.queue
        channel.queue_bind(queue, EVENTS, "#")
        if kind == "tcp":
            channel.basic_consume(queue, lambda *_: None, auto_ack=True)
    try:
        yield  # pika reads only when it is told to
    finally:
        # Not a goodbye: that would read all that came.
        connection._impl._adapter_disconnect_stream()


# -- jobs


async def block(client: AsyncClient, jobs: int) -> list[float]:
    """Milliseconds from submit to answer, of each of so many jobs in turn."""
    took = []
    for _ in range(jobs):
        began = time.perf_counter()
        handle = await client.submit(PICTURE, "sketch")
        await handle.result(60)
        took.append(1000 * (time.perf_counter() - began))
    return took


async def measure(url: str, kinds: Sequence[str], rounds: int, jobs: int) -> tuple[list[float], list[float], float]:
    """Latencies without and with stalled listeners, and the events a second that there were."""
    without: list[float] = []
    with_them: list[float] = []
    async with AsyncClient(url) as client, Bus(url, name="benchmark", topology=shared()) as bus:
        await block(client, jobs // 4)
        began, before = time.monotonic(), await told(bus)
        for turn in range(2 * rounds):
            listening = turn % 4 in {1, 2}  # a b b a: what drifts, drifts for both
            with ExitStack() as listeners:
                for kind in kinds if listening else ():
                    listeners.enter_context(stalled(url, kind))
                await asyncio.sleep(SETTLE_S)
                (with_them if listening else without).extend(await block(client, jobs))
        await asyncio.sleep(SETTLE_S)  # the broker's count is seconds old
        rate = (await told(bus) - before) / (time.monotonic() - began)
    return without, with_them, rate


def report(without: Sequence[float], with_them: Sequence[float]) -> None:
    for name, percent in (("p50", 50), ("p95", 95)):
        a, b = (statistics.quantiles(took, n=100)[percent - 1] for took in (without, with_them))
        print(f"{name}: {a:.2f} ms without a listener, {b:.2f} ms with stalled ones, ratio {b / a:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=10_000, help="events a second")
    parser.add_argument("--rounds", type=int, default=8, help="blocks of each way, an even number")
    parser.add_argument("--jobs", type=int, default=200, help="jobs of a block")
    parser.add_argument("--stalled", nargs="*", default=["queue", "tcp"])
    parser.add_argument("--flood", metavar="URL", help="only publish events there")
    options = parser.parse_args()
    if options.flood:
        flood(options.flood, options.rate)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = PrivateBroker(folder / "rabbitmq")
        broker.start()
        processes = Processes(broker.add_vhost("listeners"), folder)
        try:
            processes.start_router()
            processes.start_vm("vm1")
            processes.wait_ready("vm1")
            with flooding(processes.url, options.rate):
                measured = asyncio.run(measure(processes.url, options.stalled, options.rounds, options.jobs))
        finally:
            processes.stop()
            broker.stop()
    without, with_them, rate = measured
    short = (
        f" of the {options.rate:.0f} asked for: more than these processors can do" if rate < 0.9 * options.rate else ""
    )
    print(f"{rate:.0f} events a second{short}, {len(without)} jobs each way; stalled: {', '.join(options.stalled)}")
    report(without, with_them)


if __name__ == "__main__":
    main()
