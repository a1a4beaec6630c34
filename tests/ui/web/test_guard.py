"""The guard around a small application, as hostile browsers and programs meet it: over ASGI, with a real database."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket

from tests.ui.web.people.village import Village, village
from ui.web import bounds
from ui.web.guard import HEADERS, RECHECK_S, Guard, is_public
from ui.web.people.login import login_routes
from ui.web.people.person import Person

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


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Page]:
    """An open page."""
    async with guarded(tmp_path, page_login="open") as opened:
        yield opened


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert "evil" not in answer.text
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


# What is on every answer.


async def test_every_answer_bears_the_headers(asking: Page) -> None:
    served, missing = await asking.http.get("/api/v1/jobs"), await asking.http.get("/nowhere")
    for answer in (served, missing, await asking.http.post("/api/v1/jobs", headers={"origin": ORIGIN})):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


async def test_a_route_may_have_its_own(asking: Page) -> None:
    answer = await asking.http.get("/")
    assert answer.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert answer.headers["x-content-type-options"] == "nosniff"


# Hosts and origins.


@pytest.mark.parametrize("path", ["/", "/api/v1/jobs", "/health"])
async def test_another_name_that_leads_here_gets_nothing(asking: Page, path: str) -> None:
    answer = await asking.http.get(path, headers={"host": "evil.example"})
    assert problem(answer) == (400, "bad-request")


@pytest.mark.parametrize(
    ("method", "path", "accept"),
    [
        ("POST", "/api/v1/jobs", "*/*"),
        ("POST", "/login", "*/*"),
        ("POST", "/logout", "*/*"),
        ("GET", "/api/v1/events", "text/event-stream"),
        ("GET", "/_nicegui_ws/socket.io/", "*/*"),
        ("POST", "/_nicegui_ws/socket.io/", "*/*"),
    ],
)
@pytest.mark.parametrize("sent", [{"origin": ORIGIN}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}])
async def test_another_sites_page_gets_nothing(
    asking: Page, method: str, path: str, accept: str, sent: dict[str, str]
) -> None:
    answer = await asking.http.request(method, path, headers={"accept": accept, **sent})
    assert problem(answer) == (403, "not-allowed")
    assert "access-control-allow-origin" not in answer.headers


async def test_our_own_page_does(asking: Page) -> None:
    ours = {"origin": "http://localhost:8600", "sec-fetch-site": "same-origin"}
    assert (await asking.http.post("/api/v1/jobs", content=b"12345", headers=ours)).json()["bytes"] == 5
    assert (
        await asking.http.get("/api/v1/events", headers={"accept": "text/event-stream", **ours})
    ).text == "data: 1\n\n"


# Websockets.


class Socket:
    """A websocket as a server holds it."""

    def __init__(self, asking: Page, **headers: str) -> None:
        self.asking, self.sent = asking, asyncio.Queue[Message]()
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.incoming.put_nowait({"type": "websocket.connect"})
        told = {"host": "localhost:8600", **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.scope = {
            "type": "websocket",
            "scheme": "ws",
            "path": "/_nicegui_ws/socket.io/",
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in told.items()],
            "client": ("127.0.0.1", 50_000),
            "subprotocols": [],
        }

    def __enter__(self) -> Self:
        self.task = asyncio.ensure_future(self.asking.guard(self.scope, self.incoming.get, self.sent.put))
        return self

    def __exit__(self, *_: object) -> None:
        self.task.cancel()

    def say(self, text: str) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    async def hears(self) -> str:
        """`accept`, what is said, or `close` and its code."""
        message = await asyncio.wait_for(self.sent.get(), 10)
        kind = message["type"].removeprefix("websocket.")
        return {"send": message.get("text"), "close": f"close {message.get('code')}"}.get(kind) or kind


async def test_our_pages_socket_opens(asking: Page) -> None:
    with Socket(asking, origin="http://localhost:8600") as socket:
        assert await socket.hears() == "accept"
        socket.say("hello")
        assert await socket.hears() == "hello"


@pytest.mark.parametrize("headers", [{"origin": ORIGIN}, {"origin": "null"}, {"host": "evil.example"}])
async def test_another_sites_socket_does_not(asking: Page, headers: dict[str, str]) -> None:
    with Socket(asking, **headers) as socket:
        assert await socket.hears() == "close 1008"


async def test_a_socket_is_for_those_who_are_logged_in(tmp_path: Path) -> None:
    async with guarded(tmp_path) as asking:
        with Socket(asking) as socket:
            assert await socket.hears() == "close 1008"
        await asking.there.add("anna")
        with Socket(asking, **await asking.there.logged_in("anna")) as socket:
            assert await socket.hears() == "accept"


async def test_a_socket_ends_some_seconds_after_its_login(tmp_path: Path) -> None:
    async with guarded(tmp_path) as asking:
        await asking.there.add("anna")
        with Socket(asking, **await asking.there.logged_in("anna")) as socket:
            assert await socket.hears() == "accept"
            asking.now += RECHECK_S
            socket.say("still here")
            assert await socket.hears() == "still here"
            await asking.there.people.log_out_everywhere("anna")
            socket.say("and now")
            assert await socket.hears() == "and now"
            asking.now += RECHECK_S
            socket.say("and now?")
            assert await socket.hears() == "close 1008"
            await socket.task


async def test_sockets_are_counted(tmp_path: Path) -> None:
    async with guarded(tmp_path, page_login="open", page_requests_rate=1) as asking:
        heard = []
        for _ in range(2):
            with Socket(asking) as socket:
                heard.append(await socket.hears())
        assert heard == ["accept", "close 1008"]


# Bodies.


@pytest.mark.parametrize(("path", "most"), [("/api/v1/webhooks", MIB), ("/api/v1/jobs", 16 * MIB + MIB // 2)])
async def test_a_body_that_says_it_is_too_large_is_not_read(asking: Page, path: str, most: int) -> None:
    def unread() -> Iterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    async def body() -> AsyncIterator[bytes]:
        for chunk in unread():
            yield chunk

    answer = await asking.http.post(path, content=body(), headers={"content-length": str(most + 1)})
    assert problem(answer) == (413, "too-many-bytes")


@pytest.mark.parametrize("length", ["", "-1", "1e3", "9" * 30])
async def test_a_length_that_is_none(asking: Page, length: str) -> None:
    answer = await asking.http.post("/api/v1/jobs", content=b"", headers={"content-length": length})
    assert problem(answer) == (400, "bad-request")


async def test_ten_gigabytes_in_pieces_are_cut_off_at_the_bound(asking: Page) -> None:
    piece, sent = b"x" * 65_536, 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(10 * 1024 * 16):
            sent += len(piece)
            yield piece

    tracemalloc.start()
    answer = await asking.http.post("/api/v1/jobs", content=body())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem(answer) == (413, "too-many-bytes")
    assert answer.headers["connection"] == "close"
    assert sent <= 17 * MIB
    assert peak < 8 * MIB


async def test_a_body_that_never_ends_is_cut_off(asking: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PATIENCE_S", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.Event().wait()

    assert problem(await asking.http.post("/api/v1/webhooks", content=body())) == (408, "too-slow")


async def test_the_faults_of_the_application_stay_its_own(asking: Page) -> None:
    with pytest.raises(RuntimeError, match="of the application"):
        await asking.http.get("/api/v1/broken")


# Nobody gets further than the login.


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/jobs"), ("POST", "/api/v1/jobs"), ("POST", "/"), ("GET", "/_nicegui_ws/socket.io/")],
)
async def test_nobody_gets_a_problem(tmp_path: Path, method: str, path: str) -> None:
    async with guarded(tmp_path) as asking:
        answer = await asking.http.request(method, path)
        assert problem(answer) == (401, "not-logged-in")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/", "/login?next=/"),
        ("/jobs/0123?a=b&c=d", "/login?next=/jobs/0123%3Fa%3Db%26c%3Dd"),
        ("//evil.example/", "/login?next=/"),
        ("/%0d%0aset-cookie:a=b", "/login?next=/%250D%250Aset-cookie%253Aa%253Db"),
    ],
)
async def test_a_visitor_is_shown_the_way_to_the_login(tmp_path: Path, path: str, there: str) -> None:
    async with guarded(tmp_path) as asking:
        answer = await asking.http.get("http://localhost:8600" + path, headers={"accept": "text/html,*/*"})
        assert (answer.status_code, answer.headers["location"]) == (303, there)


@pytest.mark.parametrize(
    "path", ["/login", "/login/oidc", "/static/a/b.css", "/_nicegui/3.18.0/x.js", "/health", "/sketch"]
)
def test_what_everybody_may_ask(path: str) -> None:
    assert is_public(path)


@pytest.mark.parametrize(
    "path", ["/", "/loginx", "/_nicegui_ws/socket.io/", "/api/v1/jobs", "/account", "/static", "//login"]
)
def test_what_not_everybody_may(path: str) -> None:
    assert not is_public(path)


async def test_the_api_does_not_send_programs_to_a_page(tmp_path: Path) -> None:
    async with guarded(tmp_path) as asking:
        assert (await asking.http.get("/api/v1/jobs", headers={"accept": "text/html"})).status_code == 401


async def test_a_token_of_a_program_opens_the_api(tmp_path: Path) -> None:
    async with guarded(tmp_path) as asking:
        await asking.there.add("anna")
        _, token = await asking.there.people.add_token(Person("anna", "user", "session"), "script")
        answer = await asking.http.post("/api/v1/jobs", content=b"1", headers={"authorization": f"Bearer {token}"})
        assert answer.json()["bytes"] == 1


async def test_a_cookie_replayed_after_the_logout_opens_nothing(tmp_path: Path) -> None:
    async with guarded(tmp_path) as asking:
        await asking.there.add("anna")
        cookie = await asking.there.logged_in("anna")
        assert (await asking.http.get("/api/v1/jobs", headers=cookie)).status_code == 200
        assert (await asking.http.post("/logout", headers=cookie)).status_code == 303
        assert (await asking.http.get("/api/v1/jobs", headers=cookie)).status_code == 401


async def test_a_proxys_header_from_elsewhere_makes_nobody(tmp_path: Path) -> None:
    settings = {"page_login": "proxy", "page_url": "http://localhost:8600", "page_proxies": "10.0.0.3/32"}
    async with guarded(tmp_path, **settings) as asking:
        named = {"x-forwarded-user": "anna", "x-forwarded-for": "10.0.0.3"}
        assert (await asking.http.get("/api/v1/jobs", headers=named)).status_code == 401
        asking.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(asking.guard, client=("10.0.0.3", 1)), base_url="http://localhost:8600"
        )
        async with asking.http:
            assert (await asking.http.get("/api/v1/jobs", headers=named)).status_code == 200


# How much.


async def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    async with guarded(tmp_path, page_login="open", page_requests_rate=20) as asking:
        answers = [await asking.http.get("/api/v1/jobs") for _ in range(21)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        assert problem(answers[-1]) == (429, "too-many-requests")
        assert answers[-1].headers["retry-after"] == "3"


async def test_a_page_costs_more_than_what_is_on_it(tmp_path: Path) -> None:
    async with guarded(tmp_path, page_login="open", page_requests_rate=20) as asking:
        assert [(await asking.http.get("/")).status_code for _ in range(3)] == [200, 200, 429]


async def test_one_persons_requests_are_not_anothers(tmp_path: Path) -> None:
    async with guarded(tmp_path, page_requests_rate=1) as asking:
        for name in ("anna", "127.0.0.1"):
            await asking.there.add(name)
        cookies = [await asking.there.logged_in(name) for name in ("anna", "127.0.0.1")]
        statuses = [(await asking.http.get("/api/v1/jobs", headers=cookie)).status_code for cookie in cookies * 2]
        assert statuses == [200, 200, 429, 429]
        assert (await asking.http.get("/health")).status_code == 200
        assert (await asking.http.get("/health")).status_code == 429


async def test_what_is_no_request_passes(asking: Page) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await Guard(app, asking.there.people)(
        {"type": "lifespan"}, asyncio.Queue[Message]().get, asyncio.Queue[Message]().put
    )
    assert seen == ["lifespan"]
