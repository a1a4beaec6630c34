"""Logging in, from the login page's forms to who one is afterwards; with a real provider on this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import argon2
import httpx
import pytest
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bus.settings import Settings
from tests.needed import need_package
from tests.ui.web.people.provider import CLIENT, SECRET, Provider, serving
from ui.web.guard import Guard
from ui.web.jobs.database import Database
from ui.web.people import accounts, tables
from ui.web.people.accounts import Account
from ui.web.people.login import login_routes
from ui.web.people.passwords import Passwords
from ui.web.people.people import People

need_package("nicegui", "page")
from ui.web.pages.login import login_pages  # noqa: E402 (after what it needs)

FROM_ELSEWHERE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
"""What a browser says of a link that it follows from another site."""
CHEAP = Passwords(argon2.profiles.CHEAPEST)


class Page:
    """The page as a browser sees it; `fresh` is another browser."""

    def __init__(self, people: People, address: str = "http://pictures.example") -> None:
        routes = [*login_pages(people), *login_routes(people), Route("/who", self._who)]
        self.people, self._app, self._address = people, Guard(Starlette(routes=routes), people), address
        self.browser = self.fresh()

    def fresh(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url=self._address)

    async def _who(self, request: Request) -> JSONResponse:
        person = await self.people.of(request)
        return JSONResponse([person.name, person.role])

    async def who(self) -> Any:
        answer = await self.browser.get("/who")
        return answer.json() if answer.status_code == 200 else None

    async def consented(self, after: str = "/") -> str:
        """From the login page's link to the provider; the address that the provider sends the browser back to."""
        begun = await self.browser.get("/login/oidc", params={"next": after})
        assert begun.status_code == 303, begun.text
        async with httpx.AsyncClient(verify=False) as outside:  # noqa: S501 (over http; reading certificates takes long)
            return (await outside.get(begun.headers["location"])).headers["location"]

    async def logged_in(self, after: str = "/") -> httpx.Response:
        return await self.back(await self.consented(after))

    async def back(self, link: str) -> httpx.Response:
        """What the page answers to the link that the provider sends a browser to."""
        return await self.browser.get(link, headers=FROM_ELSEWHERE)


@asynccontextmanager
async def page_of(folder: Path, **settings: Any) -> AsyncIterator[Page]:
    database = Database(folder / "page.db", tables.SCHEMA)
    await database.open()
    people = People(Settings(page_dir=folder, **settings), database, passwords=CHEAP)
    page = Page(people, settings.get("page_url") or "http://pictures.example")
    try:
        yield page
    finally:
        await page.browser.aclose()
        await database.close()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with serving(Provider()) as provider:
        yield provider


@pytest.fixture
async def page(provider: Provider, tmp_path: Path) -> AsyncIterator[Page]:
    async with page_of(tmp_path, **oidc(provider)) as page:
        yield page


def oidc(provider: Provider, **more: Any) -> dict[str, Any]:
    named = {"page_oidc_issuer": provider.issuer, "page_oidc_client": CLIENT, "page_oidc_secret": SECRET}
    return {"page_login": "oidc", **named, **more}


# With an account here.


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


# With an OpenID provider.


async def test_the_provider_says_who_one_is(page: Page, provider: Provider) -> None:
    shown = await page.browser.get("/login?next=/account")
    answer = await page.logged_in(after="/account")
    assert 'href="/login/oidc?next=/account"' in shown.text
    assert "Log in with 127.0.0.1" in shown.text
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert await page.who() == ["anna", "user"]
    assert "overspill-login" not in page.browser.cookies


async def test_a_client_without_basic_authentication_and_names_told_only_when_asked(
    page: Page, provider: Provider
) -> None:
    provider.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    provider.claims = {"preferred_username": None}
    provider.userinfo = {"sub": "subject-1", "email": "anna@b.example"}
    assert (await page.logged_in()).status_code == 303
    assert await page.who() == ["anna@b.example", "user"]


async def test_what_is_told_of_another_subject_is_not_taken(page: Page, provider: Provider) -> None:
    provider.claims = {"preferred_username": None}
    provider.userinfo = {"sub": "subject-2", "email": "berta@b.example"}
    await page.logged_in()
    assert await page.who() == ["subject-1", "user"]


async def test_one_keeps_ones_account_whatever_the_provider_calls_one_later(page: Page, provider: Provider) -> None:
    await page.logged_in()
    provider.claims = {"preferred_username": "Annabelle"}
    await page.logged_in()
    assert await page.who() == ["anna", "user"]


async def test_two_of_one_name_are_two_people(page: Page, provider: Provider) -> None:
    await page.logged_in()
    provider.claims = {"sub": "subject-2"}
    page.browser = page.fresh()
    await page.logged_in()
    assert await page.who() == ["anna-2", "user"]


async def test_an_operator_is_who_has_proved_it(provider: Provider, tmp_path: Path) -> None:
    async with page_of(tmp_path, **oidc(provider, page_operators="boss@b.example")) as page:
        provider.claims = {"preferred_username": "boss@b.example"}
        await page.logged_in()
        assert await page.who() == ["subject-1", "user"]
        page.browser = page.fresh()
        provider.claims = {"sub": "subject-2", "email": "boss@b.example", "email_verified": True}
        await page.logged_in()
        assert await page.who() == ["boss@b.example", "operator"]


async def test_over_https_the_cookie_is_this_hosts_alone(provider: Provider, tmp_path: Path) -> None:
    async with page_of(tmp_path, **oidc(provider, page_url="https://pictures.example")) as page:
        begun = await page.browser.get("/login/oidc")
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        answer = await page.logged_in()
        assert await page.who() == ["anna", "user"]
    assert asked["redirect_uri"] == ["https://pictures.example/login/oidc/callback"]
    assert begun.headers["set-cookie"].startswith("__Host-overspill-login=")
    assert "; Secure" in begun.headers["set-cookie"]
    assert all("; Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))


async def refused(page: Page, said: str) -> None:
    """The login comes to nothing, on a page that says so."""
    answer = await page.logged_in()
    assert answer.status_code >= 400
    assert said in answer.text
    assert 'href="/login"' in answer.text
    assert await page.who() is None


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "of another login"}, "is of another login"),
        ({"aud": "somebody else"}, "is for another program"),
        ({"iss": "https://evil.example"}, "is from another provider"),
        ({"exp": 1}, "has expired"),
    ],
)
async def test_an_id_token_that_is_not_for_this_login_is_refused(
    page: Page, provider: Provider, claims: dict[str, Any], said: str
) -> None:
    provider.claims = claims
    await refused(page, said)


async def test_an_unsigned_id_token_is_refused(page: Page, provider: Provider) -> None:
    provider.algorithm = "none"
    await refused(page, "is not signed as it must be")


async def test_one_signed_by_somebody_else_is_refused(page: Page, provider: Provider) -> None:
    provider.key = RSAKey.generate_key(2048, {"kid": "first"})
    await refused(page, "is not signed as it must be")


async def test_an_answer_to_another_state_is_refused_before_its_code_is_redeemed(
    page: Page, provider: Provider
) -> None:
    provider.answer = {"state": "another"}
    await refused(page, "was not begun in this browser")
    assert provider.redeemed == 0


async def test_the_answer_of_another_provider_is_refused(page: Page, provider: Provider) -> None:
    provider.answer = {"iss": "https://evil.example"}
    await refused(page, "came from another provider")


async def test_who_says_no_at_the_provider_is_told_so(page: Page, provider: Provider) -> None:
    provider.answer = {"error": "access_denied", "error_description": "<script>alert(1)</script>"}
    await refused(page, "did not let you in")


async def test_a_login_ends_in_the_browser_that_began_it(page: Page) -> None:
    """Somebody else's answer, sent as a link, would log its reader in as that somebody."""
    back = await page.consented()
    page.browser = page.fresh()
    answer = await page.back(back)
    assert answer.status_code == 400
    assert "was not begun in this browser" in answer.text
    assert await page.who() is None


async def test_a_code_is_redeemed_once(page: Page, provider: Provider) -> None:
    back = await page.consented()
    begun = dict(page.browser.cookies)
    assert (await page.back(back)).status_code == 303
    page.browser = page.fresh()
    without = await page.back(back)
    page.browser.cookies.update(begun)  # and if somebody had the cookie too
    replayed = await page.back(back)
    assert "was not begun in this browser" in without.text
    assert replayed.status_code == 502
    assert await page.who() is None
    assert provider.redeemed == 1


async def test_a_wrong_client_secret_is_told_as_a_fault_and_logged(
    provider: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with page_of(tmp_path, **oidc(provider, page_oidc_secret="wrong")) as page:
        await refused(page, "The provider refused.")
    assert "invalid_grant" in caplog.text
    assert "wrong" not in caplog.text


@pytest.mark.parametrize(
    ("discovery", "said"),
    [({"issuer": "https://evil.example"}, "calls itself otherwise"), ({"jwks_uri": None}, "jwks_uri is missing")],
)
async def test_a_provider_that_is_not_what_it_must_be_is_not_gone_to(
    page: Page, provider: Provider, discovery: dict[str, Any], said: str
) -> None:
    provider.discovery = discovery
    answer = await page.browser.get("/login/oidc")
    assert answer.status_code == 502
    assert said in answer.text


async def test_a_provider_that_does_not_answer_is_told_as_that(tmp_path: Path) -> None:
    async with serving(Provider()) as provider:
        pass
    async with page_of(tmp_path, **oidc(provider)) as page:
        answer = await page.browser.get("/login/oidc")
    assert answer.status_code == 502
    assert "The provider does not answer." in answer.text
