"""How a bridge ends jobs: answered, handed home, or buried.

Each of these returns once the broker has confirmed it, with the event that tells of it, for the caller to settle first
and then post; or None when the connection was lost meanwhile, and the job comes again.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final, Literal

from bridge.checks import at_home
from bridge.repeats import repeated
from bus.answers import Answer, unreadable
from bus.clock import now_ms
from bus.errors import BusError, Disconnected, Refused, Unroutable
from bus.events import JobEvent
from bus.messages import Job, Message, told_id_of
from bus.problems import Problem
from bus.rabbit import Bus
from bus.replies import Wait, bury, send_answer
from bus.topology import CLOUD_KEY, JOBS_LANES
from bus.wire import cut
from telemetry.logs import about_message
from telemetry.telling import tell

log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
"""Before a lane, or the dead queue, that took no message is tried again."""
State = Literal["sent", "retried", "done", "failed", "unanswerable"]


@dataclass(slots=True)
class Tally:
    """What one bridge has counted since it started."""

    answered: int = 0
    """Jobs whose caller was there."""
    gone: int = 0
    """Those whose wasn't."""
    late: int = 0
    """Answers that came twice, or after their job had ended."""


class Endings:
    """The endings of one shift, that is of one connection."""

    def __init__(self, bus: Bus, tally: Tally) -> None:
        self._bus = bus
        self._is_over = False
        self.tally = tally

    def close(self) -> None:
        """The shift is over: what has not ended comes again, and is not to end here on the next connection as well."""
        self._is_over = True

    def _check(self) -> None:
        if self._is_over:
            raise Disconnected("the shift is over")

    async def answer(
        self, job: Job, answer: Answer, *, wait: Wait | None = None, is_kept: bool = False
    ) -> JobEvent | None:
        """Send an answer to who waits for it. A gone caller is counted, and his answer dropped.

        `wait` is called before each pause while his queue takes no more; what it raises is raised here. Should it never
        take it, the job is buried, unless it `is_kept` in the dead queue already.
        """
        problem = answer.problem
        told: dict[str, Any] = {name: getattr(answer, name) for name in ("vm", "waited_ms", "ran_ms", "cost")}
        if problem is not None:
            told |= {"problem": problem.slug, "reason": problem.detail}
        try:
            self._check()
            await send_answer(self._bus, answer.to_message(job.reply_to or ""), wait)
        except Disconnected:
            return None
        except Unroutable as error:
            self.tally.gone += 1
            return event(job, "unanswerable", **{**told, "reason": str(error)})
        except Refused as error:
            reason = f"the answer could not be delivered: {error}"
            return event(job, "unanswerable", **{**told, "reason": reason}) if is_kept else await self.bury(job, reason)
        self.tally.answered += 1
        return event(job, "done" if problem is None else "failed", **told)

    async def refuse(self, job: Job, problem: Problem, *, wait: Wait | None = None, **headers: Any) -> JobEvent | None:
        """Answer a job with a problem; `wait` as for `answer`."""
        return await self.answer(job, Answer.refusal(job, problem, attempt=job.attempt, **headers), wait=wait)

    async def again(self, job: Job, answer: Answer) -> JobEvent | None:
        """Answer a repeat as the first such job; the event tells nothing of the run, which is counted once."""
        told = await self.answer(job, repeated(answer, job))
        return None if told is None else told.model_copy(update={"waited_ms": None, "ran_ms": None})

    async def hand_home(self, job: Job, reason: str, problem: str | None = None) -> JobEvent | None:
        """Give a job back to the router, as if it had not been placed but for its history.

        One that had its attempt in the cloud has a `problem`, its slug: the attempt counts then.
        """
        log.info("job %s goes home: %s", job.id, reason)
        # By its history the router knows where it comes from, and keeps it out of the cloud for some seconds.
        told = job.failed(at_ms=now_ms(), vm=CLOUD_KEY, reason=reason, problem=problem)
        back = at_home(told) if problem is None else told
        while True:
            # To the lanes, where no client sends: what a job tells there of its attempts is believed.
            message = back.to_message(job.operation, now_ms())
            try:
                self._check()
                await self._bus.publish(JOBS_LANES, message)
            except Disconnected:
                return None
            except BusError as error:
                log.warning("job %s could not be handed home (%s); trying again", job.id, error)
                await asyncio.sleep(AGAIN_S)
            else:
                return event(job, "retried", reason=reason)

    async def bury(self, job: Job, reason: str) -> JobEvent | None:
        """Keep a job for the operator, who is the only one to learn of it."""
        kept = await self.keep(job.to_message(job.operation, now_ms()), reason)
        return event(job, "unanswerable", reason=reason) if kept else None

    async def keep(self, message: Message, reason: str) -> bool:
        """Put a message into the dead queue; False when the connection was lost."""
        with about_message(message):
            log.warning("job %s goes to the dead queue: %s", told_id_of(message), reason)
            return await self._kept(message, reason)

    async def _kept(self, message: Message, reason: str) -> bool:
        while True:
            try:
                self._check()
                await bury(self._bus, message, reason)
            except Disconnected:
                return False
            except BusError:
                await asyncio.sleep(AGAIN_S)
            else:
                return True

    async def refuse_unread(self, message: Message, problem: Problem) -> JobEvent | None:
        """Answer what can't be read as a job; one that names nowhere to answer is kept for the operator."""
        answer = unreadable(message, problem)
        told: dict[str, Any] = {"job": told_id_of(message), "operation": cut(message.routing_key), "at_ms": now_ms()}
        told |= {"reason": problem.detail, "problem": problem.slug}
        if answer is None:
            kept = await self.keep(message, problem.detail)
            return JobEvent(state="unanswerable", **told) if kept else None
        try:
            self._check()
            await send_answer(self._bus, answer)
        except Disconnected:
            return None
        except BusError as error:
            self.tally.gone += 1
            return JobEvent(state="unanswerable", **{**told, "reason": str(error)})
        return JobEvent(state="failed", **told)

    def post(self, told: JobEvent) -> None:
        """Tell a step of a job."""
        tell(self._bus, told)


def event(job: Job, state: State, **told: Any) -> JobEvent:
    """A step of a job in the cloud; `vm` is the revision that ran it, as in its answer."""
    return JobEvent(
        state=state,
        job=job.id,
        operation=job.operation,
        user=job.user,
        at_ms=now_ms(),
        route="cloud",
        attempt=job.attempt,
        placement=job.placement,
        pixels=job.pixels,
        traceparent=job.traceparent,
        **told,
    )
