"""A client's spans: sending and receiving, in its caller's trace if there is one."""

import pytest

from bus.errors import JobFailed
from producers.client import AsyncClient, Client
from telemetry.traces import begin
from tests.producers.client.responder import Responder, complaint
from tests.tracing import CALLER, PARENT, TRACE, recorded

pytestmark = pytest.mark.broker


async def test_sending_and_receiving_are_a_trace_of_their_own(amqp_url: str) -> None:
    with recorded() as seen:
        async with Responder(amqp_url) as vms, AsyncClient(amqp_url) as client:
            await (await client.submit(b"jpeg", "sketch")).result(30)
            sent = vms.seen[0]
    assert (seen.names, seen.parent("submit")) == (["submit", "receive"], None)
    assert seen.parent("receive") == seen.id("submit")
    assert (sent.traceparent or "").startswith(f"00-{seen.trace('submit')}-{seen.id('submit')}-")


async def test_what_the_caller_says_goes_before_what_it_is_doing(amqp_url: str) -> None:
    with recorded() as seen:
        async with Responder(amqp_url) as vms, AsyncClient(amqp_url) as client:
            vms.answers = complaint
            with begin("theirs", None, dict):
                told = await client.submit(b"jpeg", "sketch", traceparent=PARENT)
                with pytest.raises(JobFailed):
                    await told.result(30)
                assert (seen.trace("submit"), seen.parent("submit")) == (TRACE, CALLER)
                await client.submit(b"jpeg", "sketch", traceparent="garbage")
    assert seen.parent("submit") == seen.id("theirs")
    assert seen.error("receive") == "the answer is a problem"


async def test_without_opentelemetry_a_context_is_handed_on(amqp_url: str) -> None:
    async with Responder(amqp_url) as vms, AsyncClient(amqp_url) as client:
        for told in (PARENT, "garbage"):
            await (await client.submit(b"jpeg", "sketch", traceparent=told)).result(30)
        assert [job.traceparent for job in vms.seen] == [PARENT, None]


def test_a_caller_without_a_loop_has_its_current_span_too(amqp_url: str) -> None:
    with recorded() as seen, Client(amqp_url) as client, begin("theirs", None, dict):
        client.submit(b"jpeg", "sketch")
    assert seen.parent("submit") == seen.id("theirs")
