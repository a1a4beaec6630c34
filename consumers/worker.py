"""One VM's worker: takes jobs from `vm.<name>`, has them computed in child processes, answers, then acks.

This process owns the connection and never computes, so heartbeats and acks never wait for a picture.
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bus.errors import BadInput
from bus.messages import Job
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Consumer, Delivery
from bus.topology import vm_queue
from consumers.answers import AnswerCache, Failed, Outcome, fault_of, identity, outcome_of, refusal
from consumers.batching import Batching
from consumers.compute import Child, ChildConfig, ChildDied, ChildTimedOut, Served
from consumers.settlement import Held, Settlement, keep, now_ms, wait_for_all
from telemetry.agent import WorkerReport

log = logging.getLogger(__name__)

RESTART_DELAY_S = 1.0
"""Before a child that would not start is tried again."""
SETTLE_TIMEOUT_S = 10.0
"""How long a worker that drains waits for the broker to confirm its last answers."""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What one worker needs to know.

    `slots` child processes run at a time; `job_timeout_s` bounds one run, seconds. Jobs of the operations `batched`
    run together when they wait together.
    """

    vm: str
    slots: int
    look_ahead: int
    max_attempts: int
    job_timeout_s: float
    answers_kept_bytes: int
    child: ChildConfig
    batched: frozenset[str] = frozenset()


class Worker:
    """Runs jobs on this VM until told to drain. All methods belong to the event loop's thread."""

    def __init__(self, bus: Bus, config: WorkerConfig) -> None:
        self._bus = bus
        self._config = config
        self._ends = Settlement(bus, config.vm)
        self.on_change: Callable[[], object] = lambda: None
        """Called when the worker's state changes, so that the agent can say so at once."""
        self._state: Literal["ready", "starting", "draining"] = "starting"
        self._served = Served((), {})
        self._waiting: deque[Held] = deque()
        self._held: dict[str, Held] = {}
        self._answers = AnswerCache(config.answers_kept_bytes)
        self._batching = Batching(config.batched, config.child.max_bytes, config.max_attempts)
        self._idle: asyncio.Queue[Child] = asyncio.Queue()
        self._children = [Child(config.child) for _ in range(config.slots)]
        self._runs: set[asyncio.Task[None]] = set()
        self._restarts: set[asyncio.Task[None]] = set()
        self._consumer: Consumer | None = None
        self._loading: asyncio.Task[None] | None = None
        bus.on_disconnect = self._forget_waiting

    def report(self) -> WorkerReport:
        """How the worker is, for the next heartbeat."""
        running = [held.began_s for held in self._held.values() if held.began_s is not None]
        return WorkerReport(
            slots=self._config.slots,
            look_ahead=self._config.look_ahead,
            running=len(running),
            held=tuple(each.job.place for held in self._held.values() for each in (held, *held.followers)),
            oldest_running_s=round(time.monotonic() - min(running), 2) if running else None,
            operations=self._served.operations,
            not_served=self._served.not_served,
            worker=self._state,
            done=self._ends.done,
        )

    def load(self) -> "asyncio.Task[None]":
        """Begin to load the operations in every slot's process; needs no broker."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        return self._loading

    async def _load(self) -> None:
        served = await asyncio.gather(*(self._start_child(child) for child in self._children))
        self._served = served[0]
        for name, why in self._served.not_served.items():
            log.warning("%s is not served: %s", name, why)

    async def start(self) -> None:
        """Load the operations, then begin to take jobs."""
        await self.load()
        self._consumer = await self._bus.consume(
            vm_queue(self._config.vm), self._on_job, prefetch=self._config.slots + self._config.look_ahead
        )
        self._become("ready")
        log.info("serving %s with %d slots", ", ".join(self._served.operations) or "nothing", self._config.slots)

    async def drain(self, grace_s: float) -> None:
        """Take no more jobs, give back those not begun, finish those running (up to `grace_s` seconds), and stop."""
        self._become("draining")
        if self._consumer is not None:
            await self._bus.cancel(self._consumer)
        for starting in (*self._restarts, *([self._loading] if self._loading else [])):
            starting.cancel()
        self._give_back_waiting()
        await wait_for_all(self._runs, grace_s)
        await asyncio.gather(*(asyncio.to_thread(child.close) for child in self._children))
        # What outlasted the grace has lost its process now, and is handed back. An answer that leaves unconfirmed
        # would leave its job with us, and the broker would give it out again.
        await wait_for_all(self._runs, SETTLE_TIMEOUT_S)
        await self._ends.settled(SETTLE_TIMEOUT_S)

    def _give_back_waiting(self) -> None:
        for held in self._waiting:
            self._held.pop(held.key, None)
            for each in (held, *held.followers):
                self._give_back(each)
        self._waiting.clear()

    def _give_back(self, held: Held) -> None:
        # Through `jobs`, not into the queue: there the broker would count it as an attempt that failed.
        unbegun = held.job.model_copy(update={"attempt": max(0, held.job.attempt - 1)})
        self._ends.hand_back(held, unbegun, f"{self._config.vm} is draining")

    def _forget_waiting(self) -> None:
        """The connection is gone, and the broker gives out again what was not begun, here or on another VM."""
        for held in self._waiting:
            self._held.pop(held.key, None)
        self._waiting.clear()

    def _become(self, state: Literal["ready", "draining"]) -> None:
        self._state = state
        self.on_change()

    async def _start_child(self, child: Child) -> Served:
        for tries in itertools.count():
            try:
                served = await child.start()
            except (ChildDied, ChildTimedOut) as error:
                log.warning("a computing process did not start (%s); trying again", error)
                await asyncio.sleep(RESTART_DELAY_S * min(2**tries, 30))
            else:
                self._idle.put_nowait(child)
                return served
        raise AssertionError("unreachable")

    # -- a job comes

    def _on_job(self, delivery: Delivery) -> None:
        message = delivery.message
        try:
            job = Job.from_message(message, now_ms())
        except BadInput as error:
            self._ends.refuse_unread(delivery, error.problem)
            return
        job = job.model_copy(update={"attempt": job.attempt + delivery.returns})
        held = Held(delivery, job, identity(job))
        if self._state == "draining":
            self._give_back(held)
            return
        kept = self._answers.get(held.key)
        # A repeat is answered as its first run is, even when it would come too late, or too often, to be run itself.
        if kept is not None:
            self._ends.answer(held, kept)
        elif held.key in self._held:
            self._held[held.key].followers.append(held)
        elif (fault := fault_of(job, now_ms(), self._config.max_attempts)) is not None:
            self._ends.answer(held, refusal(job, fault), buried=fault.type == Kind.TOO_MANY_ATTEMPTS.urn)
        else:
            self._held[held.key] = held
            self._waiting.append(held)
            self._begin()

    def _begin(self) -> None:
        """Give waiting jobs to idle children."""
        self._refuse_expired()
        while self._waiting and not self._idle.empty():
            child = self._idle.get_nowait()
            if not child.is_alive:  # it died with nothing to do: no job is to pay for that with an attempt
                self._spawn_restart(child)
                continue
            keep(asyncio.create_task(self._run(child, self._take())), self._runs)

    def _refuse_expired(self) -> None:
        """Answer the jobs whose time ran out while they waited here."""
        now = now_ms()
        for held in list(self._waiting):
            everyone = (held, *held.followers)
            most = self._config.max_attempts
            faults = [fault for each in everyone if (fault := fault_of(each.job, now, most))]
            if len(faults) == len(everyone):
                self._waiting.remove(held)
                self._held.pop(held.key, None)
                for each, fault in zip(everyone, faults, strict=True):
                    self._ends.answer(each, refusal(each.job, fault))

    def _take(self) -> list[Held]:
        """The jobs to run next, together, taken out of the line."""
        # The child they are for is no longer among the idle.
        places = self._batching.choose([held.job for held in self._waiting], self._idle.qsize() + 1)
        batch = [self._waiting[place] for place in places]
        for held in batch:
            self._waiting.remove(held)
            held.began_s = time.monotonic()
        return batch

    # -- jobs run

    async def _run(self, child: Child, batch: list[Held]) -> None:
        waited = [max(0, now_ms() - (held.job.received_ms or now_ms())) for held in batch]
        for held, waited_ms in zip(batch, waited, strict=True):
            self._ends.post(held.job, "running", waited_ms=waited_ms)
        outcomes = await self._compute(child, [held.job for held in batch])
        self._free(child)
        for held, outcome, waited_ms in zip(batch, outcomes, waited, strict=True):
            self._finish(held, outcome, waited_ms)

    async def _compute(self, child: Child, jobs: list[Job]) -> list[Outcome]:
        """What became of each job of a run. One that ends badly is an attempt of all of them."""
        vm, operation, timeout_s = self._config.vm, jobs[0].operation, self._config.job_timeout_s
        try:
            replies = await child.run(operation, jobs[0].params, [job.body for job in jobs], timeout_s)
            pairs = zip(jobs, replies, strict=True)
            return [outcome_of(job, reply.head, reply.body, self._config.child.max_bytes) for job, reply in pairs]
        except ChildTimedOut:
            detail = f"{operation} took more than {timeout_s:g} s on {vm}."
            problem = Problem.of(Kind.TIMED_OUT, detail, limit=timeout_s)
        except ChildDied as error:
            problem = Problem.of(Kind.TOO_MANY_ATTEMPTS, f"On {vm}, {error}.")
        except (KeyError, TypeError, ValueError) as error:
            child.kill()
            log.exception("the reply for job %s can't be read", jobs[0].id)
            detail = f"On {vm}, {operation} gave a reply that can't be read ({type(error).__name__})."
            problem = Problem.of(Kind.OPERATION_FAILED, detail)
        return [Failed(problem)] * len(jobs)

    def _free(self, child: Child) -> None:
        if child.is_alive:
            self._idle.put_nowait(child)
            self._begin()  # before anything else: the slot shouldn't wait for the answer's confirm
        else:
            self._spawn_restart(child)

    def _spawn_restart(self, child: Child) -> None:
        if self._state != "draining":
            keep(asyncio.create_task(self._restart(child)), self._restarts)

    async def _restart(self, child: Child) -> None:
        await self._start_child(child)
        self._begin()

    def _finish(self, held: Held, outcome: Outcome, waited_ms: int) -> None:
        self._held.pop(held.key, None)
        everyone = (held, *held.followers)
        failed = isinstance(outcome, Failed)
        if isinstance(outcome, Failed) and held.job.attempt < self._config.max_attempts:
            for each in everyone:
                self._ends.hand_back(each, each.job, outcome.problem.detail, problem=outcome.problem.slug)
            return
        kept = refusal(held.job, outcome.problem) if isinstance(outcome, Failed) else outcome.kept
        told = {"attempt": held.job.attempt, "waited_ms": waited_ms, "ran_ms": outcome.ran_ms}
        kept = kept._replace(headers={**kept.headers, "route": "vm", "vm": self._config.vm, **told})
        if not failed:
            self._answers.keep(held.key, kept)
        for each in everyone:
            self._ends.answer(each, kept, buried=failed)
