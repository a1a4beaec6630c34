"""What becomes of a body that nobody wanted."""

from typing import Any

import pytest

from ui.web import lingering
from ui.web.lingering import Lingering

REFUSAL: list[dict[str, Any]] = [
    {"type": "http.response.start", "status": 413, "headers": [(b"connection", b"keep-alive"), (b"x", b"y")]},
    {"type": "http.response.body", "body": b"too ", "more_body": True},
    {"type": "http.response.body", "body": b"large", "more_body": False},
]


class Exchange:
    """A request whose body comes in pieces, to an application that reads some of them and then answers."""

    def __init__(self, *pieces: bytes, reads: int = 0, headers: Any = ((b"transfer-encoding", b"chunked"),)) -> None:
        self.left = list(pieces)
        self.reads = reads
        self.headers = list(headers)
        self.sent: list[Any] = []

    async def run(self) -> None:
        scope = {"type": "http", "headers": self.headers}
        await Lingering(self._app)(scope, self._receive, self._send)

    async def _app(self, _scope: Any, receive: Any, send: Any) -> None:
        for _ in range(self.reads):
            await receive()
        for message in REFUSAL:
            await send(message)

    async def _receive(self) -> Any:
        piece = self.left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.left)}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def closes(self) -> bool:
        return (b"connection", b"close") in self.sent[0]["headers"]


async def test_an_answer_to_a_whole_request_is_left_as_it_is() -> None:
    exchange = Exchange(b"a", b"b", reads=2)
    await exchange.run()
    assert exchange.sent == REFUSAL


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"0")]])
async def test_a_request_without_a_body_is_not_looked_at(headers: Any) -> None:
    exchange = Exchange(headers=headers)
    await exchange.run()
    assert exchange.sent == REFUSAL


async def test_the_rest_is_read_after_the_answer_is_sent_and_before_the_connection_closes() -> None:
    exchange = Exchange(b"a", b"b", b"c", reads=1)
    await exchange.run()
    assert exchange.closes
    assert (b"x", b"y") in exchange.sent[0]["headers"]
    assert [message.get("body") for message in exchange.sent[1:]] == [b"too ", b"large", b""]
    assert [message.get("more_body") for message in exchange.sent[1:]] == [True, True, False]
    assert exchange.left == []


async def test_nobody_keeps_us_reading_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER_BYTES", 3)
    exchange = Exchange(*[b"aa"] * 10)
    await exchange.run()
    assert len(exchange.left) == 8
    assert exchange.sent[-1]["more_body"] is False


async def test_a_socket_is_passed_on() -> None:
    seen = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    await Lingering(app)({"type": "websocket"}, None, None)  # type: ignore[arg-type]
    assert seen == ["websocket"]
