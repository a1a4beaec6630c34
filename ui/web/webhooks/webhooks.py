"""Webhooks: what routes and pages ask for, and the tasks that send."""

import asyncio
import logging
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from bus.clock import now_ms
from bus.errors import BadInput
from bus.problems import Kind, Problem
from ui.web.jobs.database import Database
from ui.web.jobs.record import Record
from ui.web.webhooks import deliveries, hooks
from ui.web.webhooks.calling import Caller
from ui.web.webhooks.deliveries import Delivery
from ui.web.webhooks.hooks import Event, Hook
from ui.web.webhooks.reach import is_address, may_call, target_of
from ui.web.webhooks.rounds import Rounds
from ui.web.webhooks.signing import SECRET_BYTES, secret_of
from ui.web.webhooks.telling import Shown, told, trial

log = logging.getLogger(__name__)

SCHEMA: Final = hooks.SCHEMA + deliveries.SCHEMA
MOST_OF_A_USER: Final = 10
_SWEEP_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Options:
    """`private` allows addresses that are not public; `clock_ms` is the wall clock."""

    private: bool = False
    clock_ms: Callable[[], int] = now_ms


class Ends(Protocol):
    """Who tells, in the very transaction, that a job has ended: the desk."""

    def at_end(self, hook: Callable[[sqlite3.Connection, Record], None]) -> None:
        """Call `hook` from now on."""


class Webhooks:
    """All webhooks of one page."""

    def __init__(
        self,
        database: Database,
        ends: Ends,
        shown: Shown,
        options: Options = Options(),
        caller: Caller | None = None,
    ) -> None:
        """`ends` tells of jobs that end; `shown` makes of a record the job as the HTTP API shows it."""
        self._database, self._options = database, options
        self._caller = caller or Caller(private=options.private)
        self._shown = shown
        self._rounds = Rounds(database, self._caller, options.clock_ms)
        self._tasks: list[asyncio.Task[None]] = []
        self._tested: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        ends.at_end(self._job_ended)

    async def start(self) -> None:
        """Go on where the last page ended."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            asyncio.create_task(self._rounds.run()),
            asyncio.create_task(self._swept()),
        ]

    async def close(self) -> None:
        """Stop; what was under way is sent again at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._caller.close()

    async def add(self, user: str, url: str, events: Iterable[Event]) -> Hook:
        """A new webhook for how jobs end from now on. Raises BadInput."""
        _check(url, private=self._options.private)
        hook = Hook(
            id=uuid.uuid4().hex,
            user=user,
            url=url,
            events=tuple(dict.fromkeys(events)),
            secret=_new_secret(),
            old_secret=None,
            old_until_ms=0,
            created_ms=self._options.clock_ms(),
        )
        if not await self._database.run(hooks.add, hook, MOST_OF_A_USER):
            raise _refused(f"You have {MOST_OF_A_USER} webhooks, the most there may be.", "Remove one first.")
        return hook

    async def of(self, user: str) -> list[Hook]:
        """A user's webhooks, oldest first."""
        return await self._database.run(hooks.of_user, user)

    async def one(self, user: str, hook_id: str) -> Hook:
        """A user's webhook. Raises BadInput (404)."""
        return _found(await self._database.run(hooks.one, user, hook_id))

    async def remove(self, user: str, hook_id: str) -> None:
        """Forget a webhook; nothing more is sent to it. Raises BadInput (404)."""
        if not await self._database.run(hooks.remove, user, hook_id):
            _found(None)

    async def renew_secret(self, user: str, hook_id: str) -> Hook:
        """Sign with a new secret; for a day with the old one too. Raises BadInput (404)."""
        now = self._options.clock_ms()
        return _found(await self._database.run(hooks.replace_secret, user, hook_id, _new_secret(), now))

    async def deliveries(self, user: str, hook_id: str, limit: int = 50) -> list[Delivery]:
        """The latest deliveries of a webhook, newest first. Raises BadInput (404)."""
        await self.one(user, hook_id)
        return await self._database.run(deliveries.shown, hook_id, limit)

    async def test(self, user: str, hook_id: str) -> Delivery:
        """Send a test once, now, and tell what came of it. One that arrives switches the webhook on again.

        Raises BadInput: 404, or 409 while another test of theirs is under way.
        """
        hook = await self.one(user, hook_id)
        if user in self._tested:
            raise _refused("Another test is under way.", "Wait until it has ended.")
        self._tested.add(user)
        try:
            return await self._rounds.send_trial(hook, trial(hook, self._options.clock_ms(), new_delivery_id()))
        finally:
            self._tested.discard(user)

    def _job_ended(self, connection: sqlite3.Connection, record: Record) -> None:
        """Keep what is to be told, in the very transaction that ends the job: neither is kept without the other.

        On the database's thread. A fault in here must not keep the job from its end.
        """
        try:
            asked = hooks.of_user(connection, record.user)
            found = told(asked, record, self._options.clock_ms(), self._shown, new_delivery_id)
            deliveries.keep(connection, found)
        except Exception:
            log.exception("webhooks are not told of job %s", record.id)
            return
        if found and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._rounds.wake)

    async def _swept(self) -> None:
        while True:
            try:
                await self._database.run(deliveries.sweep, self._options.clock_ms())
            except sqlite3.Error:
                log.exception("old deliveries can't be removed; trying again")
            await asyncio.sleep(_SWEEP_S)


def new_delivery_id() -> str:
    """A random `webhook-id`."""
    return f"msg_{uuid.uuid4().hex}"


def _new_secret() -> str:
    return secret_of(secrets.token_bytes(SECRET_BYTES))


def _check(url: str, *, private: bool) -> None:
    """Raises BadInput for what can't be called; names are judged only when they are called."""
    try:
        host = target_of(url).host
    except ValueError as error:
        raise _bad_url(f"url: {error}.") from None
    if is_address(host) and not may_call(host, private=private):
        raise _bad_url("url: is not a public address; the operator may set OVERSPILL_PAGE_WEBHOOKS_PRIVATE.")


def _bad_url(detail: str) -> BadInput:
    remedy = "Give an address on the internet that answers POST, best over https."
    return BadInput(Problem.of(Kind.BAD_FIELD, detail, field="url", remedy=remedy))


def _refused(detail: str, remedy: str) -> BadInput:
    return BadInput(Problem.of(Kind.NOT_NOW, detail, remedy=remedy))


def _found(hook: Hook | None) -> Hook:
    if hook is None:
        raise BadInput(Problem.of(Kind.NOT_FOUND, "You have no such webhook.", remedy="Look at GET /api/v1/webhooks."))
    return hook
