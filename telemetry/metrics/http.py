"""Counts the HTTP requests of a process: a plain ASGI application around another."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import chain
from typing import Any, Final

from telemetry.metrics import families as f
from telemetry.metrics.board import Board
from telemetry.metrics.labels import NONE, OTHER, method_label

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_ROUTES: Final = 300
"""Patterns told by name: an application has a fixed number of them, and a fault in ours must not grow without end."""
_EVENT_STREAM: Final = b"text/event-stream"


class Measured:
    """The application around `app`; websockets and the like pass through."""

    def __init__(self, app: Application, board: Callable[[], Board | None]) -> None:
        """`board` is asked at each request; while there is none, nothing is counted."""
        self.app = app
        self._board = board
        self._routes: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        board = self._board() if scope["type"] == "http" else None
        if board is None:
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, board)
        began = time.monotonic()
        board.add(f.HTTP_IN_FLIGHT)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            board.add(f.HTTP_IN_FLIGHT, amount=-1.0)
            self._count(board, scope, exchange, time.monotonic() - began)

    def _count(self, board: Board, scope: Scope, exchange: "_Exchange", took_s: float) -> None:
        route, method = self._label(route_of(scope)), method_label(scope["method"])
        board.add(f.HTTP_REQUESTS, route, method, exchange.status)
        board.add(f.HTTP_RECEIVED, amount=exchange.received)
        if exchange.streams:
            board.add(f.HTTP_STREAMS, amount=-1.0)
        else:
            board.observe(f.HTTP_SECONDS, route, method, value=took_s)

    def _label(self, route: str) -> str:
        if route not in self._routes:
            if len(self._routes) >= MOST_ROUTES:
                return OTHER
            self._routes.add(route)
        return route


def route_of(scope: Scope) -> str:
    """The pattern of the route that served a request, as `/api/v1/jobs/{id}`; `none` where there was no such route.

    Routers write what they found into the scope they were given: the route, or only what it calls, and beside it where
    the route is mounted.
    """
    route = scope.get("route") or _calling(scope.get("endpoint"), scope)
    pattern, base = getattr(route, "path", None), scope.get("root_path", "")
    if not isinstance(pattern, str) or not pattern:
        return NONE
    return pattern if pattern.startswith(base) else base + pattern


def _calling(endpoint: object, scope: Scope) -> object:
    """The route that calls `endpoint`, of the innermost application or of the outermost router."""
    if endpoint is None:
        return None
    routes = chain.from_iterable(getattr(scope.get(each), "routes", ()) for each in ("app", "router"))
    return next((route for route in routes if getattr(route, "endpoint", None) is endpoint), None)


class _Exchange:
    """One request and its answer."""

    def __init__(self, receive: Receive, send: Send, board: Board) -> None:
        self._receive, self._send, self._board = receive, send, board
        self.status = "none"
        """`none` when its caller left before there was an answer."""
        self.received = 0
        self.streams = False

    async def receive(self) -> Message:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = str(message["status"])
            headers = {name.lower(): value for name, value in message.get("headers", ())}
            if headers.get(b"content-type", b"").startswith(_EVENT_STREAM):
                self.streams = True
                self._board.add(f.HTTP_STREAMS)
        await self._send(message)
