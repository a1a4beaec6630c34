"""Taking in answers: kept on the disk first, then acked, so that each job ends once whatever dies in between."""

import asyncio
import contextlib
import logging
import sqlite3
from functools import partial
from typing import Final

from bus.answers import Answer
from bus.blobs import BlobsDown
from bus.errors import BadInput, OverspillError, SetupError
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.rabbit import Bus, Delivery
from bus.rabbit.consuming import Consumer
from telemetry import hops
from telemetry.logs import bound
from ui.web.jobs import moves
from ui.web.jobs.book import Book, Ending
from ui.web.jobs.files import Files
from ui.web.jobs.pictures import result_of
from ui.web.jobs.record import Result
from ui.web.jobs.replays import Replays
from ui.web.jobs.sender import Terms

log = logging.getLogger(__name__)

AHEAD: Final = 16
"""Answers in memory at a time."""
CLAIMS: Final = 2
"""Of those, results from the blob store, which may be much larger than a message."""
_FETCHES: Final = 6
_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 10.0
_LAST_S: Final = 1.0
"""How long what is being kept may take when we close."""


class Answers:
    """Consumes the page's reply queue."""

    def __init__(self, bus: Bus, book: Book, files: Files, terms: Terms, replays: Replays) -> None:
        self._bus, self._book, self._files, self._terms = bus, book, files, terms
        self._replays = replays
        self._busy: dict[str, asyncio.Task[None]] = {}
        """The latest task of each job: one at a time, in the order they came."""
        self._claims = asyncio.Semaphore(CLAIMS)
        self._consumer: Consumer | None = None

    async def start(self) -> None:
        """Consume, now or as soon as there is a connection."""
        self._consumer = await self._bus.consume(self._terms.replies, self._on_answer, prefetch=AHEAD)

    async def close(self) -> None:
        """Stop; what is not acked comes again after the next start."""
        if self._consumer is not None:
            await self._bus.cancel(self._consumer)
            self._consumer = None
        tasks = list(self._busy.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_answer(self, delivery: Delivery) -> None:
        try:
            answer = Answer.from_message(delivery.message)
        except BadInput as error:
            log.warning("ignoring what is no answer: %s", error.problem.detail)
            self._bus.ack(delivery)
            return
        before = self._busy.get(answer.job)
        with bound(job=answer.job, trace=answer.traceparent):
            task = self._busy[answer.job] = asyncio.create_task(self._take(delivery, answer, before))
            task.add_done_callback(partial(self._taken, answer.job))

    def _taken(self, job_id: str, task: "asyncio.Task[None]") -> None:
        if self._busy.get(job_id) is task:
            del self._busy[job_id]
        if not task.cancelled() and task.exception() is not None:
            log.error("the answer to job %s stays in its queue", job_id, exc_info=task.exception())

    async def _take(self, delivery: Delivery, answer: Answer, before: "asyncio.Task[None] | None") -> None:
        """Keep an answer, then ack it. One that came a second time waits until it is known what became of the first."""
        if before is not None:
            await asyncio.wait({before})
        with hops.receive(answer):
            await self._receive(delivery, answer)

    async def _receive(self, delivery: Delivery, answer: Answer) -> None:
        delay_s = _FIRST_DELAY_S
        while self._bus.is_live(delivery):  # else it comes again
            try:
                await self._keep(answer)
            except (sqlite3.Error, OSError) as error:
                log.error("the answer to job %s can't be kept: %s; trying again", answer.job, error)  # noqa: TRY400
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, _LONGEST_DELAY_S)
                continue
            except Exception:  # it would fail each time, and a few of them would hold up all others
                log.exception("job %s has no end, until its time is over", answer.job)
            self._bus.ack(delivery)
            return

    async def _keep(self, answer: Answer) -> None:
        """End the job that is answered; one that has ended, or is not there any more, is left alone."""
        await self._replays.answered(answer)
        record = self._book.under_way.get(answer.job)
        if record is None or not moves.is_answer_to(record, answer):
            log.debug("ignoring a second answer, or one to a job that was removed: %.80r", answer.job)
            return
        try:
            ended = await self._book.end({answer.job: await self._ending(answer)})
        except (sqlite3.Error, OSError):
            raise
        except Exception:
            log.exception("the answer to job %s can't be used", answer.job)
            await self._book.end({answer.job: self._surprise()})
            ended = []
        if not ended:
            # It was ended by us, perhaps while its result was fetched and written.
            await asyncio.to_thread(self._files.path("results", answer.job).unlink, missing_ok=True)

    def _surprise(self) -> Ending:
        """How an answer ends its job that only a fault of ours keeps from being used."""
        problem = Problem.of(Kind.SURPRISE, "Its answer can't be used; the log of the page tells why.")
        return partial(moves.failed, problem=problem, now_ms=self._terms.clock_ms(), kept_ms=self._terms.kept_ms)

    async def _ending(self, answer: Answer) -> Ending:
        """How the answer ends its job, the result being on the disk. Raises OSError when it can't be."""
        now, kept_ms = self._terms.clock_ms(), self._terms.kept_ms
        try:
            if answer.content_type == PROBLEM_JSON:
                problem = answer.problem or moves.unreadable(answer)
                return partial(moves.refused, answer=answer, problem=problem, now_ms=now, kept_ms=kept_ms)
            result = await self._kept(answer)
        except BadInput as fault:
            return partial(moves.refused, answer=answer, problem=fault.problem, now_ms=now, kept_ms=kept_ms)
        return partial(moves.done, answer=answer, result=result, now_ms=now, kept_ms=kept_ms)

    async def _kept(self, answer: Answer) -> Result:
        """The result, which is on the disk. Raises BadInput when it can't be had, OSError when it can't be kept."""
        async with contextlib.nullcontext() if answer.claim is None else self._claims:
            body = (await self._whole(answer)).body
            result = result_of(body, is_caption=answer.operation == "caption")
            await self._files.keep_result(answer.job, body)
        return result

    async def _whole(self, answer: Answer) -> Answer:
        """The answer with its body, from the blob store if it lies there. Raises BadInput when it can't be had."""
        for tries in range(_FETCHES):
            try:
                return await self._terms.store.whole(answer)
            except BlobsDown as error:
                log.warning("the result of job %s can't be fetched: %s", answer.job, error)
                await asyncio.sleep(min(_FIRST_DELAY_S * 2.0**tries, _LONGEST_DELAY_S))
            except SetupError as error:
                raise _not_fetched(error) from error
        raise _not_fetched(None)


def _not_fetched(error: OverspillError | None) -> BadInput:
    detail = f"Its result can't be fetched from the blob store{f': {error}' if error else ''}."
    return BadInput(Problem.of(Kind.NOT_READY, detail, remedy="Try it again; tell whoever runs these machines."))
