"""Sending accepted jobs: users in turn, each job again and again under its id until the broker has taken it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from bus.blobs import BlobsDown
from bus.clock import now_ms
from bus.errors import BadInput, BusError, Disconnected
from bus.messages import Message
from bus.problems import Kind, Problem
from bus.rabbit import Bus
from bus.topology import JOBS
from producers.client.request import Request, job_message, under
from producers.client.store import Store
from telemetry import hops
from telemetry.logs import bind, bound
from telemetry.traces import Span
from ui.web.jobs import moves
from ui.web.jobs.book import Book, Ending
from ui.web.jobs.files import Files
from ui.web.jobs.record import Record
from ui.web.jobs.turns import Turns

log = logging.getLogger(__name__)

MOST_BYTES: Final = 32 << 20
"""Bytes of pictures in memory."""
PATIENCE_MS: Final = 60_000
"""How long a broker or a blob store may refuse a job before the job ends with a problem."""
_LEAST: Final = MOST_BYTES // 64
"""What a job counts for, however small its picture: so many are on their way at a time."""
_LOOK_S: Final = 0.05
_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What sending and answering need to know: the reply queue, the way to the blob store, how long jobs are kept."""

    replies: str
    store: Store
    kept_ms: int
    clock_ms: Callable[[], int] = now_ms


@dataclass(frozen=True, slots=True)
class _Refusals:
    """How often a job was refused, and since when; never, but sent perhaps, where `count` is 0."""

    count: int
    since_ms: int

    @property
    def delay_s(self) -> float:
        return min(_FIRST_DELAY_S * 2.0 ** min(self.count, 16), _LONGEST_DELAY_S)


class Room:
    """So many bytes at a time; what is larger than all of it has it to itself."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._given = asyncio.Event()

    async def take(self, size: int) -> None:
        """Wait until there is room for so much, and take it."""
        while self._taken and self._taken + size > self._most:
            self._given.clear()
            await self._given.wait()
        self._taken += size

    def give(self, size: int) -> None:
        """Give it back."""
        self._taken -= size
        self._given.set()


class Sender:
    """Sends what the book holds as accepted."""

    def __init__(self, bus: Bus, book: Book, files: Files, terms: Terms) -> None:
        self._bus, self._book, self._files, self._terms = bus, book, files, terms
        self._turns = Turns()
        self._room = Room(MOST_BYTES)
        self._news = asyncio.Event()
        self._refused: dict[str, _Refusals] = {}
        self._on_their_way: dict[str, asyncio.Task[None]] = {}
        self._spans: dict[str, Span] = {}
        """Of jobs tried and not yet taken: however often that is, each has one."""
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Send what was left, and what comes."""
        for record in self._book.under_way.values():
            if record.state == "accepted":
                # The broker may have it: nobody knows how far we came.
                self._refused[record.id] = _Refusals(0, self._terms.clock_ms())
                self.add(record)
        self._loop = asyncio.create_task(self._run(), name="sender")

    async def close(self) -> None:
        """Stop; what the broker has not confirmed is sent again after the next start."""
        tasks = [*self._on_their_way.values(), *([self._loop] if self._loop else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, record: Record) -> None:
        """Send a job in its user's turn."""
        self._turns.add(record.user, record.id)
        self._news.set()

    def is_sending(self, job_id: str) -> bool:
        """Whether the broker may have the job already, though it has not said so."""
        return job_id in self._on_their_way or job_id in self._refused

    async def _run(self) -> None:
        while True:
            job_id = await self._next()
            record = self._book.under_way.get(job_id)
            if record is None:
                self._forget(job_id)  # its answer came, though the broker's word that it took the job was lost
                continue
            size = max(record.picture.bytes, _LEAST)
            await self._room.take(size)
            with bound(job=job_id, trace=record.traceparent):
                task = self._on_their_way[job_id] = asyncio.create_task(self._carry(job_id))
                task.add_done_callback(partial(self._carried, job_id, size))

    async def _next(self) -> str:
        while True:
            # Not before there is a connection: what was called off meanwhile was never sent.
            while not self._bus.connected:  # noqa: ASYNC110 (the bus tells one listener, and that is not us)
                await asyncio.sleep(_LOOK_S)
            job_id = self._turns.next()
            if job_id is not None:
                return job_id
            self._news.clear()
            await self._news.wait()

    def _carried(self, job_id: str, size: int, task: "asyncio.Task[None]") -> None:
        self._on_their_way.pop(job_id, None)
        self._room.give(size)
        if not task.cancelled() and task.exception() is not None:
            log.error("job %s could not be sent; trying again", job_id, exc_info=task.exception())
            self._again(job_id)

    async def _carry(self, job_id: str) -> None:
        """Try once to send a job that is still to be sent."""
        record = self._book.under_way.get(job_id)
        now = self._terms.clock_ms()
        if record is None or record.state != "accepted":
            self._forget(job_id)  # the broker has it, as what was heard of it since then shows
            return
        if self._book.is_ending(job_id):
            self._again(job_id)  # in case the disk does not take its end
        elif record.cancel_asked:
            await self._end(record, partial(moves.cancelled, now_ms=now, kept_ms=self._terms.kept_ms))
        elif record.deadline_ms <= now:
            await self._fail(
                record, Problem.of(Kind.EXPIRED, "It waited longer than jobs may before it could be sent.")
            )
        else:
            await self._send(record, now)

    async def _send(self, record: Record, now: int) -> None:
        try:
            message = await self._terms.store.sendable(await self._message(record, now), bytes.fromhex(record.id))
            span = self._spans.get(record.id) or hops.submit(message, record.created_ms)
            self._spans[record.id] = span
            bind(trace=span.traceparent)
            await self._bus.publish(JOBS, under(message, span.traceparent))
        except BadInput as fault:
            await self._fail(record, fault.problem)
        except FileNotFoundError:
            await self._fail(record, Problem.of(Kind.SURPRISE, "Its picture is not there any more."))
        except (BusError, BlobsDown, OSError) as error:
            await self._not_taken(record, error)
        else:
            self._taken(record.id)

    async def _message(self, record: Record, now: int) -> Message:
        body = await asyncio.to_thread(self._files.picture_path(record).read_bytes)
        return message_of(record, body, self._terms.replies, now)

    def _taken(self, job_id: str) -> None:
        self._forget(job_id)
        record = self._book.under_way.get(job_id)  # its answer may have been quicker
        if record is not None:
            self._book.move(moves.sent(record, self._terms.clock_ms()))

    async def _not_taken(self, record: Record, error: Exception) -> None:
        """A lost connection says nothing about the job; a refusal does, when it lasts."""
        now = self._terms.clock_ms()
        before = self._refused.get(record.id)
        if before is None or not before.count:  # the broker may have been away since: that is no refusal
            before = _Refusals(0, now)
        log.info("job %s is not taken yet: %s", record.id, error)
        if isinstance(error, Disconnected):
            self._refused[record.id] = _Refusals(0, now)
        elif now - before.since_ms >= PATIENCE_MS:
            detail = f"It could not be sent for {PATIENCE_MS // 1000} seconds: {error}."
            await self._fail(record, Problem.of(Kind.NOT_READY, detail, remedy="Try it again later."))
            return
        else:
            self._refused[record.id] = _Refusals(before.count + 1, before.since_ms)
        self._again(record.id)

    def _again(self, job_id: str) -> None:
        record, refusals = self._book.under_way.get(job_id), self._refused.get(job_id)
        if record is None:
            self._forget(job_id)
        else:
            delay_s = refusals.delay_s if refusals else _FIRST_DELAY_S
            asyncio.get_running_loop().call_later(delay_s, self._put_first, record.user, job_id)

    def _put_first(self, user: str, job_id: str) -> None:
        self._turns.add(user, job_id, first=True)
        self._news.set()

    async def _fail(self, record: Record, problem: Problem) -> None:
        told = problem.model_copy(update={"instance": f"urn:overspill:job:{record.id}"})
        now = self._terms.clock_ms()
        await self._end(record, partial(moves.failed, problem=told, now_ms=now, kept_ms=self._terms.kept_ms))

    def _forget(self, job_id: str, error: str | None = None) -> None:
        """A job is not to be sent any more: the broker has it, or there is an `error`."""
        self._refused.pop(job_id, None)
        if (span := self._spans.pop(job_id, None)) is not None:
            span.end(error)

    async def _end(self, record: Record, ending: Ending) -> None:
        self._forget(record.id, "it was not sent")
        await self._book.end({record.id: ending})


def message_of(record: Record, body: bytes, replies: str, now_ms: int) -> Message:
    """The message that asks for a job, with the time it has left. Raises BadInput for what the contract forbids."""
    asked = Request(
        body,
        record.operation,
        record.params,
        {
            "user": record.user,
            "site": record.site,
            "priority": record.priority,
            "expiration_s": (record.deadline_ms - now_ms) / 1000,
            **({"traceparent": record.traceparent} if record.traceparent else {}),
        },
    )
    return job_message(asked, record.id, replies, now_ms)
