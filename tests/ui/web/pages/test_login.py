"""Logging in with an account here, from the login page's form to who one is afterwards."""

from pathlib import Path

import pytest

from tests.ui.web.pages.visitor import CHEAP, page_of
from ui.web.people import accounts
from ui.web.people.accounts import Account


async def test_a_form_logs_in_and_goes_on_to_where_one_was(tmp_path: Path) -> None:
    async with page_of(tmp_path, page_login="accounts") as page:
        kept = CHEAP.hash_now("correct horse battery")
        await page.people._database.run(accounts.add, Account("anna", "user", kept, None, None, 1))
        shown = await page.browser.get("/login?next=/account")
        sent = {"name": "anna", "password": "correct horse battery", "next": "/account"}
        wrong = await page.browser.post("/login", data={**sent, "password": "a wrong horse"})
        told = await page.browser.get(wrong.headers["location"])
        right = await page.browser.post("/login", data=sent)
        again = await page.browser.get("/login?next=/account")
        assert await page.who() == ["anna", "user"]
    assert 'name="next" value="/account"' in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert "The name or the password is wrong." in told.text
    assert 'name="next" value="/account"' in told.text
    assert (right.status_code, right.headers["location"]) == (303, "/account")
    assert (again.status_code, again.headers["location"]) == (303, "/account")


@pytest.mark.parametrize("login", ["open", "proxy"])
async def test_where_nobody_logs_in_the_login_page_leads_to_the_first_page(tmp_path: Path, login: str) -> None:
    async with page_of(tmp_path, page_login=login, page_url="http://localhost:8600") as page:
        answer = await page.browser.get("/login?next=/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
