import asyncio
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ui.web.webhooks.certificates import certified
from tests.ui.web.webhooks.receiver import SILENCE, answered, receiving
from ui.web.webhooks.calling import MOST_READ, Caller

HEADERS = {"content-type": "application/json", "webhook-id": "msg_1"}


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    """One that may call this machine, and waits for half a second."""
    caller = Caller(private=True, timeout_s=0.5)
    yield caller
    await caller.close()


async def test_what_arrives_is_what_was_sent(caller: Caller) -> None:
    async with receiving(answered(202)) as receiver:
        outcome = await caller.post(receiver.url, HEADERS, b'{"a": 1}')
    (got,) = receiver.got
    assert (outcome.status, outcome.error) == (202, None)
    assert got.line == "POST /hook?from=overspill HTTP/1.1"
    assert got.body == b'{"a": 1}'
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["webhook-id"] == "msg_1"
    assert got.headers["user-agent"] == "overspill"


async def test_a_name_is_kept_in_host_though_its_address_is_called(caller: Caller) -> None:
    async with receiving() as receiver:
        outcome = await caller.post(f"http://localhost:{receiver.port}/", HEADERS, b"{}")
    assert outcome.arrived
    assert receiver.got[0].headers["host"] == f"localhost:{receiver.port}"


async def test_a_redirect_is_not_followed(caller: Caller) -> None:
    async with receiving() as elsewhere, receiving(answered(307, f"location: {elsewhere.url}")) as receiver:
        outcome = await caller.post(receiver.url, HEADERS, b"{}")
    assert outcome.status == 307
    assert not outcome.arrived
    assert elsewhere.got == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
async def test_a_private_address_is_not_called_however_it_is_written(host: str) -> None:
    caller = Caller(private=False)
    async with receiving() as receiver:
        outcome = await caller.post(f"http://{host}:{receiver.port}/", HEADERS, b"{}")
    await caller.close()
    assert outcome.status is None
    assert "not public" in (outcome.error or "")
    assert receiver.got == []


async def test_an_endless_answer_is_left_after_a_little(caller: Caller) -> None:
    much = answered(200, body=b"x" * 50 * MOST_READ)
    async with receiving(much) as receiver:
        assert (await caller.post(receiver.url, HEADERS, b"{}")).arrived


async def test_a_receiver_that_says_nothing_is_given_up(caller: Caller) -> None:
    async with receiving(SILENCE) as receiver:
        outcome = await caller.post(receiver.url, HEADERS, b"{}")
    assert (outcome.status, outcome.error) == (None, "No answer within 0.5 s.")


async def test_what_is_no_http_is_an_outcome_too(caller: Caller) -> None:
    async with receiving(b"220 mail.example ESMTP\r\n") as receiver:
        outcome = await caller.post(receiver.url, HEADERS, b"{}")
    assert outcome.status is None
    assert "The connection failed" in (outcome.error or "")


async def test_nobody_there_and_no_such_name(caller: Caller) -> None:
    async with receiving() as receiver:
        pass
    refused = await caller.post(receiver.url, HEADERS, b"{}")
    unknown = await caller.post("http://nobody.invalid/", HEADERS, b"{}")
    assert "No connection" in (refused.error or "")
    assert unknown.error == "No such host: nobody.invalid"


async def test_a_name_can_be_no_name() -> None:
    caller = Caller(private=True)
    outcome = await caller.post(f"http://{'a' * 70}.example/", HEADERS, b"{}")
    await caller.close()
    assert "No such host" in (outcome.error or "")


async def test_names_that_are_slow_to_be_found_hold_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    found = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: found.wait(10) and [])
    caller = Caller(private=True, timeout_s=0.01)
    try:
        outcomes = await asyncio.gather(*(caller.post("http://slow.example/", HEADERS, b"{}") for _ in range(50)))
        assert {outcome.error for outcome in outcomes} == {"No answer within 0.01 s."}
        # The loop's own threads, which write pictures to the disk, are free.
        await asyncio.gather(*(asyncio.to_thread(os.getpid) for _ in range(50)))
        assert not found.is_set()
    finally:
        found.set()
        await caller.close()


async def test_a_certificate_is_checked_against_the_name_not_the_address(tmp_path: Path) -> None:
    ours = certified(tmp_path, "localhost")
    caller = Caller(private=True, verify=ssl.create_default_context(cafile=ours.authority))
    async with receiving(tls=ours.server) as receiver:
        outcome = await caller.post(f"https://localhost:{receiver.port}/", HEADERS, b"{}")
    await caller.close()
    assert outcome.arrived


async def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    theirs = certified(tmp_path, "somebody.example")
    caller = Caller(private=True, verify=ssl.create_default_context(cafile=theirs.authority))
    async with receiving(tls=theirs.server) as receiver:
        outcome = await caller.post(f"https://localhost:{receiver.port}/", HEADERS, b"{}")
    await caller.close()
    assert "certificate" in (outcome.error or "")
    assert receiver.got == []
