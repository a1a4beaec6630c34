"""Webhooks as they are kept: whose they are, and what they are signed with."""

import pytest

from bus.errors import BadInput
from tests.ui.web.webhooks.page import MINUTE_MS, Page
from tests.ui.web.webhooks.receiver import receiving, verified
from ui.web.people import accounts
from ui.web.people.accounts import Account
from ui.web.webhooks.webhooks import MOST_OF_A_USER


async def test_for_a_day_a_new_secret_and_the_old_one_both_sign(page: Page) -> None:
    async with receiving() as receiver, page.running() as running:
        hook = await running.webhooks.add("anna", receiver.url, ["done"])
        renewed = await running.webhooks.renew_secret("anna", hook.id)
        await running.ends("job-1")
        await receiver.until(1)
        running.later(25 * 60 * MINUTE_MS)
        await running.ends("job-2")
        first, second = await receiver.until(2)
    assert renewed.secret != hook.secret
    assert verified(hook.secret, first.headers, first.body)
    assert verified(renewed.secret, first.headers, first.body)
    assert not verified(hook.secret, second.headers, second.body)
    assert verified(renewed.secret, second.headers, second.body)


async def test_a_user_has_a_few_and_sees_only_their_own(page: Page) -> None:
    async with page.running() as running:
        webhooks = running.webhooks
        made = [await webhooks.add("anna", "https://hooks.example/", ["done"]) for _ in range(MOST_OF_A_USER)]
        with pytest.raises(BadInput, match="the most there may be"):
            await webhooks.add("anna", "https://hooks.example/", ["done"])
        theirs = await webhooks.add("berta", "https://hooks.example/", ["done"])
        for ask in (webhooks.one, webhooks.remove, webhooks.test, webhooks.deliveries, webhooks.renew_secret):
            with pytest.raises(BadInput, match="no such webhook"):
                await ask("anna", theirs.id)
        await webhooks.remove("anna", made[0].id)
        assert len(await webhooks.of("anna")) == MOST_OF_A_USER - 1
        assert [hook.id for hook in await webhooks.of("berta")] == [theirs.id]


async def test_an_account_that_is_removed_takes_its_webhooks_along(page: Page) -> None:
    async with page.running() as running:
        await running.database.run(accounts.add, Account("anna", "user", None, None, None, 1))
        await running.webhooks.add("anna", "https://hooks.example/", ["done"])
        await running.webhooks.add("berta", "https://hooks.example/", ["done"])
        await running.database.run(accounts.remove, "anna", running.page.now_ms)
        assert await running.webhooks.of("anna") == []
        with pytest.raises(BadInput, match="removed"):  # a request of theirs that was under way
            await running.webhooks.add("anna", "https://hooks.example/", ["done"])
        assert len(await running.webhooks.of("berta")) == 1
