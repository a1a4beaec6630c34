"""One VM's worker: takes jobs from `vm.<name>`, has them computed in child processes, answers, then acks.

This process owns the connection and never computes, so heartbeats and acks never wait for a picture.
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from bus.errors import BadInput, Disconnected, OverspillError
from bus.messages import Answer, Job, JobEvent, event_message, unreadable
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.rabbit import Bus, Consumer, Delivery
from bus.replies import bury, send_answer
from bus.topology import EVENTS, JOBS, vm_queue
from consumers.answers import AnswerCache, Kept, identity
from consumers.compute import Child, ChildConfig, ChildDied, ChildTimedOut, Reply, Served
from telemetry.agent import WorkerReport

log = logging.getLogger(__name__)

RESTART_DELAY_S = 1.0
"""Before a child that would not start is tried again."""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What one worker needs to know. `slots` child processes run at a time; `job_timeout_s` bounds one run, seconds."""

    vm: str
    slots: int
    look_ahead: int
    max_attempts: int
    job_timeout_s: float
    answers_kept_bytes: int
    child: ChildConfig


@dataclass(slots=True, eq=False)
class _Held:
    """A job delivered and not yet settled. `followers` are repeats of it that came while it was here."""

    delivery: Delivery
    job: Job
    key: str
    followers: list["_Held"] = field(default_factory=list)
    began_s: float | None = None


class Worker:
    """Runs jobs on this VM until told to drain. All methods belong to the event loop's thread."""

    def __init__(self, bus: Bus, config: WorkerConfig) -> None:
        self._bus = bus
        self._config = config
        self.on_change: Callable[[], object] = lambda: None
        """Called when the worker's state changes, so that the agent can say so at once."""
        self._state: Literal["ready", "starting", "draining"] = "starting"
        self._served = Served((), {})
        self._waiting: deque[_Held] = deque()
        self._held: dict[str, _Held] = {}
        self._answers = AnswerCache(config.answers_kept_bytes)
        self._idle: asyncio.Queue[Child] = asyncio.Queue()
        self._children = [Child(config.child) for _ in range(config.slots)]
        self._runs: set[asyncio.Task[None]] = set()
        self._consumer: Consumer | None = None
        self._done = 0
        bus.on_disconnect = self._forget_waiting

    def report(self) -> WorkerReport:
        """How the worker is, for the next heartbeat."""
        running = [held.began_s for held in self._held.values() if held.began_s is not None]
        return WorkerReport(
            slots=self._config.slots,
            look_ahead=self._config.look_ahead,
            running=len(running),
            held=tuple(held.job.id for held in self._held.values()),
            oldest_running_s=round(time.monotonic() - min(running), 2) if running else None,
            operations=self._served.operations,
            not_served=self._served.not_served,
            worker=self._state,
            done=self._done,
        )

    async def start(self) -> None:
        """Load the operations in every slot's process, then begin to take jobs."""
        served = await asyncio.gather(*(self._start_child(child) for child in self._children))
        self._served = served[0]
        for name, why in self._served.not_served.items():
            log.warning("%s is not served: %s", name, why)
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
        for held in self._waiting:
            self._held.pop(held.key, None)
            for each in (held, *held.followers):
                self._bus.reject(each.delivery, requeue=True)
        self._waiting.clear()
        if self._runs:
            await asyncio.wait(self._runs, timeout=grace_s)
        for child in self._children:
            await asyncio.to_thread(child.close)

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
                log.error("a computing process did not start (%s); trying again", error)  # noqa: TRY400
                await asyncio.sleep(RESTART_DELAY_S * min(2**tries, 30))
            else:
                self._idle.put_nowait(child)
                return served
        raise AssertionError("unreachable")

    # -- a job comes

    def _on_job(self, delivery: Delivery) -> None:
        message = delivery.message
        try:
            job = Job.from_message(message, _now_ms())
        except BadInput as error:
            self._refuse_unread(delivery, error.problem)
            return
        job = job.model_copy(update={"attempt": job.attempt + delivery.returns})
        held = _Held(delivery, job, identity(job))
        problem = self._fault(job)
        kept = self._answers.get(held.key)
        if problem is not None:
            self._answer(held, _refusal(job, problem), problem)
        elif kept is not None:
            self._answer(held, kept)
        elif held.key in self._held:
            self._held[held.key].followers.append(held)
        else:
            self._held[held.key] = held
            self._waiting.append(held)
            self._begin()

    def _fault(self, job: Job) -> Problem | None:
        """Why a job must not run here, or None."""
        if job.left_ms(_now_ms()) == 0:
            return Problem.of(Kind.EXPIRED, "The job's time to live ran out before a slot was free.")
        if job.attempt > self._config.max_attempts:
            detail = f"{job.attempt - 1} attempts ended without an answer; the machines running it were lost."
            return Problem.of(Kind.TOO_MANY_ATTEMPTS, detail, limit=self._config.max_attempts)
        return None

    def _begin(self) -> None:
        """Give waiting jobs to idle children."""
        while self._waiting and not self._idle.empty():
            held = self._waiting.popleft()
            held.began_s = time.monotonic()
            run = asyncio.create_task(self._run(self._idle.get_nowait(), held))
            self._runs.add(run)
            run.add_done_callback(self._runs.discard)

    # -- a job runs

    async def _run(self, child: Child, held: _Held) -> None:
        job = held.job
        waited_ms = max(0, _now_ms() - (job.received_ms or _now_ms()))
        self._post(job, "running", waited_ms=waited_ms)
        timeout_s = self._config.job_timeout_s
        reply: Reply | None = None
        fault: Problem | None = None
        try:
            reply = await child.run(job.operation, job.params, job.body, timeout_s)
        except ChildTimedOut:
            fault = Problem.of(
                Kind.TIMED_OUT, f"{job.operation} took more than {timeout_s:g} s on {self._config.vm}.", limit=timeout_s
            )
        except ChildDied as error:
            fault = Problem.of(Kind.TOO_MANY_ATTEMPTS, f"On {self._config.vm}, {error}.")
        if reply is not None and reply.head["status"] == "failed":
            fault = Problem.of(Kind.OPERATION_FAILED, f"On {self._config.vm}: {reply.head['detail']}.")
        self._free(child, alive=reply is not None)
        self._finish(held, reply, fault, waited_ms)

    def _free(self, child: Child, *, alive: bool) -> None:
        if alive:
            self._idle.put_nowait(child)
            self._begin()  # before anything else: the slot shouldn't wait for the answer's confirm
        elif self._state != "draining":
            restart = asyncio.create_task(self._restart(child))
            self._runs.add(restart)
            restart.add_done_callback(self._runs.discard)

    async def _restart(self, child: Child) -> None:
        await self._start_child(child)
        self._begin()

    def _finish(self, held: _Held, reply: Reply | None, fault: Problem | None, waited_ms: int) -> None:
        if fault is not None and held.job.attempt < self._config.max_attempts:
            self._held.pop(held.key, None)
            for each in (held, *held.followers):
                self._retry(each, fault)
            return
        kept = _refusal(held.job, fault) if fault is not None else _result(held.job, reply)
        kept.headers.update(
            route="vm",
            vm=self._config.vm,
            attempt=held.job.attempt,
            waited_ms=waited_ms,
            ran_ms=reply.head.get("ran_ms") if reply is not None else None,
        )
        if fault is None:
            self._answers.keep(held.key, kept)
        self._held.pop(held.key, None)
        problem = Problem.model_validate_json(kept.body) if kept.content_type == PROBLEM_JSON else None
        for each in (held, *held.followers):
            self._answer(each, kept, problem, buried=fault is not None)

    # -- a job ends

    def _answer(self, held: _Held, kept: Kept, problem: Problem | None = None, *, buried: bool = False) -> None:
        """Answer a job, then settle it; a fault of ours goes to the dead queue too, for the operator."""
        if not self._bus.is_live(held.delivery):
            return  # the broker has given the job out again; if it came back here, it follows this run
        job = held.job
        answer = Answer.to(job, content_type=kept.content_type, body=kept.body, **kept.headers)
        if buried or (problem is not None and problem.type == Kind.TOO_MANY_ATTEMPTS.urn):
            bury(self._bus, held.delivery.message, problem.detail if problem else "")
        if not job.reply_to:
            self._settle(held, "unanswerable", reason="the job names no reply_to")
            return
        sent = send_answer(self._bus, answer.to_message(job.reply_to))
        sent.add_done_callback(partial(self._answered, held, kept, problem))

    def _answered(self, held: _Held, kept: Kept, problem: Problem | None, sent: "asyncio.Future[None]") -> None:
        error = sent.exception()
        if isinstance(error, Disconnected):
            return  # the broker delivers the job again; the answer is kept for that
        told = {name: kept.headers.get(name) for name in ("attempt", "waited_ms", "ran_ms")}
        if error is not None:
            self._settle(held, "unanswerable", reason=str(error), **told)
        elif problem is not None:
            self._settle(held, "failed", reason=problem.detail, problem=problem.slug, **told)
        else:
            self._settle(held, "done", **told)

    def _retry(self, held: _Held, fault: Problem) -> None:
        """Hand a job back to the router, this attempt counted, so that another VM may try."""
        if not self._bus.is_live(held.delivery):
            return
        log.warning("job %s, attempt %d: %s; handing it back", held.job.id, held.job.attempt, fault.detail)
        message = held.job.to_message(held.job.operation, _now_ms())
        sent = self._bus.publish(JOBS, message)
        sent.add_done_callback(partial(self._retried, held, fault))

    def _retried(self, held: _Held, fault: Problem, sent: "asyncio.Future[None]") -> None:
        error = sent.exception()
        if error is None:
            self._settle(held, "retried", reason=fault.detail, problem=fault.slug)
        elif not isinstance(error, Disconnected):
            log.warning("job %s could not be handed back (%s); the broker keeps it here", held.job.id, error)
            self._bus.reject(held.delivery, requeue=True)

    def _refuse_unread(self, delivery: Delivery, problem: Problem) -> None:
        answer = unreadable(delivery.message, problem)
        sent = bury(self._bus, delivery.message, problem.detail) if answer is None else send_answer(self._bus, answer)
        sent.add_done_callback(lambda sent: None if isinstance(sent.exception(), Disconnected) else self._ack(delivery))

    def _settle(self, held: _Held, state: Literal["done", "failed", "retried", "unanswerable"], **told: Any) -> None:
        if self._ack(held.delivery):
            self._done += 1
            self._post(held.job, state, **told)

    def _ack(self, delivery: Delivery) -> bool:
        return self._bus.ack(delivery)

    def _post(self, job: Job, state: Any, **told: Any) -> None:
        event = JobEvent(
            state=state,
            job=job.id,
            operation=job.operation,
            user=job.user,
            at_ms=_now_ms(),
            vm=self._config.vm,
            route="vm",
            traceparent=job.traceparent,
            **{"attempt": job.attempt, **told},
        )
        self._bus.post(EVENTS, event_message(event, event.key))


def _result(job: Job, reply: Reply | None) -> Kept:
    if reply is None:
        raise OverspillError(f"job {job.id} ended with neither a reply nor a fault")
    if reply.head["status"] == "bad":
        return _refusal(job, Problem.model_validate(reply.head["problem"]))
    return Kept(reply.body, reply.head["content_type"], {"model": reply.head["model"]})


def _refusal(job: Job, problem: Problem) -> Kept:
    answer = Answer.refusal(job, problem)
    return Kept(answer.body, answer.content_type, {})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
