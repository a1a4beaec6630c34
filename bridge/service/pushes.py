"""A job that Pub/Sub pushes: run once however often it comes, its answer published before the push is settled."""

import asyncio
import logging
from functools import partial
from typing import Final

from bridge.envelope import Parcel, answer_parcel, read_job, returned_parcel, served_elsewhere
from bridge.service.computing import Computing, NotServed, OutOfReach
from bridge.service.publishing import Results
from bus.answers import Answer
from bus.errors import BadInput
from bus.messages import LARGEST_BODY, Job
from bus.problems import Kind, Problem
from consumers.answers import AnswerCache, Kept, problem_of, refusal
from consumers.claims import Claims
from telemetry import hops
from telemetry.traces import Span

log = logging.getLogger(__name__)

NO_STORE: Final = "the service has no way to the blob store of its picture: set OVERSPILL_BLOBS there"


class Pushes:
    """The jobs at hand and the latest answers, by ticket. All methods belong to the event loop's thread."""

    def __init__(self, computing: Computing, claims: Claims, results: Results, kept_bytes: int) -> None:
        self._computing = computing
        self._claims = claims
        self._results = results
        self._answers = AnswerCache[Kept](kept_bytes)
        self._running: dict[str, asyncio.Task[None]] = {}

    async def take(self, parcel: Parcel) -> None:
        """See that a pushed job is answered; returns when its answer is published.

        A job pushed again while it runs joins the run; afterwards it is given the same answer again. Raises BadInput
        when the parcel is no job, or what `Computing.run` and `Results.publish` raise.
        """
        if parcel.kind != "job" or not parcel.ticket:
            detail = f"attributes: kind {parcel.kind[:20]!r} with ticket {parcel.ticket[:40]!r} is no job."
            raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="attributes", remedy="Push jobs of the bridge."))
        task = self._running.get(parcel.ticket)
        if task is None:
            task = asyncio.create_task(self._answer(parcel))
            self._running[parcel.ticket] = task
            task.add_done_callback(partial(self._over, parcel.ticket))
        # Whoever pushed may have given up waiting: the others that joined, and the answer, must not suffer for it.
        await asyncio.shield(task)

    def _over(self, ticket: str, _task: "asyncio.Task[None]") -> None:
        del self._running[ticket]

    async def _answer(self, parcel: Parcel) -> None:
        try:
            job, link = read_job(parcel)
        except BadInput as error:
            job = _unread(parcel)
            await self._publish(job, refusal(job, error.problem)._replace(headers={"vm": self._computing.vm}))
            return
        if (kept := self._answers.get(job.id)) is not None:
            with hops.answer(job, system=hops.PUBSUB) as span:
                await self._answer_with(kept, span.carried_by(job), span)
            return
        with hops.run(job, self._computing.vm, hops.PUBSUB) as span:
            await self._run_and_answer(parcel, span.carried_by(job), link, span)

    async def _run_and_answer(self, parcel: Parcel, job: Job, link: str | None, span: Span) -> None:
        try:
            kept = await self._computing.run(job, link)
        except NotServed as reason:
            await self._give_back(returned_parcel(parcel, str(reason)), job, span)
            return
        except OutOfReach:
            # How this service was set up is no matter of the job's caller.
            await self._give_back(served_elsewhere(parcel, NO_STORE), job, span)
            return
        self._answers.keep(job.id, kept)
        span.note("computed")
        await self._answer_with(kept, job, span)

    async def _give_back(self, parcel: Parcel, job: Job, span: Span) -> None:
        reason = parcel.attributes.get("reason", "")
        log.warning("%s goes home: %s", job.operation, reason)
        span.fail(reason)
        await self._results.publish(parcel)

    async def _answer_with(self, kept: Kept, job: Job, span: Span) -> None:
        await self._publish(job, await self._stowed(job, kept))
        if (problem := problem_of(kept)) is not None:
            span.fail(problem.slug)

    async def _stowed(self, job: Job, kept: Kept) -> Kept:
        """The answer as it fits a parcel: a larger body lies in the blob store, and is put there once."""
        if len(kept.body) <= LARGEST_BODY:
            return kept
        stowed = await self._claims.stow(kept, LARGEST_BODY)
        stowed = stowed._replace(headers={**kept.headers, **stowed.headers})
        self._answers.keep(job.id, stowed)
        return stowed

    async def _publish(self, job: Job, kept: Kept) -> None:
        headers = {name: value for name, value in kept.headers.items() if name != "began_ms"}
        answer = Answer.to(job, content_type=kept.content_type, body=kept.body, **headers)
        await self._results.publish(answer_parcel(answer, kept.headers.get("began_ms")))
        problem = problem_of(kept)
        log.info("%s: %s after %s ms", job.operation, problem.slug if problem else "done", answer.ran_ms or 0)


def _unread(parcel: Parcel) -> Job:
    """As much of a job that can't be read as its answer needs."""
    return Job.model_construct(id=parcel.ticket, operation=parcel.attributes.get("operation", ""), body=b"")
