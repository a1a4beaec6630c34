"""What open dashboards cost the page: `python -m tests.benchmarks.dashboards`.

The real page, in a process of its own on a real broker, tells the fleet (played: ten VMs that beat once a second, a
router, twenty jobs a second) to 1, 50 and 200 viewers. Beside it, in the same run, a bare ASGI application sends as
many bytes to as many viewers. Told are the percentage of a core that each takes, and the time between two samples as
the viewers see it. What the page takes for nobody is for hearing the fleet and counting its queues. Viewers are plain
sockets, so that this process has time to look at its clock.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil
import uvicorn

from bus.clock import now_ms
from bus.events import Heartbeat, JobEvent, RouterStatus, event_message, heartbeat_key
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import EVENTS, HEARTBEATS, shared
from ui.stack.rabbitmq import PrivateBroker

PATH = "/api/v1/fleet/events"
SETTLE_S = 4.0
JOBS_A_SECOND = 20


class Viewers:
    """Open streams, and when each of them heard something."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: list[asyncio.Task[None]] = []
        self.heard: list[list[float]] = []
        self.bytes = 0

    async def open(self, count: int) -> None:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
            asked = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAccept: text/event-stream\r\n\r\n"
            writer.write(asked.encode())
            times: list[float] = []
            self.heard.append(times)
            self._tasks.append(asyncio.create_task(self._listen(reader, writer, times)))

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, times: list[float]) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head, head
            while piece := await reader.read(1 << 18):
                self.bytes += len(piece)
                times.extend([time.perf_counter()] * piece.count(b"event: sample"))
        finally:
            writer.close()

    def forget(self) -> None:
        self.bytes = 0
        for times in self.heard:
            times.clear()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def measure(name: str, server: psutil.Process, port: int, viewers: int, seconds: float) -> tuple[float, float]:
    """Print a line; returns percent of a core, and bytes a viewer a second."""
    watching = Viewers(port)
    await watching.open(viewers)
    await asyncio.sleep(SETTLE_S)
    watching.forget()
    began, used = time.perf_counter(), sum(server.cpu_times()[:2])
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    percent = 100 * (sum(server.cpu_times()[:2]) - used) / took
    gaps = [b - a for times in watching.heard for a, b in itertools.pairwise(times)]
    a_second = watching.bytes / took / max(viewers, 1)
    if viewers:
        p95 = quantiles(gaps, n=100, method="inclusive")[94]
        told = f"gap p95 {p95:.3f} s, longest {max(gaps):.3f} s, {a_second:6.0f} bytes/s each"
        assert min(map(len, watching.heard)) > 0, "a viewer heard nothing"
    else:
        told = "nobody looks"
    print(f"{name:5} {viewers:4} viewers: {percent:5.1f} % of a core; {told}", flush=True)
    await watching.close()
    return percent, a_second


async def play(url: str, vms: int) -> None:
    """A fleet that talks."""
    async with Bus(url, name="fleet", topology=shared()) as bus:
        for seq in range(1_000_000):
            for n in range(vms):
                name = f"vm{n}"
                beat = Heartbeat(
                    vm=name, session="s", started_ms=1, seq=seq, at_ms=now_ms(), cpu_percent=random.uniform(20, 30),
                    ram_percent=random.uniform(50, 60), cores=4, slots=2, running=seq % 3, worker="ready",
                    operations=("sketch", "caption"),
                )  # fmt: skip
                bus.post(HEARTBEATS, event_message(beat, heartbeat_key(name)))
                await asyncio.sleep(1 / vms / 2)
            status = RouterStatus(router="router", at_ms=now_ms(), routed=seq * JOBS_A_SECOND)
            bus.post(EVENTS, event_message(status, status.key))
            for n in range(JOBS_A_SECOND):
                for state in ("routed", "done"):
                    told: dict[str, Any] = {"vm": f"vm{n % vms}", "waited_ms": 20, "ran_ms": random.randrange(50, 2000)}
                    event = JobEvent(state=state, job=f"{seq}-{n}", operation="sketch", at_ms=now_ms(), **told)
                    bus.post(EVENTS, event_message(event, event.key))
            await asyncio.sleep(0.5)


# -- the servers, each a process of its own


def serve_page_on(port: int, url: str, folder: str) -> None:
    from ui.web.server import serve_page

    settings = Settings(page_login="open", page_port=port, page_dir=Path(folder))
    asyncio.run(serve_page(settings, url, asyncio.Event()))


def serve_bare_on(port: int, size: int) -> None:
    """As many bytes a second to each viewer, and nothing else."""
    bells: set[asyncio.Event] = set()
    piece = b"event: sample\ndata: " + b"x" * max(0, size - 22) + b"\n\n"

    async def ring() -> None:
        while True:
            await asyncio.sleep(1.0)
            for bell in bells:
                bell.set()

    async def app(scope: dict[str, Any], _receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        bell = asyncio.Event()
        bells.add(bell)
        while True:
            await bell.wait()
            bell.clear()
            await send({"type": "http.response.body", "body": piece, "more_body": True})

    async def both() -> None:
        config = uvicorn.Config(app, port=port, lifespan="off", log_level="error")
        await asyncio.gather(uvicorn.Server(config).serve(), ring())

    asyncio.run(both())


@contextlib.contextmanager
def serving(kind: str, *given: object) -> Iterator[tuple[psutil.Process, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OVERSPILL_")}
    command = [sys.executable, "-m", "tests.benchmarks.dashboards", "--serve", kind, str(port), *map(str, given)]
    process = subprocess.Popen(command, env=environ)
    try:
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < until, f"{kind} does not serve"
            time.sleep(0.1)
        yield psutil.Process(process.pid), port
    finally:
        process.kill()  # a stream has no end to wait for
        process.wait()


@contextlib.asynccontextmanager
async def fleet(url: str, vms: int) -> AsyncIterator[None]:
    playing = asyncio.create_task(play(url, vms))
    try:
        yield
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


async def compare(url: str, folder: str, counts: list[int], vms: int, seconds: float) -> None:
    found: dict[int, tuple[float, float]] = {}
    async with fleet(url, vms):
        with serving("page", url, folder) as (server, port):
            await asyncio.sleep(2 * SETTLE_S)
            for count in [0, *counts]:
                found[count] = await measure("page", server, port, count, seconds)
        size = int(found[counts[-1]][1])
        with serving("bare", size) as (server, port):
            for count in counts:
                percent, _ = await measure("bare", server, port, count, seconds)
                print(
                    f"      {count:4} viewers: the page takes {found[count][0] / max(percent, 0.01):.1f} times as much"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 50, 200])
    parser.add_argument("--vms", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--serve", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        kind, port, *rest = given.serve
        return serve_page_on(int(port), *rest) if kind == "page" else serve_bare_on(int(port), int(rest[0]))
    with tempfile.TemporaryDirectory(prefix="overspill-bench-", ignore_cleanup_errors=True) as folder:
        broker = PrivateBroker(Path(folder))
        broker.start()
        try:
            url = broker.add_vhost("dashboards")
            asyncio.run(compare(url, f"{folder}/page", given.viewers, given.vms, given.seconds))
        finally:
            broker.stop()
    return None


if __name__ == "__main__":
    main()
