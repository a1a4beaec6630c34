"""HTTP's methods, the same wherever a route lies: HEAD is answered as GET would be, and a wrong one is called wrong."""

from collections.abc import Sequence

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bus.page_settings import PageSettings
from bus.problems import Kind, Problem
from ui.web.api.faults import allowed
from ui.web.refusals import refused


class HeadAsGet:
    """The ASGI application around `app` that answers HEAD with what GET would begin with, and with no body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            head = _Head(receive, send)
            await self.app({**scope, "method": "GET"}, head.receive, head.send)
        else:
            await self.app(scope, receive, send)


class _Head:
    """`receive` and `send` of a HEAD: once the answer has begun, the caller is as good as gone, or streams went on."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._begun = False

    async def receive(self) -> Message:
        return {"type": "http.disconnect"} if self._begun else await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            return
        self._begun = True
        await self._send(message)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


class OtherMethods(BaseRoute):
    """Answers 405, with the methods that may be used, where one of `routes` has the path by another method.

    A mounted application that follows would say that there is no such thing, or refuse it in its own words.
    """

    def __init__(self, routes: Sequence[BaseRoute], settings: PageSettings) -> None:
        self._routes, self._settings = routes, settings

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a route has the path, and none of them the method too."""
        if scope["type"] != "http":
            return Match.NONE, {}
        found = {route.matches(scope)[0] for route in self._routes}
        return Match.FULL if Match.PARTIAL in found and Match.FULL not in found else Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        problem = Problem.of(Kind.BAD_METHOD, "Nothing is done here by this method.")
        headers = {"allow": allowed(self._routes, scope)}
        await refused(HTTPConnection(scope), problem, self._settings, headers)(scope, receive, send)
