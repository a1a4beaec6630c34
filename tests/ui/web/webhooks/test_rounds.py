"""When webhooks are sent: what fails again and again, and across a restart."""

import asyncio

import pytest

from tests.ui.web.webhooks.page import MINUTE_MS, Page, states
from tests.ui.web.webhooks.receiver import SILENCE, answered, receiving, verified
from ui.web.webhooks.retries import WAITS_S


async def test_what_fails_is_tried_again_under_the_same_id_after_the_waits(page: Page) -> None:
    refusals = [answered(500), answered(503), answered(302, "location: http://127.0.0.1:9/")]
    async with receiving(*refusals) as receiver, page.running() as running:
        hook = await running.webhooks.add("anna", receiver.url, ["done"])
        await running.ends("job-1")
        for attempts in (1, 2, 3):
            await running.until(hook.id, lambda found, n=attempts: len(found[0].attempts) == n)  # type: ignore[misc]  # n is bound here
            running.later(2 * WAITS_S[attempts - 1] * 1000)
        (delivery,) = await running.until(hook.id, lambda found: states(found) == ["arrived"])
    assert [attempt.status for attempt in delivery.attempts] == [500, 503, 302, 204]
    assert {got.headers["webhook-id"] for got in receiver.got} == {delivery.id}
    assert {got.body for got in receiver.got} == {delivery.body}
    assert len({got.headers["webhook-timestamp"] for got in receiver.got}) == 4
    assert all(verified(hook.secret, got.headers, got.body) for got in receiver.got)


async def test_nothing_is_sent_before_its_time(page: Page) -> None:
    async with receiving(answered(500)) as receiver, page.running() as running:
        hook = await running.webhooks.add("anna", receiver.url, ["done"])
        await running.ends("job-1")
        await running.until(hook.id, lambda found: len(found[0].attempts) == 1)
        running.later(WAITS_S[0] * 1000 - 1)
        await running.ends("job-2")  # what is due goes out, and with it would what is not
        await running.until(hook.id, lambda found: "arrived" in states(found))
    assert [got.document["data"]["id"] for got in receiver.got] == ["job-1", "job-2"]


async def test_a_restart_loses_nothing_and_sends_what_was_under_way_again(page: Page) -> None:
    async with receiving(answered(500), SILENCE) as receiver:
        async with page.running() as running:
            hook = await running.webhooks.add("anna", receiver.url, ["done"])
            await running.ends("job-1")
            await running.until(hook.id, lambda found: len(found[0].attempts) == 1)
            await running.ends("job-2")
            await receiver.until(2)  # it is being told of job-2 when the page ends
        page.now_ms += MINUTE_MS
        async with page.running() as running:
            found = await running.until(hook.id, lambda found: states(found) == ["arrived"] * 2)
    ids = {delivery.job: delivery.id for delivery in found}
    assert [got.headers["webhook-id"] for got in receiver.got[:2]] == [ids["job-1"], ids["job-2"]]
    assert {got.headers["webhook-id"] for got in receiver.got[2:]} == set(ids.values())


async def test_a_slow_receiver_holds_up_nobody_else(page: Page) -> None:
    async with receiving(*[SILENCE] * 4) as slow, receiving() as quick, page.running() as running:
        await running.webhooks.add("anna", slow.url, ["done"])
        await running.webhooks.add("berta", quick.url, ["done"])
        for number in range(4):
            await running.ends(f"job-{number}")
        await slow.until(4)
        await running.ends("job-of-berta", user="berta")
        (got,) = await quick.until(1)
    assert got.document["data"]["id"] == "job-of-berta"


async def test_a_database_that_fails_for_a_while_is_asked_again(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    async with page.running() as running:
        await running.database.run(lambda connection: connection.execute("DROP TABLE webhook_delivery").close())
        running.webhooks._rounds.wake()
        async with asyncio.timeout(20):
            while "webhooks can't be read; trying again" not in caplog.text:  # noqa: ASYNC110 (it is told in the log)
                await asyncio.sleep(0.01)
