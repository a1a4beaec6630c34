"""A worker on a real broker, with a foreign client on the other side and a hand on its processes."""

import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import psutil
from PIL import Image

from bus.control import Cancel, Drain
from bus.events import JobEvent, read_event
from bus.problems import PROBLEM_JSON
from bus.rabbit import Bus
from bus.topology import CONTROL, DEAD, EVENTS, JOBS_LANES, VMS, Binding, Exchange, Queue, Topology, of_vm, vm_queue
from consumers.claims import Claims
from consumers.compute import Child, ChildConfig
from consumers.worker import Worker, WorkerConfig
from tests.bus.rabbit.foreign import Foreign, Got, eventually
from tests.consumers.operations.pictures import photograph, saved

VM = "vm1"
BACK = "back"
"""The one lane, where jobs arrive that the worker hands back."""
PHOTOGRAPH = photograph()
CHILD = ChildConfig(("sketch",), "", max_bytes=16 << 20, max_pixels=50_000_000, memory_bytes=1 << 30)
CONFIG = WorkerConfig(
    vm=VM, slots=1, look_ahead=1, max_attempts=3, job_timeout_s=60, answers_kept_bytes=1 << 24, child=CHILD
)
SMALL_MEMORY = 400 << 20
"""Enough for a process that draws photographs of a few megapixels; not for one that draws `heavy()`."""
SHORT = replace(CONFIG, job_timeout_s=0.5)

_OURS = of_vm(VM)
TOPOLOGY = Topology(
    (
        Exchange(JOBS_LANES, "x-consistent-hash", {"hash-header": "user"}),
        Exchange(VMS, "direct"),
        Exchange(EVENTS, "topic"),
        Exchange(CONTROL, "topic"),
    ),
    (Queue(DEAD, {"x-queue-type": "quorum"}), Queue(BACK, {"x-queue-type": "quorum"}), *_OURS.queues),
    (Binding(JOBS_LANES, BACK, "1"), *_OURS.bindings),
)


def heavy() -> bytes:
    """A picture of a few kilobytes, within all limits, that takes half a gigabyte to draw: 49 megapixels."""
    return saved(Image.new("P", (7000, 7000)), "GIF")


class Desk:
    """Sends jobs to the worker as a router would, and looks at what becomes of them."""

    def __init__(self, bus: Bus, worker: Worker, foreign: Foreign) -> None:
        self.bus = bus
        self.worker = worker
        self.foreign = foreign
        self.replies = foreign.queue()
        self._told = foreign.listen(EVENTS, "job.#")
        self.events: list[JobEvent] = []

    def send(self, body: bytes = PHOTOGRAPH, *, headers: dict[str, Any] | None = None, **properties: Any) -> None:
        """A job for `sketch`, placed for the first time."""
        hop = {"operation": "sketch", "user": "anna", "attempt": 1} | (headers or {})
        given = {"reply_to": self.replies, "message_id": "j1"} | properties
        self.foreign.publish(VMS, vm_queue(VM), body, headers=hop, **given)

    def ask(self, order: Cancel | Drain) -> None:
        """What a caller or an operator asks of the VM."""
        self.foreign.publish(CONTROL, order.key, order.model_dump_json().encode())

    async def answer(self) -> Got:
        return await self.foreign.get(self.replies)

    async def handed_back(self) -> Got:
        return await self.foreign.get(BACK)

    async def dead(self) -> Got:
        return await self.foreign.get(DEAD)

    async def told(self, state: str, count: int = 1) -> JobEvent:
        """The last of the first `count` events of a state."""

        def look() -> list[JobEvent]:
            while (got := self.foreign.taken(self._told)) is not None:
                event = read_event(got.body)
                assert isinstance(event, JobEvent)
                self.events.append(event)
            return [event for event in self.events if event.state == state]

        await eventually(lambda: len(look()) >= count)
        return look()[count - 1]

    def count(self, state: str) -> int:
        return sum(event.state == state for event in self.events)

    @property
    def child(self) -> Child:
        """The process of the first slot, and the worker's grip on it."""
        return self.worker._slots.children[0]

    def signal(self, number: signal.Signals) -> None:
        """To the process of the first slot."""
        pid = self.child.pid
        assert pid is not None
        os.kill(pid, number)

    def freeze(self) -> None:
        """From now on a job takes as long as the test wants."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    async def settled(self) -> None:
        """Nothing is left for this VM, in its queue or unacked."""
        await eventually(lambda: not self.worker._ends._unconfirmed)
        await self.bus.close()
        await eventually(lambda: self.foreign.depth(vm_queue(VM)) == 0)


@contextlib.asynccontextmanager
async def desk(
    url: str, config: WorkerConfig = CONFIG, *, through: str | None = None, claims: Claims | None = None
) -> AsyncIterator[Desk]:
    """A worker that has started. Whatever the test did to it, no process is left behind."""
    with Foreign(url) as foreign:
        async with Bus(through or url, name="test", topology=TOPOLOGY) as bus:
            worker = Worker(bus, config, claims)
            try:
                await worker.start()
                yield Desk(bus, worker, foreign)
            finally:
                await worker.drain(0)
    assert computing() == []


def computing() -> list[int]:
    """The processes that compute for this test."""
    return [child.pid for child in psutil.Process().children() if "consumers.child" in _command(child)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.ZombieProcess:  # another test's, about to be reaped
        return []


def history(got: Got) -> list[dict[str, Any]]:
    """The attempts that a job's headers tell."""
    told: list[dict[str, Any]] = json.loads(got.headers.get("history", "[]"))
    return told


def problem(got: Got) -> dict[str, Any]:
    """The problem that an answer tells, with the last part of its type as `slug`."""
    assert got.properties.content_type == PROBLEM_JSON
    told: dict[str, Any] = json.loads(got.body)
    told["slug"] = told["type"].rpartition(":")[2]
    return told
