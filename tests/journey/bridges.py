"""Who takes part in a journey through the cloud: a caller, and bridges that are killed at a moment of our choice."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

import psutil

from bus.answers import Answer
from producers.client import AsyncClient, JobHandle
from tests.bus.rabbit.foreign import eventually
from tests.journey.clouds import Site
from tests.journey.pictures import is_sketch_of, photograph
from tests.journey.processes import Processes
from tests.journey.relay import Relay, relay
from tests.journey.watching import Watch

AT_EACH_STEP = 3
PICTURE = photograph(300, 200)


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Meanwhile these processes do nothing, and hold what they have."""
    for pid in pids:
        psutil.Process(pid).suspend()
    try:
        yield
    finally:
        for pid in pids:
            with suppress(psutil.NoSuchProcess):  # killed meanwhile
                psutil.Process(pid).resume()


class Caller:
    """Whose jobs overflow; what is asked of them is read in the events."""

    def __init__(self, url: str, client: AsyncClient, watch: Watch) -> None:
        self.url = url
        self.client = client
        self.watch = watch
        self.handles: list[JobHandle] = []

    async def submit(self, name: str, jobs: int = AT_EACH_STEP, *, until: str) -> list[JobHandle]:
        """Jobs called so, as soon as each is told to be in that state."""
        names = [f"{name}{number}" for number in range(jobs)]
        handles = [await self.client.submit(PICTURE, "sketch", job_id=job) for job in names]
        self.handles += handles
        await eventually(lambda: all(until in self.watch.steps(job) for job in names))
        return handles

    @property
    def settled(self) -> bool:
        """Whether each job is answered, and its bridge has told so: it has nothing more to do for it."""
        return all(job.done and "done" in self.watch.steps(job.id) for job in self.handles)

    async def all_answered(self, within_s: float = 60) -> list[Answer]:
        answers = await asyncio.gather(*(handle.result(within_s) for handle in self.handles))
        assert all(is_sketch_of(answer, PICTURE) for answer in answers)
        return answers


@asynccontextmanager
async def caller(url: str) -> AsyncIterator[Caller]:
    async with Watch(url) as watch, AsyncClient(url, user="anna") as client:
        yield Caller(url, client, watch)


class Bridges:
    """One bridge that works and one that stands by, each on a wire of its own."""

    def __init__(self, processes: Processes, site: Site, watch: Watch, wires: AsyncExitStack) -> None:
        self.processes = processes
        self.site = site
        self._watch = watch
        self._wires = wires
        self._all: dict[str, Relay] = {}
        self._number = 0
        self.name = ""
        """The active one."""

    @property
    def pid(self) -> int:
        return self.processes.pid(self.name)

    @property
    def wire(self) -> Relay:
        return self._all[self.name]

    @property
    def in_flight(self) -> int:
        status = self._watch.bridge(self.pid)
        return status.in_flight if status is not None else 0

    async def add(self) -> None:
        self._number += 1
        name = f"bridge{self._number}"
        self._all[name] = wire = await self._wires.enter_async_context(relay(self.processes.url))
        self.processes.start_bridge(name, AMQP_URL=wire.url)

    async def takeover(self) -> float:
        """Wait until another works; returns after how many seconds."""
        began, before = time.monotonic(), self.name
        self.name = (await eventually(lambda: [name for name in self._all if name != before and self._works(name)]))[0]
        return time.monotonic() - began

    def _works(self, name: str) -> bool:
        status = self._watch.bridge(self.processes.pid(name))
        return status is not None and status.active

    async def kill(self) -> float:
        """Kill the active one, and have a new one stand by; returns after how many seconds another works."""
        self.processes.kill(self.name)
        del self._all[self.name]
        seconds = await self.takeover()
        await self.add()
        return seconds

    def stop(self) -> None:
        self.processes.stop(*self._all)
