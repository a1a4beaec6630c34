"""From the cloud to the caller's reply queue: answered and confirmed, then the ticket acked, then the cloud told."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple

from bridge.cloud import Arrival
from bridge.envelope import CloudAnswer, Parcel, read_answer
from bridge.recalls import overdue_problem
from bridge.shift import Shift, there_s
from bridge.tasks import Tasks
from bridge.tickets import Ticket
from bridge.waiting_room import Crowded, Place, WaitingRoom
from bus.answers import Answer
from bus.attempts import HISTORY_REASON
from bus.blobs import BlobsDown
from bus.clock import now_ms
from bus.errors import BadInput
from bus.events import JobEvent
from bus.messages import Job
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.topology import CLOUD_KEY
from bus.trace_context import read
from bus.wire import cut
from telemetry import hops, logs

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Answers in hand at a time: each may be as large as a message can be. Those that wait for full queues are aside."""
LARGEST_PROBLEM: Final = 16_384
"""Bytes of a problem that are read; its words go into events as well."""
DELIVERIES: Final = "CloudPubSubDeadLetterSourceDeliveryCount"
"""The attribute in which Google tells how often it delivered what it gave up."""
_TOO_OFTEN: Final = Kind.TOO_MANY_ATTEMPTS.value.slug
MOST_RUNS: Final = 100
"""The most deliveries that the settings allow."""


class _Ended(NamedTuple):
    """A job has ended, as the broker has confirmed: what to tell, and what it says of the cloud."""

    told: JobEvent
    learn: Callable[[], object]


_Ending = Callable[[Ticket], Awaitable[_Ended | None]]


class Returns:
    """Deals with what comes out of one shift's cloud."""

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._hands = asyncio.Semaphore(AT_ONCE)
        self._waiting = WaitingRoom()
        self._in_hand = Tasks()

    async def run(self) -> None:
        """Take what comes, until cancelled or until the cloud gives no more."""
        async for arrival in self._shift.cloud.answers():
            await self._hands.acquire()
            self._in_hand.spawn(self._take(arrival))

    async def close(self, grace_s: float) -> None:
        """Wait for those in hand, `grace_s` seconds at most; what is left comes again."""
        await self._in_hand.wait(grace_s)
        await self._in_hand.cancel()

    async def _take(self, arrival: Arrival) -> None:
        is_done, place = False, Place(self._waiting, self._hands.release)
        logs.bind(ticket=arrival.parcel.ticket, trace=arrival.parcel.attributes.get("traceparent"))
        try:
            is_done = await self._deal_with(arrival, place)
        except Exception:
            # It would meet the same fault of ours again and again; its caller is answered when it is overdue.
            log.exception("an answer of the cloud could not be dealt with")
            is_done = True
        finally:
            place.leave()  # first: whatever becomes of the settlement, others are to have their turn
            (arrival.done if is_done else arrival.again)()

    async def _deal_with(self, arrival: Arrival, place: Place) -> bool:
        """Whether an arrival has done its service, and must not come again."""
        tickets, number = self._shift.tickets, arrival.parcel.ticket
        ending = self._ending(arrival, place)
        if ending is None:
            return True
        ticket = tickets.take(number)
        if ticket is None:
            return self._without_ticket(arrival)
        logs.bind(job=ticket.job.id, trace=ticket.job.traceparent)
        try:
            ended = await self._ended(ending, ticket, arrival.parcel)
        except (BlobsDown, Crowded) as error:
            level = logging.WARNING if isinstance(error, BlobsDown) else logging.INFO
            log.log(level, "the answer to job %s has to wait: %s", ticket.job.id, error)
            tickets.put_back(number)
            return False
        except Exception:
            tickets.put_back(number)  # to be answered when it is overdue
            raise
        if ended is not None:
            self._shift.end(ticket, ended.told)
            ended.learn()
        return ended is not None

    async def _ended(self, ending: _Ending, ticket: Ticket, parcel: Parcel) -> _Ended | None:
        """End a job, under a span that hangs where what came out of the cloud says that it was last."""
        with hops.answer(ticket.job, _latest(parcel, ticket)) as span:
            ended = await ending(ticket.model_copy(update={"job": span.carried_by(ticket.job)}))
            if ended is not None and ended.told.problem is not None:
                span.fail(ended.told.problem)
        return ended

    def _without_ticket(self, arrival: Arrival) -> bool:
        if self._shift.tickets.is_ending(arrival.parcel.ticket):
            return False  # its job's end may still come to nothing
        self._shift.endings.tally.late += 1
        log.info("a parcel came out of the cloud after its job had ended: %.60s", arrival.parcel.ticket)
        return True

    def _ending(self, arrival: Arrival, place: Place) -> _Ending | None:
        """How an arrival ends its job; None when it is garbage."""
        parcel = arrival.parcel
        if arrival.dead:
            return partial(self._dead, parcel, place)
        if parcel.kind == "returned":
            return partial(self._returned, parcel, place)
        if parcel.kind != "answer":
            log.warning("a parcel of the kind %.40r came out of the cloud", parcel.kind)
            return None
        try:
            return partial(self._answered, read_answer(parcel), parcel.bytes, place)
        except BadInput as error:
            log.warning("garbage came out of the cloud: %s", error.problem.detail)
            return None

    # -- an answer

    async def _answered(self, told: CloudAnswer, size: int, place: Place, ticket: Ticket) -> _Ended | None:
        cost, took_s = self._cost(told, size, ticket), there_s(ticket)
        answer, claim = await self._answer(told, ticket, cost)
        ended = await self._shift.endings.answer(ticket.job, answer, wait=place.wait)
        if ended is None:
            return None
        # Before the job counts as ended: its repeats are judged then.
        self._shift.memory.answers.keep(ticket.key, answer, time.monotonic())
        return _Ended(ended, partial(self._learn, told, ticket, cost, took_s, claim))

    async def _answer(self, told: CloudAnswer, ticket: Ticket, cost: float) -> tuple[Answer, str | None]:
        """The answer as the caller gets it, and the claim that is to be removed then."""
        job = ticket.job
        headers: dict[str, Any] = {
            "route": "cloud",
            "vm": told.vm and cut(told.vm),
            "model": told.model and cut(told.model),
            "attempt": job.attempt,
            "ran_ms": told.ran_ms,
            "waited_ms": waited_ms(told, job),
            "cost": cost,
        }
        problem = _problem(told, ticket)
        if problem is not None:
            return Answer.refusal(job, problem, **headers), told.claim
        try:
            result = await self._shift.pictures.result(told.body, told.claim, ticket.number)
        except BadInput as error:
            return Answer.refusal(job, error.problem, **headers), None
        headers |= result.headers
        return Answer.to(job, content_type=told.content_type, body=result.body, **headers), result.claim

    def _cost(self, told: CloudAnswer, size: int, ticket: Ticket) -> float:
        """US dollars that the job has cost."""
        most_s = there_s(ticket)  # whatever a service tells, it has not run for longer
        ran_s = most_s if told.ran_ms is None else min(told.ran_ms / 1000, most_s)
        return round(self._shift.gate.budget.cost(ran_s, ticket.bytes + size), 9)

    def _learn(self, told: CloudAnswer, ticket: Ticket, cost: float, took_s: float, claim: str | None) -> None:
        """`took_s` is how long the cloud took, seconds: how long the caller's queue took is no matter of it."""
        self._shift.pictures.remove(claim)
        budget = self._shift.gate.budget
        budget.corrected(ticket.cost, cost, ticket.sent_ms / 1000)
        # What came while no bridge was there tells how long that was, not how long the cloud takes. A problem may have
        # been seen at once, and says nothing of how long the operation runs.
        is_ours = self._shift.since_ms is not None and ticket.sent_ms >= self._shift.since_ms
        if is_ours and told.content_type != PROBLEM_JSON:
            budget.learnt(ticket.job.operation, took_s, None if told.ran_ms is None else told.ran_ms / 1000)
        self._shift.succeeded(ticket)

    # -- a job that comes back

    async def _returned(self, parcel: Parcel, place: Place, ticket: Ticket) -> _Ended | None:
        """A service does not serve the operation: the job goes home, and no other of its kind is sent for a while.

        Where the operation is `served` all the same, there was only no room for the job.
        """
        shift, is_served = self._shift, "served" in parcel.attributes
        if not is_served:  # before the router has the job again, and could send it straight back
            shift.gate.returned(ticket.job.operation, time.monotonic())
            shift.on_change()
        learn = partial(shift.undecided if is_served else shift.succeeded, ticket)
        try:
            job = await shift.pictures.fetch(_with_body(ticket, parcel), ticket.claim)
        except BadInput as error:
            ended = await shift.endings.refuse(ticket.job, error.problem, wait=place.wait, route="cloud")
        else:
            reason = cut(parcel.attributes.get("reason", "it is not served there"), HISTORY_REASON)
            ended = await shift.endings.hand_home(job, f"the cloud gave it back: {reason}")
        return None if ended is None else _Ended(ended, learn)

    async def _dead(self, parcel: Parcel, place: Place, ticket: Ticket) -> _Ended | None:
        """The cloud gave a job up.

        It goes home if it is not known whether a service ever began it: the VMs may be well. Its attempt counts, so one
        that breaks whoever runs it comes to its end at home.
        """
        endings, problem, job = self._shift.endings, _given_up(parcel), _with_body(ticket, parcel)
        is_whole = True
        try:
            job = await self._shift.pictures.fetch(job, ticket.claim)
        except BadInput as error:
            log.warning("job %s has lost its picture: %s", job.id, error)
            is_whole = False
        if is_whole and may_go_home(parcel, job):
            ended = await endings.hand_home(job, problem.detail, problem.slug)
        else:
            cost = self._shift.cost_in_vain(ticket, _runs(parcel))
            ended = await self._buried(job, problem, place, cost)
        return None if ended is None else _Ended(ended, partial(self._learn_dead, parcel, ticket))

    async def _buried(self, job: Job, problem: Problem, place: Place, cost: float) -> JobEvent | None:
        """The operator gets a job with its picture and history, and then its caller an answer."""
        endings = self._shift.endings
        dead = job.failed(at_ms=now_ms(), reason=problem.detail, problem=problem.slug)
        if not await endings.keep(dead.to_message(job.operation, now_ms()), problem.detail):
            return None
        answer = Answer.refusal(job, problem, attempt=job.attempt, route="cloud", cost=cost)
        return await endings.answer(job, answer, wait=place.wait_or_stay, is_kept=True)

    def _learn_dead(self, parcel: Parcel, ticket: Ticket) -> None:
        self._shift.ran_in_vain(ticket, _runs(parcel))
        self._shift.failed("a job was given up after too many deliveries", ticket)


def _latest(parcel: Parcel, ticket: Ticket) -> str | None:
    """The span of the run, as the cloud tells it; of another trace than the job's it can't be."""
    said, ours = parcel.attributes.get("traceparent"), ticket.job.traceparent
    run, sent = read(said), read(ours)
    return said if run is not None and sent is not None and run.id == sent.id else ours


def waited_ms(told: CloudAnswer, job: Job) -> int | None:
    """From the router taking the job up to the start of its run, by two machines' clocks."""
    known = told.began_ms is not None and job.received_ms is not None
    return max(0, told.began_ms - job.received_ms) if known else None  # type: ignore[operator]


def _problem(told: CloudAnswer, ticket: Ticket) -> Problem | None:
    """The problem that an answer tells, without the name that the job has outside."""
    if told.content_type != PROBLEM_JSON:
        return None
    try:
        if len(told.body) > LARGEST_PROBLEM:
            raise ValueError("no problem is as long")  # noqa: TRY301 (told as one that can't be read)
        problem = Problem.model_validate_json(told.body).model_copy(update={"instance": None})
    except ValueError:
        return Problem.of(Kind.OPERATION_FAILED, "The cloud's error answer can't be read.")
    # The service was told the cloud's time as the job's own: it has run out, and not what its caller gave it.
    return overdue_problem(ticket, now_ms()) if _is_overdue(problem, ticket) else problem


def _is_overdue(problem: Problem, ticket: Ticket) -> bool:
    return problem.slug == Kind.EXPIRED.value.slug and not ticket.hurries


def may_go_home(parcel: Parcel, job: Job) -> bool:
    """Whether a job that the cloud gave up is to be tried at home: once, and unless the cloud saw what it broke."""
    was_home = any(told.vm == CLOUD_KEY and told.problem == _TOO_OFTEN for told in job.history)
    return "reason" not in parcel.attributes and not was_home


def _runs(parcel: Parcel) -> int:
    """How often a job that was given up may have run."""
    deliveries = parcel.attributes.get(DELIVERIES, "")
    # Untold, the time that it was there is all that is known.
    return int(deliveries) if deliveries.isascii() and deliveries.isdigit() and len(deliveries) < 4 else MOST_RUNS


def _given_up(parcel: Parcel) -> Problem:
    why = "The cloud gave the job up: no service answered it, however often it was tried"
    broke = cut(parcel.attributes.get("reason", ""), HISTORY_REASON)
    return Problem.of(Kind.TOO_MANY_ATTEMPTS, f"{why}; the last time {broke}" if broke else f"{why}.")


def _with_body(ticket: Ticket, parcel: Parcel) -> Job:
    return ticket.job.model_copy(update={"body": parcel.body})
