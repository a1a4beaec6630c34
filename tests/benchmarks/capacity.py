"""What a job costs each process, for docs/capacity.md: `python -m tests.benchmarks.capacity [PART...]`.

All in CPU milliseconds, which a busy machine changes less than rates. Parts: `bus` (router, broker, a VM's two
processes and the sender, by the picture's size, and by claim), `beats` (what a VM that only beats costs a second),
`page` (upload to result), `bridge` (there and back) and `compute` (operations by megapixels). What the processes take
anyway, with no job about, is measured first and taken off.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import psutil

from bus import settings
from bus.errors import SetupError
from bus.rabbit import Bus
from bus.topology import shared
from consumers.models import Models
from consumers.operations import REGISTRY, Limits, Unavailable
from producers.client import AsyncClient
from tests.benchmarks import bridge as bridging
from tests.benchmarks.router import PlayedVms
from tests.benchmarks.side_by_side import cpu_seconds, photograph
from tests.journey.processes import Processes
from ui.stack.processes import free_port
from ui.stack.rabbitmq import PrivateBroker

KIB = 1 << 10
SIZES = {"20 KiB": 0.05, "200 KiB": 0.95, "2 MiB": 15.0}
"""How many megapixels make a photograph of about so many bytes."""
WHOLE = {"OVERSPILL_CPU_THRESHOLD": "100", "OVERSPILL_RAM_THRESHOLD": "100", "OVERSPILL_LOG_LEVEL": "WARNING"}
"""A VM takes all that it has slots for."""
WINDOW = 16
IDLE_S = 6.0
MEGAPIXELS = (0.5, 2.0, 12.0)


@dataclass(frozen=True)
class Meter:
    """CPU seconds of processes, by what they are."""

    looks: Mapping[str, Callable[[], float]]

    def read(self) -> dict[str, float]:
        return {name: look() for name, look in self.looks.items()}

    async def during(self, work: Coroutine[object, object, None]) -> tuple[dict[str, float], float]:
        """CPU seconds spent by each while `work` is done, and the seconds that it took."""
        before, began = self.read(), time.monotonic()
        await work
        took_s = time.monotonic() - began
        return {name: now - before[name] for name, now in self.read().items()}, took_s


def of_process(pid: int) -> Callable[[], float]:
    process = psutil.Process(pid)
    return lambda: float(sum(process.cpu_times()[:2]))


def of_children(pid: int) -> Callable[[], float]:
    process = psutil.Process(pid)
    return lambda: float(sum(sum(child.cpu_times()[:2]) for child in process.children(recursive=True)))


async def cost_a_job(meter: Meter, jobs: Callable[[int], Coroutine[object, object, None]], count: int) -> list[float]:
    """CPU ms a job of each process, beyond what it takes when nothing is asked."""
    await jobs(max(4, count // 5))  # a warm-up
    idle, idle_s = await meter.during(asyncio.sleep(IDLE_S))
    spent, took_s = await meter.during(jobs(count))
    return [1000 * max(0.0, spent[name] - idle[name] * took_s / idle_s) / count for name in meter.looks]


def table(title: str, columns: list[str], rows: Mapping[str, list[float]]) -> None:
    print(f"\n| {title} | {' | '.join(columns)} |")
    print(f"|---|{'---|' * len(columns)}")
    for name, figures in rows.items():
        print(f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |", flush=True)


# -- through router, broker and VM


@contextmanager
def site(broker: PrivateBroker, name: str, **environment: str) -> Iterator[Processes]:
    """A router and one VM of one slot on a virtual host of their own."""
    with tempfile.TemporaryDirectory(prefix="capacity-") as folder:
        processes = Processes(broker.add_vhost(name), Path(folder), **WHOLE, **environment)
        try:
            processes.start_router()
            processes.start_vm("vm1")
            processes.wait_ready("vm1")
            yield processes
        finally:
            processes.stop()
            broker.delete_vhost(name)


def bus_meter(broker: PrivateBroker, processes: Processes) -> Meter:
    vm = processes.pid("vm1")
    looks = {
        "router": of_process(processes.pid("router")),
        "broker": of_process(broker.process.pid),
        "VM: I/O": of_process(vm),
        "VM: computing": of_children(vm),
        "sender": of_process(os.getpid()),
    }
    return Meter(looks)


async def sketches(client: AsyncClient, body: bytes, count: int) -> None:
    async for _, outcome in client.map("sketch", [body] * count, window=WINDOW, timeout_s=120):
        assert not isinstance(outcome, Exception), outcome


async def bus_row(
    broker: PrivateBroker, processes: Processes, body: bytes, count: int, blobs: str | None
) -> list[float]:
    most = 10 * KIB if blobs else 16 << 20
    async with AsyncClient(processes.url, max_image_bytes=most, blobs=blobs) as client:
        meter = bus_meter(broker, processes)
        return await cost_a_job(meter, partial(sketches, client, body), count)


def measure_bus(broker: PrivateBroker, options: argparse.Namespace) -> None:
    rows: dict[str, list[float]] = {}
    bodies = {name: photograph(megapixels) for name, megapixels in SIZES.items()}
    counts = dict(zip(SIZES, (options.jobs, options.jobs // 2, options.jobs // 10), strict=True))
    with site(broker, "bus") as processes:
        for name, body in bodies.items():
            rows[name] = asyncio.run(bus_row(broker, processes, body, counts[name], None))
    with tempfile.TemporaryDirectory(prefix="capacity-") as folder:
        store = f"file://{folder}"
        by_claim = {"OVERSPILL_BLOBS": store, "OVERSPILL_MAX_IMAGE_BYTES": str(10 * KIB)}
        with site(broker, "claims", **by_claim) as processes:
            for name in ("200 KiB", "2 MiB"):
                row = asyncio.run(bus_row(broker, processes, bodies[name], counts[name], store))
                rows[f"{name}, by claim"] = row
    table("CPU ms a sketch", ["router", "broker", "VM: I/O", "VM: computing", "sender"], rows)
    print("\nBytes of the pictures:", ", ".join(f"{name} {len(body):,}" for name, body in bodies.items()))


# -- VMs that only beat


async def beats(broker: PrivateBroker, processes: Processes, vms: int) -> list[float]:
    meter = Meter({"router": of_process(processes.pid("router")), "broker": of_process(broker.process.pid)})
    async with Bus(processes.url, name="benchmark", topology=shared()) as bus:
        alone, alone_s = await meter.during(asyncio.sleep(IDLE_S))
        beating = asyncio.create_task(PlayedVms(bus, vms).beat())
        await asyncio.sleep(2)
        spent, took_s = await meter.during(asyncio.sleep(IDLE_S))
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
    return [1000 * (spent[name] / took_s - alone[name] / alone_s) / vms for name in meter.looks]


def measure_beats(broker: PrivateBroker, _options: argparse.Namespace) -> None:
    rows: dict[str, list[float]] = {}
    for vms in (50, 200):
        with tempfile.TemporaryDirectory(prefix="capacity-") as folder:
            processes = Processes(broker.add_vhost(f"beats{vms}"), Path(folder), **WHOLE)
            try:
                processes.start_router()
                processes.wait_ready()
                rows[f"{vms} VMs"] = asyncio.run(beats(broker, processes, vms))
            finally:
                processes.stop()
                broker.delete_vhost(f"beats{vms}")
    table("CPU ms a VM and second", ["router", "broker"], rows)


# -- the page


async def uploads(url: str, body: bytes, count: int) -> None:
    """Pictures sent to the page, each answered with its result."""
    room = asyncio.Semaphore(WINDOW)
    headers = {"content-type": "image/jpeg", "prefer": "wait=60"}
    async with httpx.AsyncClient(base_url=url, timeout=90) as client:

        async def one() -> None:
            async with room:
                answer = await client.post("/api/v1/jobs?operation=sketch", content=body, headers=headers)
                assert answer.status_code == 200, answer.text

        await asyncio.gather(*(one() for _ in range(count)))


def measure_page(broker: PrivateBroker, options: argparse.Namespace) -> None:
    port, rows = free_port(), dict[str, list[float]]()
    page = {"OVERSPILL_PAGE_LOGIN": "open", "OVERSPILL_PAGE_PORT": str(port), "OVERSPILL_PAGE_USER_RATE": "100000"}
    page["OVERSPILL_PAGE_REQUESTS_RATE"] = "100000"
    with site(broker, "page", **page) as processes:
        processes.start_page()
        url = f"http://127.0.0.1:{port}"
        asyncio.run(answering(url))
        meter = Meter({"page": of_process(processes.pid("page"))})
        for (name, megapixels), count in zip(SIZES.items(), (options.jobs, options.jobs // 2, 16), strict=True):
            body = photograph(megapixels)
            rows[name] = asyncio.run(cost_a_job(meter, partial(uploads, url, body), min(count, 200)))
    table("CPU ms an upload, to its result", ["page"], rows)


async def answering(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        for _ in range(300):
            try:
                await client.get("/api/v1/openapi.json")
            except httpx.TransportError:
                await asyncio.sleep(0.2)
            else:
                return


# -- the bridge


def measure_bridge(broker: PrivateBroker, options: argparse.Namespace) -> None:
    rows: dict[str, list[float]] = {}
    cores = os.sched_getaffinity(0)
    for kib, count in ((20, options.jobs // 2), (200, options.jobs // 2), (2048, options.jobs // 10)):
        asked = argparse.Namespace(jobs=count, warm=count // 4, rounds=1, window=16, kib=kib)
        try:
            with (
                tempfile.TemporaryDirectory(prefix="capacity-") as folder,
                bridging.started_site(Path(folder), asked) as over,
            ):
                vhost = f"bridge{kib}"
                url = broker.add_vhost(vhost)
                spent = asyncio.run(bridging.bridged(over, vhost, url, broker.process.pid)).cpu_ms
                broker.delete_vhost(vhost)
        finally:
            os.sched_setaffinity(0, cores)
        rows[f"{kib} KiB" if kib < 1024 else "2 MiB"] = [spent["bridge"], spent["broker"]]
    table("CPU ms an overflown job", ["bridge", "broker"], rows)


# -- the operations alone


def measure_compute(_broker: PrivateBroker, options: argparse.Namespace) -> None:
    rows: dict[str, list[float]] = {}
    bodies = [photograph(megapixels, "astronaut") for megapixels in MEGAPIXELS]
    for name, operation in REGISTRY.items():
        try:
            runner = operation.load(Models(options.models), 1)
        except Unavailable as error:
            print(f"\n{name} is left out: {error}")
            continue
        runner.warm_up()
        run = partial(runner.run, params=operation.parse({}), limits=Limits())
        ways = {f"{number}": partial(run, body) for number, body in enumerate(bodies)}
        rows[name] = [1000 * spent for spent in cpu_seconds(ways, 3).values()]
    table("CPU ms a run, one thread", [f"{megapixels:g} MP" for megapixels in MEGAPIXELS], rows)


PARTS = {
    "bus": measure_bus,
    "beats": measure_beats,
    "page": measure_page,
    "bridge": measure_bridge,
    "compute": measure_compute,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--jobs", type=int, default=300, help="small jobs in a row; fewer of larger ones")
    parser.add_argument("--models", type=Path, default=settings.load().state_dir / "models")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="capacity-", ignore_cleanup_errors=True) as folder:
        broker = PrivateBroker(Path(folder))
        broker.start()
        try:
            for name in options.parts or PARTS:
                try:
                    PARTS[name](broker, options)
                except SetupError as error:
                    print(f"\n{name} is left out: {error}")
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
