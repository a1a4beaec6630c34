"""Each path under each method: HEAD like GET, and what is not done by one is called so."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import Message

from bus.settings import Settings
from ui.web.methods import HeadAsGet, OtherMethods

PEOPLE = {"accept": "text/html"}


async def text(request: Request) -> Response:
    return PlainTextResponse(f"{request.method} and its answer", headers={"etag": '"1"'})


async def endless(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.Event().wait()

    return StreamingResponse(pieces())


PAGES = [Route("/page", text, methods=["GET"]), Route("/page", text, methods=["PUT"])]
ROUTES = [Route("/text", text), Route("/endless", endless), Route("/text", text, methods=["DELETE"])]
HERE = [*ROUTES, OtherMethods([*ROUTES, *PAGES], Settings()), Mount("/", routes=PAGES)]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(HeadAsGet(Starlette(routes=HERE)))
    async with httpx.AsyncClient(transport=transport, base_url="http://page.example") as opened:
        yield opened


async def test_head_is_get_without_its_body(client: httpx.AsyncClient) -> None:
    whole, head = await client.get("/text"), await client.head("/text")
    assert (head.status_code, head.headers, head.content) == (200, whole.headers, b"")
    assert whole.content == b"GET and its answer"
    assert (await client.head("/nowhere")).status_code == 404


async def test_the_head_of_what_never_ends_ends(client: httpx.AsyncClient) -> None:
    answer = await asyncio.wait_for(client.head("/endless"), 5)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_head_is_told_no_body_and_that_it_is_whole() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "HEAD", "path": "/text", "headers": [], "query_string": b""}
    await HeadAsGet(Starlette(routes=HERE))(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert scope["method"] == "HEAD"


@pytest.mark.parametrize(
    ("path", "allow"), [("/text", "DELETE, GET, HEAD"), ("/endless", "GET, HEAD"), ("/page", "GET, HEAD, PUT")]
)
async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient, path: str, allow: str) -> None:
    answer = await client.patch(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.json()["type"] == "urn:overspill:problem:bad-method"
    seen = await client.patch(path, headers=PEOPLE)
    assert (seen.status_code, seen.headers["content-type"]) == (405, "text/html; charset=utf-8")


async def test_right_methods_go_where_they_belong(client: httpx.AsyncClient) -> None:
    assert (await client.delete("/text")).text == "DELETE and its answer"
    assert (await client.put("/page")).text == "PUT and its answer"
    assert (await client.put("/nowhere")).status_code == 404


def test_sockets_are_not_asked() -> None:
    scope = {"type": "websocket", "path": "/text", "headers": []}
    assert not OtherMethods(ROUTES, Settings()).matches(scope)[0].value
