"""How a worker's jobs end: answered, handed back, or refused.

Each is settled only once the broker has confirmed what takes its place.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

from bus.answers import Answer, unreadable
from bus.clock import now_ms
from bus.errors import Disconnected, Refused, Unroutable
from bus.events import JobEvent
from bus.messages import Job
from bus.problems import Problem
from bus.rabbit import Bus, Delivery
from bus.replies import bury, send_answer
from bus.topology import JOBS_LANES
from consumers.answers import Kept, problem_of
from telemetry import hops, traces
from telemetry.logs import about, about_message
from telemetry.telling import tell

log = logging.getLogger(__name__)

LOST = "the connection was lost, and the job comes again"

_F = TypeVar("_F", bound="asyncio.Future[Any]")
_Publish: TypeAlias = "asyncio.Future[None]"
_End = Literal["done", "failed", "unanswerable"]
_Told = Literal["running", "done", "failed", "retried", "unanswerable"]


@dataclass(slots=True, eq=False)
class Held:
    """A job delivered and not yet settled. `followers` are repeats of it that came while it was here.

    `whole` is the job with its picture, where that had to be fetched: `job` stays as it came, to be handed on as such,
    but for its trace: from its beginning on it hangs under `span`.
    """

    delivery: Delivery
    job: Job
    key: str
    followers: list["Held"] = field(default_factory=list)
    began_s: float | None = None
    whole: Job | None = None
    span: traces.Span = traces.NOTHING

    def goes_under(self, span: traces.Span) -> None:
        """What becomes of the job from here on is told under this span."""
        self.span = span
        self.job = span.carried_by(self.job)

    @property
    def everyone(self) -> tuple["Held", ...]:
        """The job and its repeats."""
        return (self, *self.followers)

    @property
    def to_compute(self) -> Job:
        """The job with its picture."""
        return self.whole or self.job


class Settlement:
    """Ends the jobs of one VM. `done` counts those it answered."""

    def __init__(self, bus: Bus, vm: str) -> None:
        self._bus = bus
        self._vm = vm
        self._unconfirmed: set[asyncio.Future[None]] = set()
        self.done = 0

    async def settled(self, timeout_s: float) -> None:
        """Wait until the broker has confirmed all that was sent, `timeout_s` seconds at most."""
        await wait_for_all(self._unconfirmed, timeout_s)

    def begun(self, held: Held, waited_ms: int) -> None:
        """Tell that a job runs, from now on under a span of its own."""
        held.goes_under(hops.run(held.job, self._vm, hops.RABBITMQ, waited_ms))
        self.post(held.job, "running", waited_ms=waited_ms)

    def answer(self, held: Held, kept: Kept, *, buried: bool = False) -> None:
        """Answer a job, then settle it; with `buried`, for a fault of ours, the operator gets a copy."""
        if not self._bus.is_live(held.delivery):
            held.span.end(LOST)
            return  # the broker has given the job out again; if it came back here, it follows this run
        if held.span is traces.NOTHING:
            held.goes_under(hops.answer(held.job))
        with about(held.job):
            self._answer(held, kept, buried=buried)

    def _answer(self, held: Held, kept: Kept, *, buried: bool) -> None:
        job, problem = held.job, problem_of(kept)
        answer = Answer.to(job, content_type=kept.content_type, body=kept.body, **kept.headers)
        letter = self._bury(held, problem.detail) if buried and problem is not None else None
        if not job.reply_to:
            slug = problem.slug if problem is not None else None
            held.span.end("the job names no reply_to")
            told = {"reason": "the job names no reply_to", "problem": slug, **_times(job, kept)}
            self._end(held, letter, "unanswerable", told)
            return
        sent = send_answer(self._bus, answer.to_message(job.reply_to))
        self._when_confirmed(sent, partial(self._answered, held, kept, problem, letter))

    def _when_confirmed(self, sent: "asyncio.Future[None]", then: "Callable[[asyncio.Future[None]], object]") -> None:
        sent.add_done_callback(then)
        keep(sent, self._unconfirmed)

    def _answered(
        self, held: Held, kept: Kept, problem: Problem | None, letter: "_Publish | None", sent: "_Publish"
    ) -> None:
        error = sent.exception()
        held.span.end(_fault(error, problem), ran_ms=kept.headers.get("ran_ms"))
        if isinstance(error, Disconnected):
            return  # the broker delivers the job again; the answer is kept for that
        if isinstance(error, Refused) and letter is None:
            letter = self._bury(held, f"the answer could not be delivered: {error}")
        told = _times(held.job, kept)
        if error is not None:
            self._end(held, letter, "unanswerable", {"reason": str(error), **told})
        elif problem is not None:
            self._end(held, letter, "failed", {"reason": problem.detail, "problem": problem.slug, **told})
        else:
            self._end(held, letter, "done", told)

    def _bury(self, held: Held, reason: str) -> "_Publish":
        # The job as it is told here: with every attempt in its history, those that ended on this VM included.
        return bury(self._bus, held.job.to_message(held.delivery.message.routing_key, now_ms()), reason)

    def _end(self, held: Held, letter: "_Publish | None", state: _End, told: dict[str, Any]) -> None:
        """Settle a job; one that leaves a letter once that is in the dead queue."""
        if letter is None:
            self._settle(held, state, **told)
        else:
            self._when_confirmed(letter, partial(self._kept, held, state, told))

    def _kept(self, held: Held, state: _End, told: dict[str, Any], letter: "_Publish") -> None:
        error = letter.exception()
        if error is None or (state == "failed" and not isinstance(error, Disconnected)):
            # A dead queue that takes no more must not hold up this VM: the job's caller has been answered.
            self._settle(held, state, **told)
        elif not isinstance(error, Disconnected):
            self._bus.reject(held.delivery, requeue=True)  # else nobody would ever see it again

    def hand_back(
        self, held: Held, job: Job, reason: str, *, problem: str | None = None, ran_ms: int | None = None
    ) -> None:
        """Give a job back to the router, as `job` counts its attempts, so that another VM may try.

        `ran_ms` is how long its run took here, for its user to be charged; None when it did not run.
        """
        if not self._bus.is_live(held.delivery):
            held.span.end(LOST)
            return
        with about(job):
            log.warning("job %s, attempt %d: %s; handing it back", job.id, held.job.attempt, reason)
            # Straight to the lanes, where no client sends: what a job tells there of its attempts can be believed.
            sent = self._bus.publish(JOBS_LANES, job.to_message(job.operation, now_ms()))
            told = {"reason": reason, "problem": problem, "ran_ms": ran_ms}
            self._when_confirmed(sent, partial(self._handed_back, held, told))

    def _handed_back(self, held: Held, told: dict[str, Any], sent: "asyncio.Future[None]") -> None:
        error = sent.exception()
        held.span.end(told["problem"] or told["reason"])
        if error is None:
            self._settle(held, "retried", **told)
        elif not isinstance(error, Disconnected):
            log.warning("job %s could not be handed back (%s); the broker keeps it here", held.job.id, error)
            self._bus.reject(held.delivery, requeue=True)

    def refuse_unread(self, delivery: Delivery, problem: Problem) -> None:
        """Answer a message that can't be read as a job; one that names nowhere to answer is kept for the operator."""
        message = delivery.message
        answer = unreadable(message, problem)
        with about_message(message):
            sent = bury(self._bus, message, problem.detail) if answer is None else send_answer(self._bus, answer)
            self._when_confirmed(sent, partial(self._refused, delivery, answer is not None))

    def _refused(self, delivery: Delivery, answered: bool, sent: "asyncio.Future[None]") -> None:
        error = sent.exception()
        if error is None or (answered and isinstance(error, Unroutable)):
            self._bus.ack(delivery)
        elif not isinstance(error, Disconnected):
            self._bus.reject(delivery, requeue=False)  # to the router, which tries on

    def _settle(self, held: Held, state: Literal[_End, "retried"], **told: Any) -> None:
        if self._bus.ack(held.delivery):
            self.done += state != "retried"
            self.post(held.job, state, **told)

    def post(self, job: Job, state: _Told, **told: Any) -> None:
        """Tell a step of a job on `events`."""
        event = JobEvent(
            state=state,
            job=job.id,
            operation=job.operation,
            user=job.user,
            at_ms=now_ms(),
            vm=self._vm,
            route="vm",
            traceparent=job.traceparent,
            placement=job.placement,
            pixels=job.pixels,
            **{"attempt": job.attempt, **told},
        )
        tell(self._bus, event)


def _fault(error: BaseException | None, problem: Problem | None) -> str | None:
    """What a span tells of an end that is not a result, safe with its caller."""
    return str(error) if error is not None else None if problem is None else problem.slug


def _times(job: Job, kept: Kept) -> dict[str, Any]:
    """What is told of the run; nothing of a repeat, which did not run: each run is counted, and charged, once."""
    if kept.ran_for not in (None, job.place):
        return {}
    return {name: kept.headers.get(name) for name in ("waited_ms", "ran_ms")}


def keep(future: _F, where: set[_F]) -> None:
    """Hold a task or future until it is done."""
    where.add(future)
    future.add_done_callback(where.discard)


async def wait_for_all(futures: "set[_F]", timeout_s: float) -> None:
    """Wait until all are done, `timeout_s` seconds at most."""
    if futures:
        await asyncio.wait(futures, timeout=timeout_s)
