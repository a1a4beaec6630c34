"""Webhooks as a whole: from a job that ends to a receiver that is told."""

import asyncio

import pytest

from bus.errors import BadInput
from tests.ui.web.webhooks.page import MINUTE_MS, Page, states
from tests.ui.web.webhooks.receiver import SILENCE, answered, receiving, verified


async def test_a_job_that_ends_is_told_and_signed(page: Page) -> None:
    async with receiving() as receiver, page.running() as running:
        hook = await running.webhooks.add("anna", receiver.url, ["done", "failed"])
        await running.ends("job-1")
        (got,) = await receiver.until(1)
        (delivery,) = await running.until(hook.id, lambda found: states(found) == ["arrived"])
    assert verified(hook.secret, got.headers, got.body)
    assert got.headers["webhook-timestamp"] == str(page.now_ms // 1000)
    assert got.headers["webhook-id"] == delivery.id
    assert got.headers["content-type"] == "application/json"
    assert got.document == {
        "type": "job.done",
        "timestamp": "2027-01-15T08:00:00.000Z",
        "data": {"id": "job-1", "state": "done"},
    }
    assert [(attempt.status, attempt.said) for attempt in delivery.attempts] == [(204, "arrived (204)")]


async def test_only_ends_that_were_asked_for_are_told_and_only_to_their_user(page: Page) -> None:
    async with receiving() as receiver, page.running() as running:
        await running.webhooks.add("anna", receiver.url, ["failed"])
        await running.ends("job-1", "done")
        await running.ends("job-2", "failed", user="berta")
        await running.ends("job-3", "failed")
        await running.ends("job-3", "failed")  # the same end again
        got = await receiver.until(1)
        await running.ends("job-4", "failed")
        await receiver.until(2)
    assert [one.document["data"]["id"] for one in got] == ["job-3", "job-4"]


async def test_a_test_is_sent_once_and_shown(page: Page) -> None:
    async with receiving(answered(500)) as receiver, page.running() as running:
        hook = await running.webhooks.add("anna", receiver.url, ["done"])
        tried = await running.webhooks.test("anna", hook.id)
        running.later(24 * 60 * MINUTE_MS)
        assert await running.webhooks.deliveries("anna", hook.id) == [tried]
    (got,) = receiver.got
    assert got.document["type"] == "webhook.test"
    assert verified(hook.secret, got.headers, got.body)
    assert (tried.state, tried.attempts[0].said) == ("given-up", "The receiver answered 500.")


async def test_one_test_at_a_time(page: Page) -> None:
    async with receiving(SILENCE) as receiver, page.running() as running:
        hook = await running.webhooks.add("anna", receiver.url, ["done"])
        first = asyncio.create_task(running.webhooks.test("anna", hook.id))
        await receiver.until(1)
        with pytest.raises(BadInput, match="under way"):
            await running.webhooks.test("anna", hook.id)
        assert (await first).attempts[0].said == "No answer within 1 s."


async def test_a_private_address_is_refused_at_once_and_a_name_for_one_when_called(page: Page) -> None:
    async with receiving() as receiver, page.running(private=False) as running:
        with pytest.raises(BadInput, match="not a public address"):
            await running.webhooks.add("anna", receiver.url, ["done"])
        hook = await running.webhooks.add("anna", f"http://localhost:{receiver.port}/", ["done"])
        tried = await running.webhooks.test("anna", hook.id)
    assert "not public" in tried.attempts[0].said
    assert receiver.got == []


async def test_what_is_no_url_is_refused_with_its_reason(page: Page) -> None:
    async with page.running() as running:
        with pytest.raises(BadInput, match="https://") as refused:
            await running.webhooks.add("anna", "ftp://hooks.example/", ["done"])
    assert refused.value.problem.status == 422
    assert refused.value.problem.field == "url"


async def test_a_fault_in_what_is_told_does_not_keep_a_job_from_its_end(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    async with page.running() as running:
        hook = await running.webhooks.add("anna", "https://hooks.example/", ["done"])
        await running.database.run(lambda connection: connection.execute("DROP TABLE webhook_delivery").close())
        await running.ends("job-1")
        assert (await running.webhooks.one("anna", hook.id)).switched_off is None
    assert "not told of job job-1" in caplog.text
