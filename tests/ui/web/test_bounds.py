"""Bodies too large or too slow, as an application and a server between them see it."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from starlette.types import Message

from bus.settings import MIB, Settings
from ui.web import bounds
from ui.web.bounds import SMALL_BODY, BoundedBody, largest_body, told_length


def part(body: bytes = b"", *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class Server:
    """Gives the parts of a body, and takes an answer."""

    def __init__(self, parts: Iterable[Message]) -> None:
        self.parts, self.sent = iter(parts), list[Message]()

    async def receive(self) -> Message:
        for message in self.parts:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.sent.append(message)


def bounded(server: Server, most: int = 10) -> BoundedBody:
    return BoundedBody(server.receive, server.send, most, lambda: 0.0)


START: Message = {"type": "http.response.start", "status": 200, "headers": []}


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("POST", "/api/v1/jobs", 16 * MIB + MIB // 2),
        ("POST", "/api/v1/jobs/", 16 * MIB + MIB // 2),
        ("POST", "/sketch", 16 * MIB + MIB // 2),
        ("PUT", "/api/v1/jobs", SMALL_BODY),
        ("POST", "/api/v1/jobs/0123/retry", SMALL_BODY),
        ("POST", "/login", SMALL_BODY),
        ("GET", "/", SMALL_BODY),
    ],
)
def test_only_pictures_may_be_large(method: str, path: str, most: int) -> None:
    assert largest_body(method, path, Settings()) == most


def test_with_a_blob_store_pictures_may_be_larger(tmp_path: Path) -> None:
    settings = Settings(blobs=tmp_path.as_uri(), max_claim_bytes=64 * MIB)
    assert largest_body("POST", "/caption", settings) == 64 * MIB + MIB // 2


@pytest.mark.parametrize(
    ("headers", "length"), [([], None), ([(b"content-length", b"0")], 0), ([(b"content-length", b"17")], 17)]
)
def test_lengths(headers: list[tuple[bytes, bytes]], length: int | None) -> None:
    assert told_length({"headers": headers}) == length


@pytest.mark.parametrize("values", [[b""], [b"-1"], [b"1e9"], [b"+5"], [b"9" * 19], [b"5", b"6"]])
def test_what_is_no_length(values: list[bytes]) -> None:
    with pytest.raises(ValueError, match="length"):
        told_length({"headers": [(b"content-length", value) for value in values]})


async def test_a_body_within_its_bound_passes_as_it_came() -> None:
    parts = [part(b"12345"), part(b"67890"), part(more=False), {"type": "http.disconnect"}]
    server = Server(parts)
    body = bounded(server)
    assert [await body.receive() for _ in parts] == parts
    await body.send(START)
    assert (server.sent, body.problem, body.answered) == ([START], None, True)


async def test_one_byte_too_many_and_the_caller_has_left() -> None:
    server = Server([part(b"12345"), part(b"678901"), part(b"never read")])
    body = bounded(server)
    seen = [(await body.receive())["type"] for _ in range(4)]
    assert seen == ["http.request", *["http.disconnect"] * 3]
    await body.send(START)
    assert server.sent == []
    assert body.problem
    assert (body.problem.status, body.problem.limit) == (413, 10)


async def test_an_answer_that_has_begun_goes_on() -> None:
    server = Server([part(b"x" * 11)])
    body = bounded(server)
    await body.send(START)
    await body.receive()
    await body.send({"type": "http.response.body"})
    assert len(server.sent) == 2


async def test_silence_ends_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PATIENCE_S", 0.01)
    server = Server([part(b"1")])
    body = bounded(server)
    assert (await body.receive())["type"] == "http.request"
    assert (await body.receive())["type"] == "http.disconnect"
    assert body.problem
    assert body.problem.status == 408


async def test_a_trickle_ends_a_body_however_often_a_byte_comes() -> None:
    """By a clock of the test's own: each part took four seconds to come."""
    server = Server([part(b"1") for _ in range(100)])
    clock = iter(range(0, 10_000, 4))
    body = BoundedBody(server.receive, server.send, 1000, lambda: float(next(clock)))
    came = 0
    while (await body.receive())["type"] == "http.request":
        came += 1
    assert came == 7
    assert body.problem
    assert body.problem.status == 408


async def test_large_bodies_may_take_their_time() -> None:
    server = Server([part(b"x" * 65_536) for _ in range(200)])
    clock = iter(range(0, 10_000, 8))
    body = BoundedBody(server.receive, server.send, 200 * 65_536, lambda: float(next(clock)))
    assert {(await body.receive())["type"] for _ in range(200)} == {"http.request"}


async def test_whoever_waits_for_the_end_of_a_request_is_not_hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PATIENCE_S", 0.0)
    server = Server([part(more=False)])
    body = bounded(server)
    monkeypatch.setattr(bounds, "PATIENCE_S", 10.0)
    await body.receive()
    monkeypatch.setattr(bounds, "PATIENCE_S", 0.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(body.receive(), 0.05)
    assert body.problem is None
