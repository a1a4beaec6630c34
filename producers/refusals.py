"""How a router ends jobs itself: answered with a problem, or moved to `dead`. Settled once that is confirmed."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from bus.answers import Answer, unreadable
from bus.clock import now_ms
from bus.errors import Disconnected, Refused
from bus.events import JobEvent
from bus.messages import Job, Message, operation_of, told_id_of
from bus.problems import Kind, Problem
from bus.rabbit import Bus
from bus.replies import bury, send_answer
from bus.trace_context import readable
from producers.commands import Bury, Refuse
from producers.tickets import Tickets
from telemetry import hops
from telemetry.logs import bound
from telemetry.traces import Span

log = logging.getLogger(__name__)

BURY_AGAIN_S = 5.0
_Publish: TypeAlias = "asyncio.Future[None]"


class Refusals:
    """Answers and burials of one router. `post` tells an event."""

    def __init__(self, bus: Bus, tickets: Tickets, post: Callable[[JobEvent], object]) -> None:
        self._bus = bus
        self._tickets = tickets
        self._post = post
        self.unconfirmed: set[asyncio.Future[None]] = set()

    def refuse(self, command: Refuse) -> None:
        """Answer a job with its problem."""
        delivery = self._tickets.get(command.ticket)
        if delivery is None:
            return
        span = hops.refuse(command.job, delivery.message, command.problem.slug)
        job_id = told_id_of(delivery.message) if command.job is None else command.job.id
        with bound(job=job_id, trace=span.traceparent):
            self._refuse(command, delivery.message, span)

    def _refuse(self, command: Refuse, message: Message, span: Span) -> None:
        job, problem = command.job and span.carried_by(command.job), command.problem
        answer = _answer(job, message, problem, span)
        if answer is None:
            span.end()
            self.bury(Bury(command.ticket, problem.detail), span.traceparent)
            return
        letter = None
        if problem.type == Kind.TOO_MANY_ATTEMPTS.urn:
            letter = bury(self._bus, job.to_message(job.operation, now_ms()) if job else message, problem.detail)
        told = _event(job, message, answer, problem)
        sent = send_answer(self._bus, answer)
        self.when_confirmed(sent, partial(self._answered, command.ticket, told, span, letter))

    def _answered(self, ticket: int, event: JobEvent, span: Span, letter: "_Publish | None", sent: "_Publish") -> None:
        error = sent.exception()
        span.end(None if error is None else str(error))
        if isinstance(error, Disconnected):
            return
        if isinstance(error, Refused) and letter is None:
            self.bury(Bury(ticket, f"the answer could not be delivered: {error}"), span.traceparent)
            return
        if error is not None:
            event = event.model_copy(update={"state": "unanswerable", "reason": str(error)})
        if letter is None:
            self._end(ticket, event)
        else:
            self.when_confirmed(letter, partial(self._kept, ticket, event))

    def _kept(self, ticket: int, event: JobEvent, letter: "_Publish") -> None:
        """The answer is done with, and the letter to the operator has ended."""
        error = letter.exception()
        if error is None or (event.state == "failed" and not isinstance(error, Disconnected)):
            # A dead queue that takes no more must not hold up all the others: this one's caller has been answered.
            self._end(ticket, event)
        else:
            self._buried(ticket, event, letter)

    def _end(self, ticket: int, event: JobEvent) -> None:
        self._tickets.settle(ticket)
        self._post(event)

    def bury(self, command: Bury, traceparent: str | None = None) -> None:
        """Move a delivery to the dead queue; `traceparent` is where its trace has come to, if no more as it came."""
        ticket, reason = command.ticket, command.reason
        delivery = self._tickets.get(ticket)
        if delivery is None:
            return
        job_id = told_id_of(delivery.message)
        trace = traceparent or readable(delivery.message.headers.get("traceparent"))
        with bound(job=job_id, trace=trace):  # the event and the line are to tell the same id, given or not
            log.warning("job %s goes to the dead queue: %s", job_id, reason)
            event = JobEvent(
                state="unanswerable",
                job=job_id,
                operation=operation_of(delivery.message),
                at_ms=now_ms(),
                reason=reason,
                traceparent=trace,
                **_user_told(delivery.message),
            )
            self.when_confirmed(bury(self._bus, delivery.message, reason), partial(self._buried, ticket, event))

    def _buried(self, ticket: int, event: JobEvent, buried: "asyncio.Future[None]") -> None:
        error = buried.exception()
        if error is None:
            self._end(ticket, event)
        elif not isinstance(error, Disconnected):
            log.error("the dead queue refused a job: %s; trying again", error)
            asyncio.get_running_loop().call_later(BURY_AGAIN_S, self._tickets.give_back, ticket)

    def when_confirmed(self, sent: "asyncio.Future[None]", then: "Callable[[asyncio.Future[None]], None]") -> None:
        """Call `then` when the broker has answered; until then the publish counts as unconfirmed."""
        sent.add_done_callback(then)
        self.unconfirmed.add(sent)
        sent.add_done_callback(self.unconfirmed.discard)


def _answer(job: Job | None, message: Message, problem: Problem, span: Span) -> Message | None:
    """The answer to a job, under the span of its refusal; None when it names nowhere to send it."""
    if job is not None and job.reply_to:
        told = {"attempt": job.attempt} if job.attempt else {}
        return Answer.refusal(job, problem, **told).to_message(job.reply_to)
    answer = unreadable(message, problem)
    if answer is None or span.traceparent is None:
        return answer
    return replace(answer, headers={**answer.headers, "traceparent": span.traceparent})


def _event(job: Job | None, message: Message, answer: Message, problem: Problem) -> JobEvent:
    known: dict[str, Any] = _user_told(message)
    if job is not None:
        known = {name: getattr(job, name) for name in ("user", "attempt", "pixels", "traceparent")}
    return JobEvent(
        state="failed",
        job=str(answer.headers["job"]),
        operation=str(answer.headers["operation"]),
        at_ms=now_ms(),
        reason=problem.detail,
        problem=problem.slug,
        **known,
    )


def _user_told(message: Message) -> dict[str, Any]:
    """Whose job it is, as far as its header tells."""
    user = message.headers.get("user")
    return {"user": user} if isinstance(user, str) and user else {}
