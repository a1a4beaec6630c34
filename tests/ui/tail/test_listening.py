"""Listening on a real broker: what is written, what is said beside it, and when it ends."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bus.errors import SetupError
from bus.events import AnyEvent, JobEvent, event_message
from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import EVENTS, shared
from ui.tail import listening
from ui.tail.choice import Choice
from ui.tail.listening import Looks, tail

NOWHERE = "amqp://guest:guest@127.0.0.1:1/"
ALL = Choice(("job.#",), since_ms=0)


def step(state: str, job: str) -> JobEvent:
    given = {"state": state, "job": job, "operation": "sketch", "user": "anna", "at_ms": 1_900_000_000_000}
    return JobEvent.model_validate(given)


def line(event: AnyEvent, _document: bytes) -> str:
    return f"{event.job} {event.state}\n" if isinstance(event, JobEvent) else "another\n"


async def tell(url: str, *messages: Message) -> None:
    async with Bus(url, name="teller", topology=shared()) as bus:
        for message in messages:
            await bus.publish(EVENTS, message)


def message(state: str, job: str) -> Message:
    event = step(state, job)
    return event_message(event, event.key)


@contextmanager
def standard_output(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where what is written can be read, in place of standard output."""
    read, write = os.pipe()
    monkeypatch.setattr(listening, "_STDOUT", write)
    try:
        yield read
    finally:
        os.close(write)


@pytest.mark.broker
async def test_the_past_is_written_oldest_first_and_what_is_no_event_is_named_once(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    garbage = Message(b"garbage", "job.odd.sketch")
    elsewhere = Message(message("done", "j3").body, "elsewhere")
    await tell(amqp_url, message("routed", "j1"), garbage, elsewhere, garbage, message("done", "j1"))
    with standard_output(monkeypatch) as read:
        await tail(amqp_url, ALL, Looks(line, said.append), follow=False)
        assert os.read(read, 1000) == b"j1 routed\nj1 done\n"
        os.close(read)
    assert len(said) == 1
    assert said[0].startswith("What came under 'job.odd.sketch' is no event of overspill's, and passed over: ")


@pytest.mark.broker
async def test_what_is_told_while_it_listens_is_written_until_nobody_reads(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listens, said = asyncio.Event(), list[str]()

    def hear(words: str) -> None:
        said.append(words)
        listens.set()

    with standard_output(monkeypatch) as read:
        listener = asyncio.create_task(tail(amqp_url, Choice(("job.#",)), Looks(line, hear)))
        await listens.wait()
        await tell(amqp_url, message("running", "j2"))
        assert await asyncio.to_thread(os.read, read, 1000) == b"j2 running\n"
        os.close(read)
        await listener
    assert said == ["Listening for job.#"]


async def test_without_a_broker_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "CONNECT_WITHIN_S", 0.1)
    with pytest.raises(SetupError, match=r"127\.0\.0\.1:1"):
        await tail(NOWHERE, ALL, Looks(line, print))


def test_how_the_listening_goes_is_said() -> None:
    said: list[str] = []
    aloud = listening._Aloud(said.append, ALL)
    aloud.begun()
    aloud.missed(70)
    aloud.begun()
    assert said == [
        "Listening for job.#",
        "About 70 events, of all kinds, were removed from the history before they were read.",
        "Connected again: going on with the next event.",
    ]
