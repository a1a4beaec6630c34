"""What is kept of deliveries, and when a webhook is told no more."""

from tests.ui.web.webhooks.page import MINUTE_MS, Page, ended, states
from tests.ui.web.webhooks.receiver import answered, receiving
from ui.web.jobs import rows
from ui.web.jobs.reopening import reopen
from ui.web.webhooks.deliveries import KEPT_MS, MOST_WAITING
from ui.web.webhooks.retries import GIVEN_UP_IN_A_ROW


async def test_it_is_given_up_after_the_last_wait_and_the_webhook_after_several(page: Page) -> None:
    always = [answered(500)] * 8 * GIVEN_UP_IN_A_ROW
    async with receiving(*always) as receiver, page.running() as running:
        hook = await running.webhooks.add("anna", receiver.url, ["done"])
        for number in range(GIVEN_UP_IN_A_ROW):
            await running.ends(f"job-{number}")
        for attempts in range(1, 9):
            await running.until(hook.id, lambda found, n=attempts: all(len(one.attempts) == n for one in found))  # type: ignore[misc]  # n is bound here
            running.later(24 * 60 * MINUTE_MS)
        found = await running.until(hook.id, lambda found: set(states(found)) == {"given-up"})
        off = await running.webhooks.one("anna", hook.id)
        await running.ends("job-after")
        after = await running.webhooks.deliveries("anna", hook.id)
        tried = await running.webhooks.test("anna", hook.id)
        on = await running.webhooks.one("anna", hook.id)
    assert len(found) == len(after) == GIVEN_UP_IN_A_ROW
    assert off.switched_off == "5 deliveries in a row were given up after 8 attempts each."
    assert tried.state == "arrived"
    assert (on.switched_off, on.given_up) == (None, 0)


async def test_a_receiver_that_is_gone_is_asked_no_more(page: Page) -> None:
    async with receiving(answered(410)) as receiver, page.running() as running:
        hook = await running.webhooks.add("anna", receiver.url, ["done"])
        await running.ends("job-1")
        await running.until(hook.id, lambda found: states(found) == ["given-up"])
        off = await running.webhooks.one("anna", hook.id)
    assert off.switched_off == "The receiver answered 410: it wants no more."


async def test_a_receiver_that_has_too_much_waiting_is_told_no_more(page: Page) -> None:
    async with page.running() as running:
        hook = await running.webhooks.add("anna", "http://nobody.invalid/", ["done"])
        await running.end_together([f"job-{number}" for number in range(MOST_WAITING + 1)])
        off = await running.webhooks.one("anna", hook.id)
        kept = await running.webhooks.deliveries("anna", hook.id, 2 * MOST_WAITING)
    assert len(kept) == MOST_WAITING
    assert off.switched_off == "1000 deliveries wait for the receiver."


async def test_what_is_old_is_forgotten(page: Page) -> None:
    async with receiving() as receiver:
        async with page.running() as running:
            hook = await running.webhooks.add("anna", receiver.url, ["done"])
            await running.ends("job-1")
            await running.until(hook.id, lambda found: states(found) == ["arrived"])
        page.now_ms += KEPT_MS + 1
        async with page.running() as running:
            await running.until(hook.id, lambda found: found == [])


async def test_of_a_job_that_is_opened_anew_the_second_end_is_told_too(page: Page) -> None:
    told: list[str] = []
    failed = ended("job-1", "failed", "anna")
    under_way = failed.model_copy(update={"state": "queued"})
    async with receiving() as receiver, page.running() as running:
        hook = await running.webhooks.add("anna", receiver.url, ["failed"])
        await running.database.run(rows.add, under_way, None, b"")
        for _ in range(2):
            await running.database.run(rows.end, [failed], page.told)
            told += [one.id for one in await running.until(hook.id, lambda found: states(found) == ["arrived"])]
            assert await running.database.run(reopen, under_way)
    assert len(set(told)) == 2
