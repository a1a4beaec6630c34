"""One VM's worker: takes jobs from `vm.<name>`, has them computed in child processes, answers, then acks.

This process owns the connection and never computes, so heartbeats and acks never wait for a picture.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from bus.clock import now_ms
from bus.control import Cancel, Drain, read_command
from bus.errors import BadInput
from bus.messages import Job
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Consumer, Delivery
from bus.topology import CONTROL, vm_queue
from consumers.answers import AnswerCache, Failed, Kept, Outcome, fault_of, identity, refusal
from consumers.attempts import not_begun, taken_back
from consumers.batching import Batching
from consumers.cancels import CANCELLED, Cancels
from consumers.claims import Claims
from consumers.compute import ChildConfig, Served
from consumers.settlement import Held, Settlement, keep, wait_for_all
from consumers.slots import Run, Slots, cancelled
from consumers.waiting import Waiting
from telemetry.agent import WorkerReport
from telemetry.logs import about

log = logging.getLogger(__name__)

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

    def __init__(self, bus: Bus, config: WorkerConfig, claims: Claims | None = None) -> None:
        """`claims` is what it does with pictures and results too large for a message; without, it refuses them."""
        self._bus = bus
        self._config = config
        self._ends = Settlement(bus, config.vm)
        self.on_change: Callable[[], object] = lambda: None
        """Called when the worker's state changes, so that the agent can say so at once."""
        self._state: Literal["ready", "starting", "draining"] = "starting"
        self._served = Served((), {})
        self._claims = claims or Claims(None, config.child.max_bytes)
        self._waiting = Waiting(self._claims, self._begin, self._refuse, partial(self._finish, waited_ms=0))
        self._held: dict[str, Held] = {}
        self._answers = AnswerCache[Kept](config.answers_kept_bytes)
        self._batching = Batching(config.batched, config.child.max_bytes, config.max_attempts)
        self._cancels = Cancels()
        self._slots = Slots(config.child, config.slots, self._begin)
        self._running: set[Run] = set()
        self._runs: set[asyncio.Task[None]] = set()
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
        self._served = await self._slots.load()
        for name, why in self._served.not_served.items():
            log.warning("%s is not served: %s", name, why)

    async def start(self) -> None:
        """Load the operations, then begin to take jobs."""
        # First: a job may be cancelled while it waits in our queue for us to load.
        keys = ("job.cancel", Drain(vm=self._config.vm).key)
        await self._bus.listen([(CONTROL, key) for key in keys], self._on_command)
        await self.load()
        self._consumer = await self._bus.consume(
            vm_queue(self._config.vm), self._on_job, prefetch=self._config.slots + self._config.look_ahead
        )
        self._become("ready")
        served, slots = ", ".join(self._served.operations) or "nothing", self._config.slots
        log.info("serving %s with %d slot%s", served, slots, "" if slots == 1 else "s")

    async def drain(self, grace_s: float) -> None:
        """Take no more jobs, give back those not begun, finish those running (up to `grace_s` seconds), and stop."""
        self._become("draining")
        if self._consumer is not None:
            await self._bus.cancel(self._consumer)
        self._slots.stop()
        if self._loading is not None:
            self._loading.cancel()
        self._give_back_waiting(f"{self._config.vm} is draining")
        await wait_for_all(self._runs, grace_s)
        await self._slots.close()
        # What outlasted the grace has lost its process now, and is handed back. An answer that leaves unconfirmed
        # would leave its job with us, and the broker would give it out again.
        await wait_for_all(self._runs, SETTLE_TIMEOUT_S)
        await self._ends.settled(SETTLE_TIMEOUT_S)

    def _give_back_waiting(self, reason: str) -> None:
        for held in self._waiting.clear():
            self._held.pop(held.key, None)
            for each in held.everyone:
                # Through the lanes, not into the queue: there the broker would count it as an attempt that failed.
                self._ends.hand_back(each, not_begun(each.job), reason)

    def _forget_waiting(self) -> None:
        """The connection is gone, and the broker gives out again what was not begun, here or on another VM."""
        for held in self._waiting.clear():
            self._held.pop(held.key, None)

    def _become(self, state: Literal["ready", "draining"]) -> None:
        self._state = state
        self.on_change()

    # -- what is asked of us

    def _on_command(self, delivery: Delivery) -> None:
        try:
            command = read_command(delivery.message.body)
        except BadInput as error:
            log.warning("an order that can't be read: %s", error)
            return
        match command:
            case Cancel():
                self._cancel(command)
            case Drain(vm=self._config.vm, resume=False):
                # The router knows, and sends nothing more; what runs goes on.
                self._give_back_waiting(f"{self._config.vm} was drained by its operator")

    def _cancel(self, cancel: Cancel) -> None:
        # Remembered even when the job is here: should its answer not get through, the broker gives it out again.
        self._cancels.remember(cancel, now_ms())
        for held in list(self._held.values()):
            if (held.job.user, held.job.id) == (cancel.user, cancel.job):
                self._leave(held)
                for each in held.everyone:
                    self._ends.answer(each, cancelled(each))

    def _leave(self, held: Held) -> None:
        """Take a job out of the line, or out of its run."""
        del self._held[held.key]
        self._waiting.remove(held)
        for run in self._running:
            run.drop(held)

    # -- a job comes

    def _on_job(self, delivery: Delivery) -> None:
        message = delivery.message
        try:
            job = Job.from_message(message, now_ms())
        except BadInput as error:
            self._ends.refuse_unread(delivery, error.problem)
            return
        job = taken_back(job, delivery.returns, self._config.vm, now_ms())
        held = Held(delivery, job, identity(job))
        with about(job):
            if self._state == "draining":
                self._ends.hand_back(held, not_begun(job), f"{self._config.vm} is draining")
            else:
                self._admit(held)

    def _admit(self, held: Held) -> None:
        job, kept = held.job, self._answers.get(held.key)
        # A repeat is answered as its first run is, even when it would come too late, or too often, to be run itself,
        # and what was asked after that run had ended is too late as well.
        if kept is not None:
            self._ends.answer(held, kept)
        elif self._cancels.cover(job, now_ms()):
            self._ends.answer(held, refusal(job, CANCELLED))
        elif held.key in self._held:
            self._held[held.key].followers.append(held)
        elif (fault := fault_of(job, now_ms(), self._config.max_attempts)) is not None:
            self._ends.answer(held, refusal(job, fault), buried=fault.type == Kind.TOO_MANY_ATTEMPTS.urn)
        else:
            self._held[held.key] = held
            self._waiting.add(held)

    def _begin(self) -> None:
        """Give waiting jobs to idle children."""
        self._refuse_expired()
        while self._waiting and (child := self._slots.take()) is not None:
            run = Run(child, self._take())
            self._running.add(run)
            keep(asyncio.create_task(self._run(run)), self._runs)

    def _refuse_expired(self) -> None:
        """Answer the jobs whose time ran out while they waited here."""
        now = now_ms()
        for held in self._waiting:
            everyone = held.everyone
            most = self._config.max_attempts
            faults = [fault for each in everyone if (fault := fault_of(each.job, now, most))]
            if len(faults) == len(everyone):
                self._waiting.remove(held)
                self._held.pop(held.key, None)
                for each, fault in zip(everyone, faults, strict=True):
                    self._ends.answer(each, refusal(each.job, fault))

    def _take(self) -> tuple[Held, ...]:
        """The jobs to run next, together, taken out of the line."""
        # The child they are for is no longer among the idle.
        places = self._batching.choose([held.to_compute for held in self._waiting], self._slots.idle + 1)
        line = tuple(self._waiting)
        batch = tuple(line[place] for place in places)
        for held in batch:
            self._waiting.remove(held)
        return batch

    # -- jobs run

    async def _run(self, run: Run) -> None:
        jobs = [held.to_compute for held in run.batch]
        waited = [max(0, now_ms() - (job.received_ms or now_ms())) for job in jobs]
        for held, waited_ms in zip(run.batch, waited, strict=True):
            self._ends.begun(held, waited_ms)
        with run.about():
            outcomes = await self._slots.compute(run.child, jobs, self._config.vm, self._config.job_timeout_s)
        run.over()
        self._running.discard(run)
        self._slots.free(run.child)  # before anything else: the slot shouldn't wait for the answer's confirm
        for held, outcome, waited_ms in zip(run.batch, outcomes, waited, strict=True):
            held.span.note("computed")
            with about(held.job):
                sendable = await self._claims.stowed(outcome, held.job.site)
                if self._held.get(held.key) is held:  # it was not cancelled, up to now
                    self._finish(held, sendable, waited_ms)

    def _refuse(self, held: Held, problem: Problem) -> None:
        """Answer a job that can't be run, and its repeats; another repeat may find that it can be."""
        self._held.pop(held.key, None)
        for each in held.everyone:
            self._ends.answer(each, refusal(each.job, problem))

    def _finish(self, held: Held, outcome: Outcome, waited_ms: int) -> None:
        self._held.pop(held.key, None)
        everyone = held.everyone
        if isinstance(outcome, Failed):
            self._tell_attempt(everyone, outcome.problem)
            if held.job.attempt < self._config.max_attempts:
                self._hand_back(held, outcome)
                return
        kept = refusal(held.job, outcome.problem) if isinstance(outcome, Failed) else outcome.kept
        told = {"attempt": held.job.attempt, "waited_ms": waited_ms, "ran_ms": outcome.ran_ms}
        headers = {**kept.headers, "route": "vm", "vm": self._config.vm, **told}
        kept = kept._replace(headers=headers, ran_for=held.job.place)
        if not isinstance(outcome, Failed):
            self._answers.keep(held.key, kept)
        for each in everyone:
            self._ends.answer(each, kept, buried=isinstance(outcome, Failed))

    def _hand_back(self, held: Held, failed: Failed) -> None:
        """Have a run that failed tried again, for its repeats as well."""
        reason, problem = failed.problem.detail, failed.problem.slug
        for each in held.everyone:  # repeats did not run: the seconds are told by the job, or its redelivery
            ran_ms = failed.ran_ms if each.job.place == held.job.place else None
            self._ends.hand_back(each, each.job, reason, problem=problem, ran_ms=ran_ms)

    def _tell_attempt(self, everyone: Iterable[Held], problem: Problem) -> None:
        """Write the attempt that has failed into each job's history."""
        for each in everyone:
            each.job = each.job.failed(at_ms=now_ms(), vm=self._config.vm, reason=problem.detail, problem=problem.slug)
