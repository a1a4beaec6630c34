"""The guard around a small application, and who asks it: over ASGI, with a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.ui.web.people.village import Village, village
from ui.web.guard import Guard
from ui.web.people.login import login_routes

MIB = 1 << 20
ORIGIN = "https://evil.example"


async def echo(request: Request) -> Response:
    """How much came, and who sent it."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return JSONResponse({"bytes": size, "path": request.url.path})


async def page(request: Request) -> Response:
    return PlainTextResponse("page", headers={"x-frame-options": "SAMEORIGIN"})


async def stream(request: Request) -> Response:
    return StreamingResponse(iter([b"data: 1\n\n"]), media_type="text/event-stream")


async def broken(request: Request) -> Response:
    raise RuntimeError("a fault of the application")


async def chat(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


def application(there: Village) -> Starlette:
    """What the guard stands before."""
    routes = [
        Route("/", page),
        Route("/api/v1/jobs", echo, methods=["GET", "POST"]),
        Route("/api/v1/webhooks", echo, methods=["POST"]),
        Route("/api/v1/events", stream),
        Route("/api/v1/broken", broken, methods=["GET", "POST"]),
        Route("/sketch", echo, methods=["POST"]),
        Route("/health", page),
        Route("/_nicegui_ws/socket.io/", echo, methods=["GET", "POST"]),
        WebSocketRoute("/_nicegui_ws/socket.io/", chat),
    ]
    return Starlette(routes=[*login_routes(there.people), *routes])


class Page:
    """A guarded page, and a browser or program that asks it."""

    def __init__(self, there: Village, now: float = 0.0) -> None:
        self.there, self.now = there, now
        self.guard = Guard(application(there), there.people, lambda: self.now)
        transport = httpx.ASGITransport(self.guard)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost:8600")


@asynccontextmanager
async def guarded(folder: Path, **settings: Any) -> AsyncIterator[Page]:
    async with village(folder, **settings) as there:
        asking = Page(there)
        async with asking.http:
            yield asking


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert "evil" not in answer.text
    return answer.status_code, answer.json()["type"].rpartition(":")[2]
