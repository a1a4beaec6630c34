"""Runs jobs in the cloud service: the very processes and operations of a VM, behind a short line instead of a queue."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bus.blobs import BlobsDown
from bus.clock import now_ms
from bus.errors import BadInput, OverspillError
from bus.messages import MOST_ATTEMPTS, Job
from bus.problems import Kind, Problem
from bus.settings import Settings
from consumers.answers import Failed, Kept, Outcome, fault_of, refusal
from consumers.claims import Claims
from consumers.compute import Child, ChildConfig, Served
from consumers.slots import Slots
from telemetry import metrics

log = logging.getLogger(__name__)

WAITING_PER_SLOT: Final = 8
"""Requests let in beyond those that run. Each holds its picture.

One that is refused at once is pushed again at once, and each push counts towards giving its job up: the line must hold
all that come together. An emulator pushes two jobs of each operation at a time; Cloud Run no more than its concurrency.
"""
WAIT_S: Final = 25.0
"""The longest wait for a slot, loading the operations and fetching a claimed picture included.

Then another instance may be quicker. An HTTP pool allows a run its time and 30 seconds more, Pub/Sub a minute more,
since there the answer is yet to be published: a job that waited so long can still end within.
"""


class Busy(OverspillError):
    """The job was not begun: every slot and every place in line is taken, or the service is going away."""


class NotServed(OverspillError):
    """The job was not begun: this service does not serve its operation."""


class OutOfReach(BadInput):
    """The job was not begun: its picture lies in a store that this service was not given; a VM may have been."""


class Crashed(OverspillError):
    """The process computing the job died. It may have been the picture's doing, or the machine's."""


@dataclass(frozen=True, slots=True)
class ComputingConfig:
    """`vm` is what answers call this service; `job_timeout_s` bounds one run, seconds."""

    vm: str
    slots: int
    job_timeout_s: float
    child: ChildConfig

    @classmethod
    def of(cls, settings: Settings, cores: float, memory_bytes: int) -> "ComputingConfig":
        """The settings' part, on a machine of so many cores and so much memory."""
        slots = settings.slots or max(1, int(cores))
        child = ChildConfig.of(settings, slots, memory_bytes)
        return cls(vm=name_of(settings), slots=slots, job_timeout_s=settings.job_timeout_s, child=child)


def name_of(settings: Settings) -> str:
    """What answers call this service: the revision on Cloud Run, elsewhere `cloud-` and the machine's name."""
    if settings.k_revision:
        return settings.k_revision
    name = settings.vm_name
    return name if name.startswith("cloud") else f"cloud-{name}"


class Computing:
    """The slots of one service and the line before them. All methods belong to the event loop's thread."""

    def __init__(self, config: ComputingConfig, claims: Claims) -> None:
        self._config = config
        self._claims = claims
        self._slots = Slots(config.child, config.slots, self._wake)
        self._waiting: deque[asyncio.Future[Child]] = deque()
        self._guests = 0
        self._loading: asyncio.Task[Served] | None = None
        self._draining = False

    @property
    def vm(self) -> str:
        """What answers call this service."""
        return self._config.vm

    @property
    def slots(self) -> int:
        """Jobs it runs at a time."""
        return self._config.slots

    @property
    def served(self) -> Served | None:
        """What it serves; None while it loads or drains."""
        loading = self._loading
        loaded = loading is not None and loading.done() and not self._draining
        return loading.result() if loading is not None and loaded else None

    def load(self) -> None:
        """Begin to load the operations in every slot's process; jobs that come meanwhile wait for it."""
        self._loading = asyncio.create_task(self._load())

    async def _load(self) -> Served:
        served = await self._slots.load()
        for name, why in served.not_served.items():
            log.warning("%s is not served: %s", name, why)
        names, slots = ", ".join(served.operations) or "nothing", self._config.slots
        log.info("serving %s with %d slot%s", names, slots, "" if slots == 1 else "s")
        return served

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place in line, held from before a request's body is read until it is answered. Raises Busy."""
        if self._draining:
            raise Busy("the service is going away")
        if self._guests >= self._config.slots * (1 + WAITING_PER_SLOT):
            raise Busy(f"all {self._config.slots} slots are taken, and the line is full")
        self._guests += 1
        try:
            yield
        finally:
            self._guests -= 1

    async def run(self, job: Job, link: str | None = None) -> Kept:
        """The answer to a job; its headers tell `vm`, and of one that ran `model`, `ran_ms` and `began_ms`.

        What a second run would only repeat is an answer: bad input, time or memory that did not suffice, a failed
        operation. Raises NotServed, Busy, Crashed, OutOfReach, or BlobsDown when a claimed picture can't be had now.
        """
        give_up_s = time.monotonic() + WAIT_S
        served = await self._loaded(give_up_s)
        if job.operation not in served.operations:
            raise NotServed(served.not_served.get(job.operation, "OVERSPILL_OPERATIONS does not name it"))
        try:
            job = await self._fetched(job, link, give_up_s)
        except BadInput as error:
            if self._claims.blobs is None and error.problem.field in {"claim", "link"}:
                raise OutOfReach(error.problem) from None
            return self._told(refusal(job, error.problem))
        child = await self._slot(job, give_up_s)
        if child is None:
            return self._told(refusal(job, _expired("before a slot was free")))
        return await self._compute(child, job)

    async def _loaded(self, give_up_s: float) -> Served:
        if self._loading is None:
            raise Busy("the service has not begun to load")
        await asyncio.wait({self._loading}, timeout=give_up_s - time.monotonic())
        if not self._loading.done() or self._loading.cancelled():
            raise Busy("the service is still loading")
        return self._loading.result()

    async def _fetched(self, job: Job, link: str | None, give_up_s: float) -> Job:
        """The job with its picture. Raises BadInput, or BlobsDown, also when the store takes longer than may be."""
        try:
            async with asyncio.timeout(max(0.0, give_up_s - time.monotonic())):
                return await self._claims.fetch(job, link)
        except TimeoutError:
            raise BlobsDown(f"the picture did not come within the {WAIT_S:g} s that a job may wait") from None

    async def _slot(self, job: Job, give_up_s: float) -> Child | None:
        """A process to run the job in; None when its time ran out before one was free. Raises Busy."""
        if fault_of(job, now_ms(), MOST_ATTEMPTS) is not None:
            return None
        if not self._waiting and (child := self._slots.take()) is not None:
            return child
        place: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        left_s, waits_s = _left_s(job), max(0.0, give_up_s - time.monotonic())
        try:
            await asyncio.wait({place}, timeout=min(waits_s, left_s))
        finally:
            if not place.done():
                self._waiting.remove(place)
        if place.done():
            return place.result()
        if left_s <= waits_s:
            return None
        raise Busy(f"no slot was free within {WAIT_S:g} s")

    def _wake(self) -> None:
        """Give idle processes to those who wait."""
        while self._waiting and (child := self._slots.take()) is not None:
            self._waiting.popleft().set_result(child)

    async def _compute(self, child: Child, job: Job) -> Kept:
        began_ms, limit_s = now_ms(), min(self._config.job_timeout_s, _left_s(job))
        with metrics.service_run(job.operation) as ended:
            (outcome,) = await self._slots.compute(child, [job], self.vm, limit_s)
            self._slots.free(child)
            kept = _answer_of(job, outcome, by_deadline=limit_s < self._config.job_timeout_s)
            ended("failed" if isinstance(outcome, Failed) else "done")
        return self._told(kept, began_ms=began_ms, ran_ms=outcome.ran_ms)

    def _told(self, kept: Kept, **told: int | None) -> Kept:
        return kept._replace(headers={**kept.headers, "vm": self.vm, **told})

    def drain(self) -> None:
        """Take no more jobs, and send away those that have not begun: another instance may begin them at once."""
        self._draining = True
        if self._loading is not None:
            self._loading.cancel()
        for place in self._waiting:
            place.set_exception(Busy("the service is going away"))
        self._waiting.clear()

    async def close(self) -> None:
        """End the processes; what still runs in them has crashed."""
        self.drain()
        self._slots.stop()
        await self._slots.close()


def _answer_of(job: Job, outcome: Outcome, *, by_deadline: bool) -> Kept:
    """What to answer after a run. Raises Crashed when another run may end otherwise."""
    if not isinstance(outcome, Failed):
        return outcome.kept
    problem = outcome.problem
    if problem.type == Kind.TOO_MANY_ATTEMPTS.urn:
        raise Crashed(problem.detail)
    if problem.type == Kind.TIMED_OUT.urn and by_deadline:
        problem = _expired("while it ran")
    return refusal(job, problem)


def _expired(when: str) -> Problem:
    return Problem.of(Kind.EXPIRED, f"The job's time to live ran out {when}.")


def _left_s(job: Job) -> float:
    """Seconds left to live, without end when the job has no deadline."""
    left_ms = job.left_ms(now_ms())
    return float("inf") if left_ms is None else left_ms / 1000
