"""The end of a request whose body nobody wanted: the caller hears why, and can't keep us reading for ever.

A server that closes a connection while bytes are still on their way resets it, and the reset takes the answer with it.
One that goes on reading can be made to do so for ever. So the answer is sent whole, then a little more is read and
thrown away, and then the connection is closed.
"""

import asyncio
import contextlib
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_S: Final = 2.0
LINGER_BYTES: Final = 32 << 20


class Lingering:
    """An ASGI application around another, which may answer before it has read the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and _has_body(scope):
            exchange = _Exchange(receive, send)
            await self.app(scope, exchange.receive, exchange.send)
        else:
            await self.app(scope, receive, send)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in scope["headers"]
    )


class _Exchange:
    """One request and its answer."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._whole = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if self._whole:
            await self._send(message)
        elif message["type"] == "http.response.start":
            closing = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
            await self._send({**message, "headers": [*closing, (b"connection", b"close")]})
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drain(), LINGER_S)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drain(self) -> None:
        left = LINGER_BYTES
        while not self._whole and left > 0:
            left -= len((await self.receive()).get("body", b""))
