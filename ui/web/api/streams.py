"""Server-sent events: one answer that goes on until the caller leaves, what it tells has ended, or we stop."""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bus.problems import Kind, Problem
from ui.web.people.people import People
from ui.web.people.person import NotLoggedIn, Person, TooMany

BEAT_S: Final = 15.0
"""Proxies close what says nothing for half a minute or more."""
ASK_S: Final = 1.0
"""How long a silent stream may outlive the login that it belongs to."""
SEND_S: Final = 30.0
"""Who takes nothing for so long is gone, or as good as gone."""
MOST_STREAMS: Final = 32
"""Of one person at a time."""
EVENT_STREAM: Final = "text/event-stream"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff", "x-accel-buffering": "no"}
_BEGIN: Final = b"retry: 2000\n\n"
"""Browsers that were cut off come back after two seconds."""
_BEAT: Final = b":\n\n"


def event(kind: str, data: str, number: int | None = None) -> bytes:
    """One event. `data` is JSON on a single line; `number` is where a caller who was cut off may go on from."""
    numbered = "" if number is None else f"id: {number}\n"
    return f"event: {kind}\n{numbered}data: {data}\n\n".encode()


def stop_of(request: Request) -> asyncio.Event:
    """What is set when the process stops: whoever waits for something ends then."""
    stop: asyncio.Event = request.app.state.stop
    return stop


def still(request: Request, people: People, person: Person) -> Callable[[], Awaitable[bool]]:
    """Whether the caller is still who they were: a login may end, or a token be removed, while a stream lasts."""

    async def asked() -> bool:
        try:
            return (await people.of(request)) == person
        except (NotLoggedIn, sqlite3.Error):  # who can't be looked up just now comes back, and is asked then
            return False

    return asked


class EventStream(Response):
    """The answer that streams `events`, whole events each.

    It ends with them, when `stop` is set, when the caller leaves or takes nothing for long, and when `allowed` says no:
    it is asked before each event, and each second besides.
    """

    media_type = EVENT_STREAM

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        stop: asyncio.Event,
        allowed: Callable[[], Awaitable[bool]],
        at_end: Callable[[], None] = lambda: None,
        status_code: int = 200,
    ) -> None:
        super().__init__(status_code=status_code, headers=_HEADERS)
        del self.headers["content-length"]
        self._events, self._stop, self._allowed, self._at_end = events, stop, allowed, at_end

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._until_one_ends(
                self._pass_on(send), self._beat(send), self._watch(), gone(receive), self._stopped()
            )
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._at_end()

    async def _until_one_ends(self, *parts: Coroutine[Any, Any, None]) -> None:
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _pass_on(self, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            await _send(send, _BEGIN)
            async with contextlib.aclosing(self._events) as events:
                async for told in events:
                    if not await self._allowed():
                        return
                    await _send(send, told)

    async def _beat(self, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                await asyncio.sleep(BEAT_S)
                await _send(send, _BEAT)

    async def _watch(self) -> None:
        while await self._allowed():  # noqa: ASYNC110 (another process may end a login)
            await asyncio.sleep(ASK_S)

    async def _stopped(self) -> None:
        await self._stop.wait()


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SEND_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def gone(receive: Receive) -> None:
    """Wait until the caller has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Places:
    """How many streams each person has open."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def take(self, person: Person) -> Callable[[], None]:
        """Count a stream of theirs that begins; call what this returns when it has ended. Raises TooMany."""
        if self._open[person.name] >= self._most:
            detail = f"{self._most} streams of yours are open, as many as may be."
            raise TooMany(Problem.of(Kind.TOO_MANY_REQUESTS, detail, limit=self._most, retry_after_s=BEAT_S))
        self._open[person.name] += 1
        return partial(self._leave, person.name)

    def _leave(self, name: str) -> None:
        self._open[name] -= 1
        self._open += Counter()  # forgets who has none
