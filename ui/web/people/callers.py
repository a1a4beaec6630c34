"""Tells of each connection who calls: by cookie, by API token, by a trusted proxy's word, or by the page being open."""

import time
from collections.abc import Callable
from sqlite3 import Connection
from typing import Final

from starlette.requests import HTTPConnection

from bus.settings import Settings
from ui.web.jobs.database import Database
from ui.web.people import accounts, sessions, tokens
from ui.web.people.cookies import cookie_name
from ui.web.people.peers import Peer, peer_of
from ui.web.people.person import DEMO, NotLoggedIn, Person, Role, Via, is_name_of_proxy

REMEMBERED_S: Final = 1.0
"""What another process changes (`overspill user remove`) is noticed within this; what this one does, at once."""
_MOST_REMEMBERED: Final = 10_000
_PEER: Final = "overspill.peer"
_THROUGH_PROXY: Final = "Log in at the proxy before this page; whoever runs it can tell where that is."
_Find = Callable[[Connection, str, int, int], str | None]


class Callers:
    """Who calls, by `page_login`."""

    def __init__(self, settings: Settings, database: Database, clock_ms: Callable[[], int]) -> None:
        self._settings, self._database, self._clock_ms = settings, database, clock_ms
        self._remembered: dict[tuple[Via, str], tuple[float, Person]] = {}
        self._changes = 0

    async def of(self, connection: HTTPConnection) -> Person:
        """Who calls, as of now: a login may end while a connection lasts. Raises NotLoggedIn."""
        if self._settings.page_login == "open":
            return Person(DEMO, "operator", "open")
        if self._settings.page_login == "proxy":
            return self._person(self._named_by_proxy(connection), "user", "proxy")
        scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._known("token", shown.strip())
        token = self.session_token(connection)
        if not token:
            raise NotLoggedIn
        return await self._known("session", token)

    def peer(self, connection: HTTPConnection) -> Peer:
        """The other end of a connection."""
        known: Peer | None = connection.scope.get(_PEER)
        if known is None:
            client = connection.client.host if connection.client else None
            known = peer_of(client, connection.scope["scheme"], connection.headers.getlist, self._settings)
            connection.scope[_PEER] = known
        return known

    def is_secure(self, connection: HTTPConnection) -> bool:
        """Whether the caller's cookies are for https alone."""
        if self._settings.page_url:
            return self._settings.page_url.startswith("https:")
        return self.peer(connection).secure

    def session_token(self, connection: HTTPConnection) -> str | None:
        """What the caller's cookie holds."""
        return connection.cookies.get(cookie_name(secure=self.is_secure(connection)))

    def forget(self) -> None:
        """Look everybody up anew: something about sessions, tokens or accounts has changed."""
        self._changes += 1
        self._remembered.clear()

    def _named_by_proxy(self, connection: HTTPConnection) -> str:
        """The name in the proxy's header. One that came past the proxy, or twice, is nobody's."""
        names = connection.headers.getlist(self._settings.page_proxy_header)
        if not self.peer(connection).through_proxy:
            raise NotLoggedIn("This page is asked through its proxy alone.", _THROUGH_PROXY)
        # Headers are read as Latin-1; names are UTF-8.
        name = names[0].encode("latin-1").decode(errors="replace") if len(names) == 1 else ""
        if not is_name_of_proxy(name):
            raise NotLoggedIn("The proxy has not said who calls.", _THROUGH_PROXY)
        return name

    async def _known(self, via: Via, secret: str) -> Person:
        """Whom a session's or an API token belongs to."""
        until, person = self._remembered.get((via, secret), (0.0, None))
        if person is None or time.monotonic() >= until:
            changes = self._changes
            person = await self._found(via, secret)
            if changes == self._changes:
                self._remember((via, secret), person)
        return person

    async def _found(self, via: Via, secret: str) -> Person:
        find: _Find = _by_token if via == "token" else _by_session
        hold_ms = int(self._settings.page_session_s * 1000)
        by_provider = self._settings.page_login == "oidc"
        account = await self._database.run(_account, find, secret, self._clock_ms(), hold_ms)
        # Accounts of the other kind of login are kept for the day it is chosen again.
        if account is None or (account.issuer is not None) != by_provider:
            raise NotLoggedIn("The API token is not known here." if via == "token" else "The login has ended.")
        return self._person(account.name, account.role, via)

    def _person(self, name: str, role: Role, via: Via) -> Person:
        return Person(name, "operator" if name in self._settings.page_operators else role, via)

    def _remember(self, key: tuple[Via, str], person: Person) -> None:
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (time.monotonic() + REMEMBERED_S, person)


def _account(connection: Connection, find: _Find, secret: str, now_ms: int, hold_ms: int) -> accounts.Account | None:
    name = find(connection, secret, now_ms, hold_ms)
    return accounts.find(connection, name) if name else None


def _by_session(connection: Connection, secret: str, now_ms: int, hold_ms: int) -> str | None:
    digest = sessions.digest_of(secret)
    session = sessions.find(connection, digest, now_ms, hold_ms)
    if session and now_ms - session.seen_ms >= sessions.SEEN_EVERY_MS:
        sessions.seen(connection, digest, now_ms)
    return session.name if session else None


def _by_token(connection: Connection, secret: str, now_ms: int, _hold_ms: int) -> str | None:
    token = tokens.find(connection, secret)
    if token and now_ms - (token.used_ms or 0) >= tokens.USED_EVERY_MS:
        tokens.used(connection, token.id, now_ms)
    return token.name if token else None
