"""Logging in by a real OpenID provider on this machine, from the link to it to who one is afterwards."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from tests.ui.web.pages.visitor import Page, page_of
from tests.ui.web.people.provider import CLIENT, SECRET, Provider, serving


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
