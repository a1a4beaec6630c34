"""Where jobs are handed in, looked at, called off and fetched: what routes and pages are given."""

import asyncio
import json
import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from functools import partial
from typing import Any, Final

from bus.blobs import Blobs
from bus.clock import now_ms
from bus.errors import BadInput
from bus.messages import LONGEST_EXPIRATION_MS
from bus.problems import Kind, Problem
from bus.rabbit import Bus
from bus.settings import MIB, Settings
from bus.topology import Queue, Topology
from producers.client.store import Store
from producers.letter import Letter
from telemetry import metrics
from ui.web.jobs import moves, rows
from ui.web.jobs.accepting import Accepting, Bounds, Whole
from ui.web.jobs.allowances import Allowances, Most
from ui.web.jobs.answers import Answers
from ui.web.jobs.book import Book
from ui.web.jobs.cancels import Cancels
from ui.web.jobs.database import Database
from ui.web.jobs.files import Files
from ui.web.jobs.followers import Followers, Subscription
from ui.web.jobs.incoming import Incoming
from ui.web.jobs.moves import Spans
from ui.web.jobs.previews import Previews
from ui.web.jobs.progress import Progress
from ui.web.jobs.record import Accepted, Change, Counts, Order, Record, State
from ui.web.jobs.replays import Replays
from ui.web.jobs.rows import EndHook, Wanted
from ui.web.jobs.sender import Sender, Terms
from ui.web.jobs.upkeep import Upkeep
from ui.web.storage import page_folder

_REPLIES: Final = "page."


class Desk:
    """The jobs of all users. Each user sees their own: another's job is as one that is not there.

    Refusals are `BadInput` with the problem to answer with, NOT_FOUND and NOT_NOW among them.

    Attributes:
        files: Where pictures and results lie: `files.picture_path(record)`, `files.result_path(record)`.
        previews: `await previews.path(record, "picture" | "result", "thumbnail" | "preview")`.
    """

    def __init__(self, settings: Settings, bus: Bus, database: Database, blobs: Blobs | None = None) -> None:
        """`database` is open when `start` is called, and holds `ui.web.jobs.rows.SCHEMA`; `bus` may connect later."""
        self._bus, self._database = bus, database
        self._spans = Spans(int(settings.page_job_s * 1000), int(settings.page_kept_s * 1000))
        most = Most(settings.page_user_jobs, settings.page_user_mib * MIB, settings.page_disk_mib * MIB)
        self.files = Files(page_folder(settings))
        self.previews = Previews(self.files, settings.max_pixels)
        self._store = Store(blobs, settings.max_image_bytes)
        self._allowances = Allowances(most)
        self._followers = Followers()
        self._book = Book(database, self._allowances, self._followers)
        self._accepting = Accepting(self._book, self.files, self._allowances, _bounds(settings, blobs), self._spans)
        self._cancels = Cancels(bus, self._book, self._spans.kept_ms)
        self._whole = Whole()
        self._replays = Replays(self._book, self._spans, self._whole)
        self._progress = Progress(bus, self._book, self._replays)
        self._upkeep = Upkeep(database, self._book, self.files, self._spans, self._cancels.ask)
        self._own_replies = ""
        self._ends = AsyncExitStack()

    async def start(self) -> None:
        """Take up what was left. Raises SetupError when another page uses the folder, or it can't be written."""
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> None:
        """What is begun first is ended last."""
        self.files.open()
        self._ends.callback(self.files.close)
        self._ends.push_async_callback(self.previews.close)
        await self._book.open()
        self._ends.push_async_callback(self._book.close)
        self._ends.push_async_callback(self._whole.close)
        await self._upkeep.sweep()
        self._own_replies = await self._replies()
        terms = Terms(self._own_replies, self._store, self._spans.kept_ms)
        answers = Answers(self._bus, self._book, self.files, terms, self._replays)
        # Answers that lie there already come first: what they end need not be sent again.
        await answers.start()
        self._ends.push_async_callback(answers.close)
        await self._progress.start()
        self._ends.push_async_callback(self._progress.close)
        self._begin_sending(Sender(self._bus, self._book, self.files, terms))
        metrics.watch_page(self._book.states)

    def _begin_sending(self, sender: Sender) -> None:
        self._sender = sender
        self._accepting.added = sender.add
        sender.start()
        self._cancels.start()
        upkeep = asyncio.create_task(self._upkeep.run(now_ms), name="upkeep")
        self._ends.push_async_callback(_stopped, upkeep)
        for close in (self._cancels.close, sender.close, self._accepting.close):
            self._ends.push_async_callback(close)

    async def close(self) -> None:
        """Stop; what is not done yet is done after the next start. Streams of followers end."""
        self._followers.close()
        await self._ends.aclose()

    async def _replies(self) -> str:
        """The reply queue, the same after each restart: answers wait there for us."""
        given = f"{_REPLIES}{uuid.uuid4().hex}", min(self._spans.kept_ms, LONGEST_EXPIRATION_MS)
        name, expire_ms = await self._database.run(rows.replies, *given)
        # Classic: it is this page's alone, and gone with it; a quorum queue would cost every node of a cluster.
        queue = Queue(name, {"x-queue-type": "classic", "x-expires": expire_ms})
        await self._bus.declare(Topology(queues=(queue,)))
        return name

    # -- jobs come in

    def incoming(self, user: str, key: str | None = None) -> AbstractAsyncContextManager[Incoming]:
        """A picture that is about to come: `async with desk.incoming(user) as picture: await picture.write(piece)`.

        Beginning raises BadInput when the user has too many jobs under way, or too much is kept; not where a job of
        theirs bears the idempotency `key`: then no new one begins, and the picture is only compared. `write` raises
        BadInput for what is no picture (by its first bytes), too large, or too much; leaving the context removes what
        was not accepted.
        """
        return self._accepting.incoming(user, key)

    async def accept(self, order: Order, picture: Incoming) -> Accepted:
        """Take a job: it is on the disk when this returns, and is sent in its turn.

        The type and sides of the picture are read from its own bytes. The same order under the same idempotency key is
        the same job again, and its picture is dropped. Raises BadInput: EMPTY_IMAGE, NOT_AN_IMAGE, TOO_MANY_PIXELS,
        TOO_MANY_BYTES, UNKNOWN_OPERATION, BAD_FIELD, KEY_REUSED, TOO_MANY_JOBS, TOO_MUCH_KEPT, NOT_READY.
        """
        return await self._accepting.accept(order, picture)

    async def retry(self, user: str, job_id: str) -> Record:
        """The same picture, operation and parameters as a new job. Raises BadInput NOT_FOUND, NOT_NOW or as accept."""
        return await self._accepting.again(await self._ended(user, job_id))

    # -- and are looked at

    async def get(self, user: str, job_id: str) -> Record | None:
        """One job, or None."""
        return await self._book.one(user, job_id)

    async def page_of(
        self,
        user: str,
        *,
        state: State | None = None,
        operation: str | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Record]:
        """Jobs, newest first; `before` is the `number` of the last one of the page before."""
        return await self._book.some(Wanted(user, state, operation, limit, before))

    def counts(self, user: str) -> Counts:
        """Jobs under way, and bytes kept."""
        return self._allowances.counts(user)

    async def states(self, user: str) -> dict[str, int]:
        """How many of a user's jobs are in each state that any is in."""
        return await self._database.run(rows.states, user)

    async def why(self, user: str, job_id: str) -> tuple[dict[str, Any], ...]:
        """What was told of the job on the bus, oldest first: `JobEvent` documents. Raises BadInput NOT_FOUND."""
        record = await self._own(user, job_id)
        return tuple(json.loads(document) for document in await self._book.events(record.id))

    # -- followed

    async def ended(self, user: str, job_id: str, within_s: float) -> Record:
        """The job as soon as it has ended, or as it is after `within_s` seconds. Raises BadInput NOT_FOUND."""
        with self.follow(user, job_id) as changes:
            record = await self._own(user, job_id)
            try:
                async with asyncio.timeout(within_s):
                    while not record.ended:
                        await anext(changes)
                        record = await self._own(user, job_id)
            except (TimeoutError, StopAsyncIteration):
                pass
        return record

    def follow(self, user: str, job_id: str | None = None) -> Subscription:
        """Changes from now on: `with desk.follow(user) as changes: async for change in changes`.

        Each is a `Change`, or a `Reset` where a slow reader lost some. It ends when the desk closes.
        """
        return self._followers.follow(user, job_id)

    async def changes_after(self, user: str, change_id: int, limit: int = 1000) -> Sequence[Change] | None:
        """The kept changes after that one, oldest first: of each job its latest alone.

        None when they are not known any more: look at the jobs anew. A job may change again after its end.
        """
        return await self._database.run(rows.changes_after, user, change_id, limit)

    async def last_change(self, user: str) -> int:
        """The number of the user's latest kept change, at least."""
        return await self._database.run(rows.last_change, user)

    def at_end(self, hook: EndHook) -> None:
        """Call `hook(connection, record)` in the very transaction that ends a job, on the database's thread."""
        self._book.at_end(hook)

    # -- opened anew

    def reopened(self, letter: Letter) -> AbstractAsyncContextManager[None]:
        """While a dead job is sent again: if it is this page's and has failed, it is under way from its beginning.

        It is put back when what is done inside fails. Raises sqlite3.Error when the disk does not take it. What is sent
        again elsewhere is heard of, by its event or its answer.
        """
        ours = letter.replies is not None and letter.replies == self._own_replies
        return self._replays.during(letter.user, letter.job, letter.replays + 1) if ours else nullcontext()

    # -- called off and removed

    async def cancel(self, user: str, job_id: str) -> Record:
        """Ask that a job be cancelled.

        It ends `cancelled` at once if it was not sent yet, and if it was not placed yet as soon as the broker has the
        order to cancel it; one that is placed ends by its answer.

        Raises BadInput NOT_FOUND; of an ended one NOT_NOW.
        """
        record = await self._own(user, job_id)
        if record.ended:
            raise BadInput(Problem.of(Kind.NOT_NOW, f"It is {record.state} already.", remedy="Remove it instead."))
        if record.state == "accepted" and not self._sender.is_sending(job_id):
            ending = partial(moves.cancelled, now_ms=now_ms(), kept_ms=self._spans.kept_ms)
            await self._whole.do(self._book.end({job_id: ending}))
        else:
            self._book.move(moves.cancelling(record, now_ms()))
            await self._book.write()
            self._cancels.ask(record)
        return await self._own(user, job_id)

    async def remove(self, user: str, job_id: str) -> None:
        """Remove an ended job with its pictures. Raises BadInput NOT_FOUND, NOT_NOW."""
        await self._whole.do(self._remove(await self._ended(user, job_id)))

    async def _remove(self, record: Record) -> None:
        await self.files.remove(await self._book.remove([record], now_ms()))

    async def _own(self, user: str, job_id: str) -> Record:
        record = await self._book.one(user, job_id)
        if record is None:
            raise BadInput(Problem.of(Kind.NOT_FOUND, "You have no such job."))
        return record

    async def _ended(self, user: str, job_id: str) -> Record:
        record = await self._own(user, job_id)
        if not record.ended:
            raise BadInput(Problem.of(Kind.NOT_NOW, f"It is under way: {record.state}."))
        return record


def _bounds(settings: Settings, blobs: Blobs | None) -> Bounds:
    if blobs is None:
        return Bounds(settings.max_image_bytes, settings.max_image_bytes, settings.max_pixels)
    most = max(settings.max_image_bytes, blobs.most_bytes)
    return Bounds(most, most if blobs.on_site else settings.max_image_bytes, settings.max_pixels)


async def _stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
