"""The people of the page: who calls, logins and their ends, and what one of them may ask for."""

import asyncio
import contextlib
import logging
import math
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.requests import HTTPConnection

from bus.clock import now_ms
from bus.problems import Kind, Problem
from bus.settings import Settings
from ui.web.jobs.database import Database
from ui.web.people import accounts, sessions, tokens
from ui.web.people.callers import Callers
from ui.web.people.cookies import set_cookie
from ui.web.people.limits import AtATime, Logins, Rate
from ui.web.people.login_settings import check_login
from ui.web.people.passwords import Passwords, check_strength
from ui.web.people.person import NotLoggedIn, Person, TooMany, folded, not_allowed
from ui.web.people.sessions import Session
from ui.web.people.tokens import Token

log = logging.getLogger(__name__)

SWEEP_S: Final = 600.0
_WRONG: Final = "The name or the password is wrong."
_CHANGED: Final = "The password was changed meanwhile."


class People:
    """All that routes and pages ask about people.

    Starlette's `Request` and `WebSocket` are both an `HTTPConnection`. Every refusal is a `ProblemError` that bears
    its problem: `NotLoggedIn` 401, `NotAllowed` 403, `TooMany` 429, `BadInput` 422.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock_ms: Callable[[], int] = now_ms,
        passwords: Passwords | None = None,
    ) -> None:
        self.settings = settings
        self.callers = Callers(settings, database, clock_ms)
        self._database, self._clock_ms = database, clock_ms
        self._passwords = passwords or Passwords()
        self._requests = Rate(settings.page_requests_rate)
        self._jobs = Rate(settings.page_user_rate)
        self._uploads = AtATime(settings.page_user_uploads)
        self._logins = Logins()
        self._hold_ms = int(settings.page_session_s * 1000)
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to sweep what has ended; the database is open.

        Raises SetupError when the settings of the login don't fit together.
        """
        check_login(self.settings)
        if self.settings.page_login == "accounts":
            await asyncio.to_thread(lambda: self._passwords.nobodys)
        self._sweeping = asyncio.create_task(self._keep_swept())

    async def close(self) -> None:
        """Stop."""
        if self._sweeping:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        self._passwords.close()

    async def sweep(self) -> None:
        """Remove the sessions that have ended; done now and then by itself."""
        try:
            await self._database.run(sessions.sweep, self._clock_ms(), self._hold_ms)
        except sqlite3.Error as error:
            log.warning("logins that have ended were not removed, they are not taken all the same: %s", error)

    async def of(self, connection: HTTPConnection) -> Person:
        """Who calls. Raises NotLoggedIn."""
        return await self.callers.of(connection)

    def address_of(self, connection: HTTPConnection) -> str:
        """The IP address of the caller, as seen through trusted proxies."""
        return str(self.callers.peer(connection).address)

    def url_of(self, connection: HTTPConnection) -> str:
        """The page's address as the caller sees it, as `https://pictures.example`: the start of links to us."""
        here = f"http://{self.settings.page_host}:{self.settings.page_port}"
        return self.settings.page_url or self.callers.peer(connection).origin or here

    # Logins. A cookie is the value of a `Set-Cookie` header: `response.headers.append("set-cookie", cookie)`.

    async def check_password(self, name: str, password: str, connection: HTTPConnection) -> tuple[Person, str]:
        """The account of that name and password, and the hash that is kept of it: what `log_in` is to be given.

        Raises NotLoggedIn when either is wrong, TooMany after many tries, NotAllowed where nobody logs in with one.
        """
        if self.settings.page_login != "accounts":
            raise not_allowed("Nobody logs in with a password here.")
        name, address = folded(name), self.callers.peer(connection).key
        wait_s = self._logins.begin(name[:200], address, time.monotonic())
        if wait_s:
            raise TooMany(_too_many("Too many logins were tried.", wait_s))
        account = await self._database.run(accounts.find, name)
        kept = account.password if account else None
        # Whether or not there is such an account, it takes one check of a password to say no.
        if not await self._passwords.is_right(kept, password) or account is None or kept is None:
            log.info("a login as %r from %s was wrong", name[:80], address)
            raise NotLoggedIn(_WRONG)
        self._logins.succeeded(name, address, time.monotonic())
        role = "operator" if name in self.settings.page_operators else account.role
        return Person(name, role, "session"), await self._renewed(name, kept, password)

    async def log_in(self, person: Person, connection: HTTPConnection, kept: str | None = None) -> str:
        """Begin a session, in place of the one that the caller may have had; the cookie to answer with.

        `kept` is the hash that a password was checked against. Raises NotLoggedIn when the account has another one by
        now: who changes their password must not be left with a login by the old one.
        """
        token, now = sessions.new_token(), self._clock_ms()
        agent = connection.headers.get("user-agent", "")
        session = Session(person.name, now, now, self.address_of(connection), agent)
        await self._database.run(_replace, self.callers.session_token(connection), token, session, kept)
        self.callers.forget()
        log.info("%s has logged in from %s", person.name, session.address)
        return set_cookie(token, self._hold_ms // 1000, secure=self.callers.is_secure(connection))

    async def log_out(self, connection: HTTPConnection) -> str:
        """End the caller's session, if there is one; the cookie that clears theirs."""
        token = self.callers.session_token(connection)
        if token:
            await self._database.run(sessions.end, sessions.digest_of(token))
            self.callers.forget()
        return set_cookie("", 0, secure=self.callers.is_secure(connection))

    async def log_out_everywhere(self, name: str) -> None:
        """End all sessions of an account."""
        await self._database.run(sessions.end_all, name)
        self.callers.forget()

    async def sessions_of(self, name: str) -> list[Session]:
        """The sessions of an account that hold, the latest used first."""
        return await self._database.run(sessions.of_account, name, self._clock_ms(), self._hold_ms)

    async def change_password(self, person: Person, old: str, new: str, connection: HTTPConnection) -> str:
        """Set a new password, end all sessions and begin one for the caller: its cookie.

        Raises BadInput when the new one is too weak, NotLoggedIn when the old one is wrong, TooMany after many tries,
        NotAllowed where there are no passwords or with an API token.
        """
        if self.settings.page_login != "accounts" or person.via != "session":
            raise not_allowed("Passwords are changed by those who have logged in with one.")
        check_strength(new, person.name)
        _, kept = await self.check_password(person.name, old, connection)
        changed = await self._passwords.hashed(new)
        if not await self._database.run(accounts.replace_password, person.name, kept, changed):
            raise NotLoggedIn(_CHANGED)
        self.callers.forget()
        return await self.log_in(person, connection, changed)

    async def claim(self, issuer: str, subject: str, wished: str) -> Person:
        """The account of someone whom an OpenID provider knows, made at the first time.

        `wished` is the name to be shown; another is chosen when it is taken or can't be one. Raises BadInput when the
        provider has made as many accounts as may be.
        """
        account = await self._database.run(accounts.claim, issuer, subject, wished, self._clock_ms())
        role = "operator" if account.name in self.settings.page_operators else account.role
        return Person(account.name, role, "session")

    # API tokens.

    async def add_token(self, person: Person, label: str) -> tuple[Token, str]:
        """A new API token, and the token itself, which is told this once.

        Raises BadInput for a bad label or one token too many, NotAllowed for those who can't have any.
        """
        if person.via != "session":
            raise not_allowed("API tokens are made by those who have logged in themselves.")
        token = tokens.new_token()
        kept = await self._database.run(tokens.add, token, person.name, label, self._clock_ms())
        return kept, token

    async def tokens_of(self, name: str) -> list[Token]:
        """The API tokens of an account, the newest first."""
        return await self._database.run(tokens.of_account, name)

    async def remove_token(self, person: Person, token_id: str) -> bool:
        """Revoke an API token of theirs; whether they had such a one. Raises NotAllowed for another token's bearer."""
        if person.via != "session":
            raise not_allowed("API tokens are revoked by those who have logged in themselves.")
        removed = await self._database.run(tokens.remove, token_id, person.name)
        self.callers.forget()
        return removed

    # How much.

    def count_request(self, key: Hashable, cost: int = 1) -> None:
        """Count a request of a user or address. Raises TooMany beyond `page_requests_rate` in a minute."""
        if wait_s := self._requests.take(key, time.monotonic(), cost):
            raise TooMany(_too_many("That were too many requests in a minute.", wait_s, self._requests.per_minute))

    def count_job(self, person: Person) -> None:
        """Count a job that begins. Raises TooMany beyond `page_user_rate` in a minute."""
        if wait_s := self._jobs.take(person.name, time.monotonic()):
            raise TooMany(_too_many("That were too many jobs in a minute.", wait_s, self._jobs.per_minute))

    @contextmanager
    def upload(self, person: Person) -> Iterator[None]:
        """While an upload of theirs lasts. Raises TooMany beyond `page_user_uploads` at a time."""
        if not self._uploads.enter(person.name):
            raise TooMany(_too_many("Too many uploads at a time.", 1.0, self._uploads.most))
        try:
            yield
        finally:
            self._uploads.leave(person.name)

    async def _renewed(self, name: str, kept: str, password: str) -> str:
        """The hash that is kept of a right password: one of today's parameters, now that the password is at hand."""
        if not self._passwords.is_outdated(kept):
            return kept
        renewed = await self._passwords.hashed(password)
        if await self._database.run(accounts.renew_password, name, kept, renewed):
            return renewed
        # Another login of this moment may have renewed it; else the password has changed.
        account = await self._database.run(accounts.find, name)
        if account is None or not await self._passwords.is_right(account.password, password):
            raise NotLoggedIn(_CHANGED)
        return account.password or kept

    async def _keep_swept(self) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(SWEEP_S)


def _replace(connection: sqlite3.Connection, old: str | None, token: str, session: Session, kept: str | None) -> None:
    account = accounts.find(connection, session.name) if kept else None
    if kept and (account is None or account.password != kept):
        raise NotLoggedIn(_CHANGED)
    if old:
        sessions.end(connection, sessions.digest_of(old))
    sessions.begin(connection, token, session)


def _too_many(detail: str, wait_s: float, limit: int | None = None) -> Problem:
    return Problem.of(Kind.TOO_MANY_REQUESTS, detail, limit=limit, retry_after_s=max(1.0, math.ceil(wait_s * 10) / 10))
