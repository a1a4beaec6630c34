"""One stream as a server runs it: when it begins, what it sends, and each way in which it ends."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from ui.web.api import streams
from ui.web.api.streams import EventStream, Places, event
from ui.web.people.person import Person, TooMany

ANNA = Person("anna", "user", "session")


class Wire:
    """A connection: what was sent, and a caller who may leave."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.left = asyncio.Event()

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def two() -> AsyncGenerator[bytes, None]:
    yield event("job", "{}", 7)
    yield event("reset", "{}")


async def endless() -> AsyncGenerator[bytes, None]:
    yield event("job", "{}")
    await asyncio.Event().wait()


async def always() -> bool:
    return True


async def run(wire: Wire, events: AsyncGenerator[bytes, None], **given: Any) -> "asyncio.Task[None]":
    """A stream that has sent its first event."""
    stop, allowed = given.pop("stop", asyncio.Event()), given.pop("allowed", always)
    stream = EventStream(events, stop, allowed, **given)
    task = asyncio.create_task(stream({"type": "http"}, wire.receive, wire.send))
    while b"event" not in wire.body and not task.done():  # noqa: ASYNC110 (a step at a time)
        await asyncio.sleep(0)
    return task


async def test_it_sends_whole_events_and_ends_with_them() -> None:
    wire, ended = Wire(), []
    await (await run(wire, two(), at_end=lambda: ended.append(True)))
    assert wire.body == b"retry: 2000\n\nevent: job\nid: 7\ndata: {}\n\nevent: reset\ndata: {}\n\n"
    headers = dict(wire.sent[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-store"
    assert b"content-length" not in headers
    assert wire.sent[-1]["more_body"] is False
    assert ended == [True]


async def test_it_ends_when_the_caller_leaves() -> None:
    wire = Wire()
    task = await run(wire, endless())
    wire.left.set()
    await asyncio.wait_for(task, 5)


async def test_it_ends_when_the_process_stops() -> None:
    wire, stop = Wire(), asyncio.Event()
    task = await run(wire, endless(), stop=stop)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert wire.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_it_says_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BEAT_S", 0.001)
    wire = Wire()
    task = await run(wire, endless())
    while wire.body.count(b":\n\n") < 3:  # noqa: ASYNC110 (a beat at a time)
        await asyncio.sleep(0)
    wire.left.set()
    await asyncio.wait_for(task, 5)


async def test_it_ends_soon_after_its_caller_may_hear_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ASK_S", 0.001)
    wire, may = Wire(), [True]

    async def allowed() -> bool:
        return may[0]

    task = await run(wire, endless(), allowed=allowed)
    may[0] = False
    await asyncio.wait_for(task, 5)
    assert wire.sent[-1]["more_body"] is False


async def test_who_may_hear_no_more_is_told_nothing_more() -> None:
    wire, may, more = Wire(), [True], asyncio.Event()

    async def allowed() -> bool:
        return may[0]

    async def source() -> AsyncGenerator[bytes, None]:
        yield event("job", "{}", 1)
        await more.wait()
        yield event("job", "{}", 2)

    task = await run(wire, source(), allowed=allowed)
    may[0] = False
    more.set()
    await asyncio.wait_for(task, 5)
    assert b"id: 1" in wire.body
    assert b"id: 2" not in wire.body


async def test_it_ends_when_nothing_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SEND_S", 0.01)
    wire = Wire()

    async def stuck(message: Any) -> None:
        await wire.send(message)
        if message.get("more_body"):
            await asyncio.Event().wait()

    await asyncio.wait_for(EventStream(endless(), asyncio.Event(), always)({}, wire.receive, stuck), 5)
    assert wire.sent[-1]["more_body"] is False


async def test_a_fault_of_its_source_is_not_hidden() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield event("job", "{}")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await (await run(Wire(), broken()))


async def test_what_it_reads_from_is_closed() -> None:
    closed: list[bool] = []

    async def source() -> AsyncGenerator[bytes, None]:
        with contextlib.ExitStack() as stack:
            stack.callback(closed.append, True)
            yield event("job", "{}")
            await asyncio.Event().wait()

    wire = Wire()
    task = await run(wire, source())
    wire.left.set()
    await task
    assert closed == [True]


def test_places_are_given_back() -> None:
    places = Places(most=2)
    first, _second = places.take(ANNA), places.take(ANNA)
    with pytest.raises(TooMany):
        places.take(ANNA)
    places.take(Person("ben", "user", "session"))
    first()
    places.take(ANNA)
