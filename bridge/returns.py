"""From the cloud to the caller's reply queue: answered and confirmed, then the ticket acked, then the cloud told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from bridge.cloud import Arrival
from bridge.endings import now_ms
from bridge.envelope import CloudAnswer, Parcel, read_answer
from bridge.pictures import Result
from bridge.shift import Shift
from bridge.tasks import Tasks
from bridge.tickets import Ticket
from bus.blobs import BlobsDown
from bus.errors import BadInput
from bus.events import JobEvent
from bus.messages import Answer, Job
from bus.problems import PROBLEM_JSON, Kind, Problem

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Answers in hand at a time: each may be as large as a message can be."""
AGAIN_AFTER_S: Final = 1.0
"""Before an answer is let come again that can't be dealt with now: at once, it would come at once."""

_Ending = Callable[[Ticket], Awaitable[JobEvent | None]]


class Returns:
    """Deals with what comes out of one shift's cloud."""

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._room = asyncio.Semaphore(AT_ONCE)
        self._in_hand = Tasks()

    async def run(self) -> None:
        """Take what comes, until cancelled or until the cloud gives no more."""
        async for arrival in self._shift.cloud.answers():
            await self._room.acquire()
            self._in_hand.spawn(self._take(arrival))

    async def close(self, grace_s: float) -> None:
        """Wait for those in hand, `grace_s` seconds at most; what is left comes again."""
        await self._in_hand.wait(grace_s)
        await self._in_hand.cancel()

    async def _take(self, arrival: Arrival) -> None:
        is_done = False
        try:
            is_done = await self._deal_with(arrival)
        except Exception:
            # It would meet the same fault of ours again and again; its caller is answered when it is overdue.
            log.exception("an answer of the cloud could not be dealt with")
            is_done = True
        finally:
            (arrival.done if is_done else arrival.again)()
            self._room.release()

    async def _deal_with(self, arrival: Arrival) -> bool:
        """Whether an arrival has done its service, and must not come again."""
        tickets, number = self._shift.tickets, arrival.parcel.ticket
        ending = self._ending(arrival)
        if ending is None:
            return True
        ticket = tickets.take(number)
        if ticket is None:
            return await self._without_ticket(arrival)
        try:
            told = await ending(ticket)
        except BlobsDown as error:
            log.warning("the answer to job %s has to wait: %s", ticket.job.id, error)
            tickets.put_back(number)
            await asyncio.sleep(AGAIN_AFTER_S)
            return False
        if told is not None:
            self._shift.end(ticket, told)
        return told is not None

    async def _without_ticket(self, arrival: Arrival) -> bool:
        if self._shift.tickets.is_ending(arrival.parcel.ticket):
            await asyncio.sleep(AGAIN_AFTER_S)  # its job's end may still come to nothing
            return False
        self._shift.late += 1
        log.info("a parcel came out of the cloud after its job had ended: %.60s", arrival.parcel.ticket)
        return True

    def _ending(self, arrival: Arrival) -> _Ending | None:
        """How an arrival ends its job; None when it is garbage."""
        parcel = arrival.parcel
        if arrival.dead:
            return partial(self._dead, parcel)
        if parcel.kind == "returned":
            return partial(self._returned, parcel)
        if parcel.kind != "answer":
            log.warning("a parcel of the kind %.40r came out of the cloud", parcel.kind)
            return None
        try:
            return partial(self._answered, read_answer(parcel), parcel.bytes)
        except BadInput as error:
            log.warning("garbage came out of the cloud: %s", error.problem.detail)
            return None

    # -- an answer

    async def _answered(self, told: CloudAnswer, size: int, ticket: Ticket) -> JobEvent | None:
        cost = self._cost(told, size, ticket)
        answer, claim = await self._answer(told, ticket.job, cost)
        ended = await self._shift.endings.answer(ticket.job, answer, cost=cost)
        if ended is not None:
            self._learn(told, ticket, cost)
            self._shift.pictures.remove(claim)
        return ended

    async def _answer(self, told: CloudAnswer, job: Job, cost: float) -> tuple[Answer, str | None]:
        """The answer as the caller gets it, and the claim that is to be removed then."""
        headers: dict[str, Any] = {
            "route": "cloud",
            "vm": told.vm,
            "model": told.model,
            "attempt": job.attempt,
            "ran_ms": told.ran_ms,
            "waited_ms": waited_ms(told, job),
            "cost": cost,
        }
        try:
            result = await self._shift.pictures.result(told.claim) if told.claim else Result(told.body, {})
            problem = _problem(told)
        except BadInput as error:
            result, problem = Result(b"", {}), error.problem
        if problem is not None:
            return Answer.refusal(job, problem, **headers), result.claim
        headers |= result.headers
        return Answer.to(job, content_type=told.content_type, body=result.body, **headers), result.claim

    def _cost(self, told: CloudAnswer, size: int, ticket: Ticket) -> float:
        """US dollars that the job has cost."""
        ran_s = _there_s(ticket) if told.ran_ms is None else told.ran_ms / 1000
        return round(self._shift.gate.budget.cost(ran_s, ticket.bytes + size), 9)

    def _learn(self, told: CloudAnswer, ticket: Ticket, cost: float) -> None:
        budget = self._shift.gate.budget
        budget.corrected(ticket.cost, cost, ticket.sent_ms / 1000)
        budget.learnt(ticket.job.operation, _there_s(ticket), None if told.ran_ms is None else told.ran_ms / 1000)
        self._shift.succeeded(ticket)

    # -- a job that comes back

    async def _returned(self, parcel: Parcel, ticket: Ticket) -> JobEvent | None:
        """A service does not serve the operation: the job goes home, and no other of its kind is sent for a while."""
        endings = self._shift.endings
        try:
            job = await self._shift.pictures.fetch(_with_body(ticket, parcel), ticket.claim)
        except BadInput as error:
            return await endings.refuse(ticket.job, error.problem, route="cloud")
        reason = parcel.attributes.get("reason", "it is not served there")
        ended = await endings.hand_home(job, f"the cloud gave it back: {reason}")
        if ended is not None:
            self._shift.gate.returned(job.operation, asyncio.get_running_loop().time())
            self._shift.succeeded(ticket)
        return ended

    async def _dead(self, parcel: Parcel, ticket: Ticket) -> JobEvent | None:
        """The cloud gave a job up: its caller is answered, and the operator gets it with its picture and history."""
        problem = Problem.of(
            Kind.TOO_MANY_ATTEMPTS, "The cloud gave the job up: no service answered it, however often it was tried."
        )
        job = _with_body(ticket, parcel)
        try:
            job = await self._shift.pictures.fetch(job, ticket.claim)
        except BadInput as error:
            log.warning("job %s is buried without its picture: %s", job.id, error)
        job = job.failed(at_ms=now_ms(), reason=problem.detail, problem=problem.slug)
        if not await self._shift.endings.keep(job.to_message(job.operation, now_ms()), problem.detail):
            return None
        ended = await self._shift.endings.refuse(ticket.job, problem, route="cloud")
        if ended is not None:
            self._shift.failed("a job was given up after too many deliveries", ticket)
        return ended


def waited_ms(told: CloudAnswer, job: Job) -> int | None:
    """From the router taking the job up to the start of its run, by two machines' clocks."""
    known = told.began_ms is not None and job.received_ms is not None
    return max(0, told.began_ms - job.received_ms) if known else None  # type: ignore[operator]


def _problem(told: CloudAnswer) -> Problem | None:
    """The problem that an answer tells, without the name that the job has outside."""
    if told.content_type != PROBLEM_JSON:
        return None
    try:
        return Problem.model_validate_json(told.body).model_copy(update={"instance": None})
    except ValidationError:
        return Problem.of(Kind.OPERATION_FAILED, "The cloud's error answer can't be read.")


def _with_body(ticket: Ticket, parcel: Parcel) -> Job:
    return ticket.job.model_copy(update={"body": parcel.body})


def _there_s(ticket: Ticket) -> float:
    return max(0.0, (now_ms() - ticket.sent_ms) / 1000)
