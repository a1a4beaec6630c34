"""The client on an event loop."""

import asyncio
import itertools
import logging
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping
from functools import partial
from typing import Any, Final, Self, Unpack

from bus.answers import Answer
from bus.blobs import Blobs
from bus.clock import now_ms
from bus.errors import AnswerTimeout, BadInput, Disconnected, JobFailed, OverspillError, Refused
from bus.messages import ANONYMOUS, Message
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Delivery
from bus.settings import MIB
from bus.topology import JOBS, Queue, Topology, shared
from producers.client.matching import Matcher
from producers.client.request import (
    Image,
    JobOptions,
    Options,
    Request,
    check_window,
    fingerprint,
    job_message,
    repeated_id,
    under,
)
from producers.client.store import Store
from telemetry import hops

log = logging.getLogger(__name__)

Outcome = Answer | OverspillError
"""How one job of a `map` ended: its answer, or (mostly JobFailed) why there is none."""

REPLIES_EXPIRE_MS: Final = 600_000
"""How long the broker keeps the reply queue of a client that is gone without a word."""
_ANSWERS_AHEAD: Final = 32
_LONGEST_DELAY_S: Final = 2.0


class JobHandle:
    """One submitted job. Let go of it, and its answer is ignored."""

    def __init__(self, job_id: str, operation: str, asked: bytes | None, store: Store) -> None:
        self.id = job_id
        self.operation = operation
        self.asked = asked
        """A fingerprint of the job, where the caller chose its id."""
        self._store = store
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._whole: Answer | None = None

    @property
    def done(self) -> bool:
        """Whether the answer is here."""
        return self._answer.done()

    async def result(self, timeout_s: float | None = None) -> Answer:
        """The answer, waiting up to `timeout_s` seconds for it (None: as long as it takes).

        Raises JobFailed when the answer is a problem, and AnswerTimeout when there is none in time: then the job is
        still under way, and `result` may be called again. Raises Disconnected when the client is closed meanwhile.

        A result too large for a message is fetched from the blob store then. Raises what `Store.whole` does when that
        can't be; it may be called again.
        """
        await asyncio.wait({self._answer}, timeout=timeout_s)
        if not self._answer.done():
            raise AnswerTimeout(
                f"No answer to {self.operation} job {self.id} within {timeout_s:g} s. "
                "Wait longer; `overspill status` tells why jobs wait."
            )
        answer = self._answer.result()
        problem = _problem_of(answer)
        if problem is not None:
            raise JobFailed(problem)
        if self._whole is None:
            self._whole = await self._store.whole(answer)
        return self._whole

    def settle(self, answer: Answer) -> None:
        """Give the job its answer."""
        if not self._answer.done():
            self._answer.set_result(answer)

    def abandon(self, error: OverspillError) -> None:
        """Tell whoever waits that no answer can come."""
        if not self._answer.done():
            self._answer.set_exception(error)
            self._answer.exception()  # nobody waiting is no fault


class AsyncClient:
    """Submits jobs and matches their answers, on the running event loop.

    A lost connection is mended behind the caller's back: jobs the broker had not confirmed are published again under
    the same id, and answers wait in the reply queue meanwhile.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str = ANONYMOUS,
        connect_timeout_s: float = 10.0,
        accept_timeout_s: float = 30.0,
        max_image_bytes: int = 16 * MIB,
        blobs: Blobs | str | None = None,
    ) -> None:
        """`url` is the broker's; `user` is whose fair share jobs count against, unless a job says otherwise.

        `connect_timeout_s` bounds the first connection, `accept_timeout_s` the broker's taking of one job, lost
        connections included. `blobs` is the system's blob store, or its URL: pictures of more than `max_image_bytes`
        go through it. Raises SetupError when `url` is no AMQP URL, or the store can't be used.
        """
        self.replies = f"replies.{uuid.uuid4().hex}"
        """The name of the reply queue."""
        # Classic and durable: it is one client's, and gone with it; a quorum queue would cost every node of a cluster.
        queue = Queue(self.replies, {"x-queue-type": "classic", "x-expires": REPLIES_EXPIRE_MS})
        all_of_it = shared()
        topology = Topology(all_of_it.exchanges, (*all_of_it.queues, queue), all_of_it.bindings)
        self._bus = Bus(url, name=f"client of {user}", topology=topology)
        self._user = user
        self._connect_timeout_s = connect_timeout_s
        self._accept_timeout_s = accept_timeout_s
        self._store = Store(Blobs(blobs) if isinstance(blobs, str) else blobs, max_image_bytes)
        self._matcher: Matcher[JobHandle] = Matcher()
        self._connected = asyncio.Event()
        self._bus.on_connect = self._connected.set
        self._bus.on_disconnect = self._connected.clear

    @property
    def duplicates(self) -> int:
        """Answers that came a second time, and were ignored."""
        return self._matcher.duplicates

    @property
    def strangers(self) -> int:
        """Answers to jobs that nobody here waits for, ignored too."""
        return self._matcher.strangers

    async def __aenter__(self) -> Self:
        """Connect. Raises SetupError when no broker answers or it won't have us."""
        self._consumer = await self._bus.consume(self.replies, self._on_answer, prefetch=_ANSWERS_AHEAD)
        await self._bus.start(self._connect_timeout_s)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Delete the reply queue and disconnect; who still waits for an answer gets Disconnected."""
        await self._bus.cancel(self._consumer)
        await self._bus.delete(self.replies)
        await self._bus.close()
        for handle in self._matcher.everyone():
            handle.abandon(Disconnected(f"The client was closed before job {handle.id} was answered."))

    # -- jobs

    async def submit(
        self,
        image: Image,
        operation: str,
        params: Mapping[str, Any] | None = None,
        **options: Unpack[JobOptions],
    ) -> JobHandle:
        """Ask for `operation` on a picture; returns once the broker has taken responsibility for the job.

        Raises BadInput for what the contract doesn't allow or a file that can't be read, BlobsDown when the blob store
        doesn't take a picture that is too large for a message, and Disconnected when the broker doesn't take the job
        within the client's `accept_timeout_s`. Submitting a job that is under way again, under the same `job_id`,
        gives the same handle.
        """
        body = await self._store.read(image)
        given: JobOptions = {"user": self._user, **options}
        job_id = given.get("job_id") or uuid.uuid4().hex
        request = Request(body, operation, params, given)
        began_ms = now_ms()
        message = job_message(request, job_id, self.replies, began_ms)
        asked = await asyncio.to_thread(fingerprint, message) if "job_id" in options else None
        message = await self._store.sendable(message, asked)
        handle = self._handle(message, job_id, asked)
        with hops.submit(message, began_ms) as span:
            await self._hand_over(under(message, span.traceparent), handle)
        return handle

    async def map(
        self,
        operation: str,
        images: Iterable[Image],
        params: Mapping[str, Any] | None = None,
        *,
        window: int = 32,
        in_order: bool = False,
        timeout_s: float | None = None,
        **options: Unpack[Options],
    ) -> AsyncGenerator[tuple[Image, Outcome], None]:
        """Run `operation` on many pictures, at most `window` of them under way or not yet taken from here.

        Yields each picture with its outcome, as they finish or `in_order`. A job that fails, or has no answer within
        `timeout_s` seconds, yields its error and stops nobody else.
        """
        outcome = partial(self.outcome, operation=operation, params=params, timeout_s=timeout_s, **options)
        check_window(window)
        waiting = iter(images)
        running: dict[asyncio.Task[Outcome], Image] = {}
        try:
            while True:
                for image in itertools.islice(waiting, window - len(running)):
                    running[asyncio.create_task(outcome(image))] = image
                if not running:
                    return
                first = [next(iter(running))] if in_order else list(running)
                done, _ = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield running.pop(task), task.result()
        finally:
            for task in running:
                task.cancel()

    async def outcome(
        self,
        image: Image,
        operation: str,
        params: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        **options: Unpack[JobOptions],
    ) -> Outcome:
        """Submit a job and wait for how it ends, up to `timeout_s` seconds; what goes wrong is returned, not raised."""
        try:
            handle = await self.submit(image, operation, params, **options)
            return await handle.result(timeout_s)
        except OverspillError as error:
            return error

    def _handle(self, message: Message, job_id: str, asked: bytes | None) -> JobHandle:
        under_way = self._matcher.waiting(job_id)
        if under_way is not None:
            if under_way.asked != asked:
                raise repeated_id(job_id)
            return under_way
        handle = JobHandle(job_id, message.routing_key, asked, self._store)
        self._matcher.expect(job_id, handle)
        return handle

    async def _hand_over(self, message: Message, handle: JobHandle) -> None:
        try:
            async with asyncio.timeout(self._accept_timeout_s):
                await self._publish(message, handle)
        except TimeoutError:
            raise Disconnected(
                f"The broker at {self._bus.address} did not take job {handle.id} within {self._accept_timeout_s:g} s: "
                f"{self._obstacle()}. Submit it again, with the same job_id if it must not run twice."
            ) from None

    async def _publish(self, message: Message, handle: JobHandle) -> None:
        """Publish until the broker has confirmed, or the answer shows that an unconfirmed publish arrived."""
        for tries in itertools.count():
            await self._connected.wait()
            if handle.done:
                return
            try:
                await self._bus.publish(JOBS, message)
            except (Disconnected, Refused) as error:
                log.info("job %s is not taken yet: %s", handle.id, error)
                await asyncio.sleep(min(0.05 * 2**tries, _LONGEST_DELAY_S))
            else:
                return

    def _obstacle(self) -> str:
        if not self._connected.is_set():
            return "the connection is lost"
        if self._bus.blocked:
            return "it is short of memory or disk"
        return "it does not confirm"

    def _on_answer(self, delivery: Delivery) -> None:
        # Acked first: what can't be read won't be readable next time.
        self._bus.ack(delivery)
        try:
            answer = Answer.from_message(delivery.message)
        except BadInput as error:
            log.warning("ignoring what is no answer: %s", error.problem.detail)
            return
        handle = self._matcher.answered(answer.job)
        if handle is not None:
            with hops.receive(answer):
                handle.settle(answer)


def _problem_of(answer: Answer) -> Problem | None:
    try:
        return answer.problem
    except BadInput:
        return Problem.of(Kind.OPERATION_FAILED, f"The problem that answers job {answer.job} can't be read.")
