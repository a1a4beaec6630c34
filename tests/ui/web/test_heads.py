"""Heads from the wire: those that are served, and those that end their connection."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from bus.problems import Problem
from ui.web import heads
from ui.web.heads import HEAD_BYTES, BoundedHead

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


MUCH = 64 << 20


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says how large the body was; at `/much` more than any buffer holds."""
    if scope["path"] == "/much":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % MUCH)]})
        await send({"type": "http.response.body", "body": bytes(MUCH)})
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A connection to a server that bounds heads."""
    config = uvicorn.Config(app, lifespan="off", http=BoundedHead, log_config=None, access_log=False)
    state = uvicorn.Server(config).server_state
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedHead(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    yield reader, writer
    writer.close()
    server.close()
    await server.wait_closed()
    while state.connections:  # noqa: ASYNC110 (uvicorn tells nobody)
        await asyncio.sleep(0.01)


async def answer(wire: Wire) -> bytes:
    """Status line and body of the next answer."""
    head = await asyncio.wait_for(wire[0].readuntil(b"\r\n\r\n"), 10)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head.split(b"\r\n")[0] + b" " + await wire[0].readexactly(length)


@pytest.mark.parametrize("times", [1, 3])
async def test_a_head_and_a_large_body_are_served(wire: Wire, times: int) -> None:
    for _ in range(times):
        wire[1].write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n" + b"a" * 300_000)
        assert await answer(wire) == b"HTTP/1.1 200 OK 300000"


async def test_a_head_may_come_in_pieces(wire: Wire) -> None:
    for piece in (b"GET / HT", b"TP/1.1\r\nho", b"st: x\r\nx-long: " + b"a" * 30_000, b"\r\n\r\n"):
        wire[1].write(piece)
        await wire[1].drain()
    assert await answer(wire) == b"HTTP/1.1 200 OK 0"


@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1\r\nx: ", b"GET /"])
async def test_an_endless_head_ends_its_connection(wire: Wire, begin: bytes) -> None:
    wire[1].write(begin + b"a" * HEAD_BYTES)
    assert (await answer(wire)).startswith(b"HTTP/1.1 400 ")
    assert await wire[0].read() == b""


async def test_what_is_no_request_is_refused_as_everything_is(wire: Wire) -> None:
    wire[1].write(b"NONSENSE\r\n\r\n")
    head, _, body = (await wire[0].read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert Problem.model_validate_json(body).slug == "bad-request"


async def test_an_endless_head_after_a_whole_one_ends_it_too(wire: Wire) -> None:
    wire[1].write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert await answer(wire) == b"HTTP/1.1 200 OK 0"
    wire[1].write(b"GET / HTTP/1.1\r\nx: ")
    with pytest.raises(ConnectionError):
        await flood(wire)


CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"


@pytest.mark.parametrize("piece", [b"a" * HEAD_BYTES, b"x-more: b\r\n" * 6000])
@pytest.mark.parametrize("begin", [b"0\r\nx-trailer: b", b"1;extension="])
async def test_what_comes_beside_a_body_has_an_end(wire: Wire, begin: bytes, piece: bytes) -> None:
    wire[1].write(CHUNKED + begin)
    with pytest.raises(ConnectionError):
        await flood(wire, piece)


async def test_a_body_in_chunks_of_a_byte_is_served_with_its_trailers(wire: Wire) -> None:
    for _ in range(2):
        wire[1].write(CHUNKED + b"1\r\na\r\n" * HEAD_BYTES + b"0\r\nx-trailer: b\r\n\r\n")
        assert await answer(wire) == b"HTTP/1.1 200 OK 65537"


async def flood(wire: Wire, piece: bytes = b"a" * HEAD_BYTES) -> None:
    """Send what has no end, 64 MB of it at least. Raises ConnectionError when nobody takes it any more."""
    for _ in range(1000):
        wire[1].write(piece)
        await wire[1].drain()


class TestSilence:
    """Connections that say nothing."""

    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heads, "HEAD_S", 0.05)

    @pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n"])
    async def test_a_head_that_never_comes_ends_its_connection(self, wire: Wire, begin: bytes) -> None:
        wire[1].write(begin)
        assert await asyncio.wait_for(wire[0].read(), 10) == b""

    @pytest.mark.parametrize("begin", [b"G", b"\r\n", b"GET / HTTP/1.1\r\nx: "])
    async def test_nor_does_the_next_one_hold_it_for_ever(self, wire: Wire, begin: bytes) -> None:
        wire[1].write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await answer(wire) == b"HTTP/1.1 200 OK 0"
        wire[1].write(begin)
        assert await asyncio.wait_for(wire[0].read(), 4) == b""  # uvicorn itself would wait for ever

    async def test_a_body_may_take_its_time(self, wire: Wire) -> None:
        for _ in range(2):
            wire[1].write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na")
            await asyncio.sleep(0.15)
            wire[1].write(b"b")
            assert await answer(wire) == b"HTTP/1.1 200 OK 2"


class TestReaders:
    """Who asks for much, and reads or doesn't."""

    async def test_an_answer_that_nobody_reads_is_given_up(self, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heads, "STALL_S", 0.05)
        wire[1].write(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(0.5)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(wire[0].readexactly(MUCH), 10)

    async def test_a_slow_reader_gets_all_of_it(self, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heads, "STALL_S", 1.0)
        wire[1].write(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n")
        await wire[0].readuntil(b"\r\n\r\n")
        for _ in range(64):  # it takes longer than the bound
            await asyncio.wait_for(wire[0].readexactly(MUCH // 64), 10)
            await asyncio.sleep(0.03)
