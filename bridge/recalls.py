"""Jobs in the cloud that are answered without it: overdue, or cancelled. Their late answers are dropped."""

from typing import Final

from bridge.shift import Shift
from bridge.tasks import Tasks
from bridge.tickets import Ticket
from bus.clock import now_ms
from bus.control import Cancel
from bus.messages import Job
from bus.problems import Kind, Problem
from consumers.cancels import CANCELLED
from telemetry import hops, logs

LEAST_S: Final = 10.0
TYPICAL: Final = 3.0
"""A job that expired is the cloud's fault if it was there this long, and so many times as long as such jobs take: or a
few callers in a hurry would shut the cloud for all."""


class Recalls:
    """Answers of one shift that do not come from the cloud."""

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._answering = Tasks()

    def overdue(self) -> None:
        """Answer the jobs whose time is over."""
        now = now_ms()
        since = now if self._shift.since_ms is None else self._shift.since_ms
        for ticket in self._shift.tickets.due(now, since):
            problem = overdue_problem(ticket, now)
            typical_s = self._shift.gate.budget.seconds.get(ticket.job.operation)
            if is_clouds_fault(ticket, now, since, typical_s):
                self._shift.failed(problem.detail, ticket)
            else:
                self._shift.undecided(ticket)
            self._answer(ticket, problem, ran_in_vain=True)

    def cancel(self, order: Cancel) -> None:
        """Answer a job that its caller, or an operator, has cancelled."""
        for ticket in self._shift.tickets.of_job(order.user, order.job):
            self._shift.undecided(ticket)
            self._answer(ticket, CANCELLED)

    async def close(self, grace_s: float) -> None:
        """Wait for the answers under way, `grace_s` seconds at most."""
        await self._answering.wait(grace_s)
        await self._answering.cancel()

    def _answer(self, ticket: Ticket, problem: Problem, *, ran_in_vain: bool = False) -> None:
        if self._shift.tickets.take(ticket.number) is not None:
            self._answering.spawn(self._end(ticket, problem, ran_in_vain=ran_in_vain))

    async def _end(self, ticket: Ticket, problem: Problem, *, ran_in_vain: bool) -> None:
        with hops.answer(ticket.job) as span, logs.about(ticket.job):
            span.fail(problem.slug)
            await self._refuse(ticket, span.carried_by(ticket.job), problem, ran_in_vain=ran_in_vain)

    async def _refuse(self, ticket: Ticket, job: Job, problem: Problem, *, ran_in_vain: bool) -> None:
        cost = self._shift.cost_in_vain(ticket) if ran_in_vain else ticket.cost
        try:
            told = await self._shift.endings.refuse(job, problem, route="cloud", cost=cost)
        except Exception:
            self._shift.tickets.put_back(ticket.number)  # it is overdue at the next tick again
            raise
        if told is not None:
            self._shift.end(ticket, told)
            if ran_in_vain:
                self._shift.ran_in_vain(ticket)


def overdue_problem(ticket: Ticket, now_ms: int) -> Problem:
    """What to tell the caller of a job whose answer has not come in time."""
    if ticket.job.left_ms(now_ms) == 0:
        return Problem.of(Kind.EXPIRED, "The job's time to live ran out while it was in the cloud.")
    seconds = (ticket.due_ms - ticket.sent_ms) / 1000
    return Problem.of(
        Kind.TIMED_OUT,
        f"The cloud did not answer within {seconds:g} seconds.",
        limit=seconds,
        remedy="Send it again; the operator may raise OVERSPILL_CLOUD_TIMEOUT_S, or look at the cloud service's log.",
    )


def is_clouds_fault(ticket: Ticket, now_ms: int, since_ms: int, typical_s: float | None) -> bool:
    """Whether a job that is overdue should have been back; such jobs typically take `typical_s` seconds.

    Before `since_ms` nobody listened to the cloud.
    """
    there_s = (now_ms - max(ticket.sent_ms, since_ms)) / 1000
    return ticket.job.left_ms(now_ms) != 0 or there_s >= max(LEAST_S, TYPICAL * (typical_s or 0.0))
