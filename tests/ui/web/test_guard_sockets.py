"""Websockets before the guard: from our own page, for those who are logged in, as long as they are."""

import asyncio
from pathlib import Path
from typing import Self

import pytest
from starlette.types import Message

from tests.ui.web.asked import ORIGIN, Page, guarded
from ui.web.guard import RECHECK_S


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
