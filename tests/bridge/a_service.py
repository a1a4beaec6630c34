"""A cloud service in this process, with what a test needs around it: a recorder of answers, a hand on its child."""

import asyncio
import base64
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from bridge.cloudrun import listen, serve_until
from bridge.envelope import Parcel, job_parcel
from bridge.service.computing import Computing, ComputingConfig
from bridge.service.publishing import ResultsDown
from bus.messages import Job
from bus.settings import Settings
from consumers.claims import Claims
from tests.consumers.desk import computing
from tests.consumers.operations.pictures import photograph

PHOTOGRAPH = photograph()


def settings(**given: Any) -> Settings:
    """Those of a service beside an emulator: one slot, sketches alone, nothing of the tester's environment."""
    plain: dict[str, Any] = {
        "operations": ("sketch",),
        "slots": 1,
        "vm_name": "cloud",
        "cloud": "pubsub",
        "cloud_push_unverified": True,
        "pubsub_emulator_host": "127.0.0.1:1",
        "service_host": "127.0.0.1",
        "service_token": None,
        "k_service": None,
        "k_revision": None,
        "blobs": None,
        "child_memory_mib": 1024,
    }
    return Settings(**{**plain, **given})


@dataclass
class Recorder:
    """Takes the answers, unless it is down."""

    parcels: list[Parcel] = field(default_factory=list)
    down: bool = False

    async def publish(self, parcel: Parcel) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise ResultsDown("the topic is gone")
        self.parcels.append(parcel)

    async def close(self) -> None:
        self.down = True


def pushed(ticket: str = "t1", body: bytes = PHOTOGRAPH, operation: str = "sketch", **given: Any) -> Parcel:
    """A job as the bridge sends it."""
    return job_parcel(Job(id="j1", operation=operation, body=body, **given), ticket, sent_ms=1)


def envelope(parcel: Parcel) -> dict[str, Any]:
    """What Pub/Sub pushes."""
    data = base64.b64encode(parcel.body).decode()
    return {"message": {"data": data, "attributes": dict(parcel.attributes), "messageId": "1"}, "subscription": "s"}


@contextlib.asynccontextmanager
async def slots(given: Settings | None = None) -> AsyncIterator[Computing]:
    """The service's computing part alone."""
    given, before = given or settings(), computing()
    desk = Computing(ComputingConfig.of(given, 1, 4 << 30), Claims.of(given))
    try:
        yield desk
    finally:
        await desk.close()
    assert computing() == before


@contextlib.contextmanager
def frozen(pid: int | None) -> Iterator[int]:
    """Meanwhile a run in that process takes as long as the test wants."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@dataclass
class Running:
    """A service that listens, and a client of it."""

    client: httpx.AsyncClient
    url: str
    stop: asyncio.Event
    serving: "asyncio.Task[None]"
    others: frozenset[int]

    @property
    def child(self) -> int:
        """The process that computes in it."""
        (pid,) = frozenset(computing()) - self.others
        return pid

    async def ready(self) -> dict[str, Any]:
        """What it serves, once it does."""
        response = await self.client.get("/ready")
        if response.status_code == 503:
            await asyncio.sleep(0.05)
            return await self.ready()
        told: dict[str, Any] = response.raise_for_status().json()
        return told


@contextlib.asynccontextmanager
async def service(results: Recorder | Any, **given: Any) -> AsyncIterator[Running]:
    """A service on a port of its own, in this event loop. Whatever the test did to it, no process is left behind."""
    stop, before = asyncio.Event(), computing()
    with listen("127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port.getsockname()[1]}"
        serving = asyncio.create_task(serve_until(stop, settings(**given), results, port))
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            try:
                yield Running(client, url, stop, serving, frozenset(before))
            finally:
                stop.set()
                await serving
    assert computing() == before
