"""What stands before every route: a request that isn't meant for this page, too much, or nobody's goes no further.

One plain ASGI application around all others. It holds nothing of a body, and repeats nothing of a request.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bus.errors import ProblemError
from bus.problems import Kind, Problem
from ui.web.bounds import BoundedBody, largest_body, told_length, too_large
from ui.web.origins import Asked, refusal
from ui.web.people.people import People
from ui.web.people.person import NotLoggedIn
from ui.web.refusals import refused

HEADERS: Final = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; font-src 'self' data:; connect-src 'self' ws: wss:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""On every answer, unless the route has set its own. NiceGUI's pages need both of the unsafe words for scripts."""
PUBLIC: Final = frozenset(
    {
        "/login",
        "/logout",
        "/health",
        "/ready",
        "/favicon.ico",
        "/api/v1/openapi.json",
        "/sketch",
        "/remove_bg",
        "/caption",
    }
)
"""What the guard leaves to the routes themselves: the login, and paths that say in their own words who may ask."""
_PUBLIC_BELOW: Final = ("/login/", "/static/", "/_nicegui/")
_CHEAP: Final = ("/api/", "/_nicegui", "/static/", "/health", "/ready", "/favicon.ico")
PAGE_COST: Final = 10
"""Requests that the making of a page counts as: NiceGUI builds one for each visit."""
RECHECK_S: Final = 10.0
"""How often it is asked whether whoever opened a socket is still logged in."""
_POLICY_VIOLATION: Final = 1008
_RAW: Final = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    """The ASGI application around `app`."""

    def __init__(self, app: ASGIApp, people: People, clock: Callable[[], float] = time.monotonic) -> None:
        self.app = app
        self._people, self._settings, self._clock = people, people.settings, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._serve_request(scope, receive, _Protected(send).send)
        elif scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        most = largest_body(scope["method"], scope["path"], self._settings)
        try:
            problem = self._wrong(connection) or _wrong_length(scope, most) or await self._unwelcome(connection)
        except ProblemError as error:
            problem = error.problem
        if problem is not None:
            await refused(connection, problem, self._settings)(scope, receive, send)
            return
        await self._serve_bounded(scope, receive, send, most)

    async def _serve_bounded(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        body = BoundedBody(receive, send, most, self._clock)
        try:
            await self.app(scope, body.receive, body.send)
        except Exception:
            # Of an application whose caller seems to have left, no error tells us anything.
            if body.problem is None or body.answered:
                raise
        if body.problem is not None and not body.answered:
            closing = {"connection": "close"}
            await refused(HTTPConnection(scope), body.problem, self._settings, closing)(scope, receive, send)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            problem = self._wrong(connection) or await self._unwelcome(connection)
        except ProblemError as error:
            problem = error.problem
        if problem is None:
            await self.app(scope, _Rechecked(receive, send, self._is_somebody(connection), self._clock).receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    def _wrong(self, connection: HTTPConnection) -> Problem | None:
        """Why the request isn't meant for us."""
        headers = connection.headers
        asked = Asked(
            method=connection.scope.get("method"),
            path=connection.scope["path"],
            peer=self._people.callers.peer(connection),
            host=headers.getlist("host"),
            origin=headers.getlist("origin"),
            site=headers.getlist("sec-fetch-site"),
            mode=headers.get("sec-fetch-mode"),
            destination=headers.get("sec-fetch-dest"),
            accept=headers.get("accept", ""),
        )
        return refusal(asked, self._settings)

    async def _unwelcome(self, connection: HTTPConnection) -> Problem | None:
        """Why whoever calls may not go on. Raises TooMany."""
        path = connection.scope["path"]
        stranger = None
        try:
            person = await self._people.of(connection)
            key = ("person", person.name)
        except NotLoggedIn as error:
            stranger, key = error, ("address", self._people.callers.peer(connection).key)
        self._people.count_request(key, PAGE_COST if _is_page(connection.scope) else 1)
        return stranger.problem if stranger and not is_public(path) else None

    def _is_somebody(self, connection: HTTPConnection) -> Callable[[], Awaitable[bool]]:
        async def is_somebody() -> bool:
            try:
                await self._people.of(connection)
            except NotLoggedIn:
                return False
            return True

        return is_somebody


def is_public(path: str) -> bool:
    """Whether a path is for those, too, who are not logged in."""
    return path in PUBLIC or path.startswith(_PUBLIC_BELOW)


def _is_page(scope: Scope) -> bool:
    return scope.get("method") in {"GET", "HEAD"} and not scope["path"].startswith(_CHEAP)


def _wrong_length(scope: Scope, most: int) -> Problem | None:
    try:
        told = told_length(scope)
    except ValueError:
        return Problem.of(
            Kind.BAD_REQUEST, "The request must tell the length of its body once.", field="Content-Length"
        )
    return too_large(most) if (told or 0) > most else None


class _Protected:
    """`send` with our headers on each answer."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            have = {name.lower() for name, _ in given}
            message = {**message, "headers": [*given, *(pair for pair in _RAW if pair[0] not in have)]}
        await self._send(message)


class _Rechecked:
    """`receive` of a socket, which ends when whoever opened it is nobody any more."""

    def __init__(
        self, receive: Receive, send: Send, is_somebody: Callable[[], Awaitable[bool]], clock: Callable[[], float]
    ) -> None:
        self._receive, self._send, self._is_somebody, self._clock = receive, send, is_somebody, clock
        self._next = clock() + RECHECK_S

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "websocket.receive" or self._clock() < self._next:
            return message
        self._next = self._clock() + RECHECK_S
        if await self._is_somebody():
            return message
        await self._send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}
