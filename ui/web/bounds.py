"""How large a request's body may be, and how long it may take: one that breaks either ends there."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from bus.problems import Kind, Problem
from bus.settings import MIB, Settings

UPLOADS: Final = frozenset({"/api/v1/jobs", "/sketch", "/remove_bg", "/caption"})
"""Where pictures are sent to. Those routes have bounds of their own, a little below ours, and tell more."""
SMALL_BODY: Final = MIB
_FORM_BYTES: Final = MIB // 2
"""What a form may have around its picture, and more."""
PATIENCE_S: Final = 30.0
"""How long a body may keep us waiting, and one second more for each `SLOWEST` bytes that came."""
SLOWEST: Final = 4096


def largest_body(method: str, path: str, settings: Settings) -> int:
    """The most bytes that the body of such a request may have."""
    if method != "POST" or path.rstrip("/") not in UPLOADS:
        return SMALL_BODY
    by_claim = settings.max_claim_bytes if settings.blobs else 0
    return max(settings.max_image_bytes, by_claim) + _FORM_BYTES


def told_length(scope: Scope) -> int | None:
    """The body's length as its sender tells it; None when they don't. Raises ValueError when it is no number."""
    told = [value for name, value in scope["headers"] if name == b"content-length"]
    if not told:
        return None
    if len(told) > 1 or not told[0].isdigit() or len(told[0]) > 18:
        raise ValueError("not a length")
    return int(told[0])


class BoundedBody:
    """`receive` and `send` of one request, for the application that serves it.

    When the body breaks a bound, the application sees its caller leave, and whatever it then answers is left out:
    `problem` says what to answer instead, if `answered` is still False.
    """

    def __init__(self, receive: Receive, send: Send, most: int, clock: Callable[[], float]) -> None:
        self.problem: Problem | None = None
        self.answered = False
        self._receive, self._send, self._most, self._clock = receive, send, most, clock
        self._came, self._waited_s, self._more = 0, 0.0, True

    async def receive(self) -> Message:
        """The next part of the body."""
        if not self._more:
            return await self._receive()
        if self.problem is None:
            message = await self._in_time()
            if message is not None and self._came <= self._most:
                return message
            self.problem = too_slow() if message is None else too_large(self._most)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Part of the answer."""
        if self.answered or self.problem is None:
            self.answered = True
            await self._send(message)

    async def _in_time(self) -> Message | None:
        began = self._clock()
        # Only the time in which we wait for the caller counts, not the time in which they wait for us.
        patience_s = PATIENCE_S + self._came / SLOWEST
        try:
            async with asyncio.timeout(patience_s - self._waited_s):
                message = await self._receive()
        except TimeoutError:
            return None
        self._waited_s += self._clock() - began
        if self._waited_s > patience_s:
            return None
        self._came += len(message.get("body", b""))
        self._more = message.get("more_body", False)
        return message


def too_large(most: int) -> Problem:
    """The answer to a body of more bytes than `most`."""
    return Problem.of(Kind.TOO_MANY_BYTES, f"The body has more than {most:,} bytes.", limit=most, remedy="Send less.")


def too_slow() -> Problem:
    """The answer to a body that takes too long."""
    return Problem.of(Kind.TOO_SLOW, f"The body kept us waiting for more than {PATIENCE_S:g} s.")
