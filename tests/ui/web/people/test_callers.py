"""Who calls, by each of the four ways to log in: transcripts over a real database."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.ui.web.people.village import DAY_MS, asked, village
from ui.web.jobs import removed_users
from ui.web.people import accounts, sessions
from ui.web.people import callers as callers_module
from ui.web.people.person import NotLoggedIn, Person
from ui.web.people.tokens import USED_EVERY_MS

PROXY: dict[str, Any] = {"page_login": "proxy", "page_url": "https://pictures.example", "page_proxies": "10.0.0.3/32"}
OIDC: dict[str, Any] = {
    "page_login": "oidc",
    "page_oidc_issuer": "https://accounts.example",
    "page_oidc_client": "overspill",
}


@pytest.fixture
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a second had gone by since anything was looked up."""
    monkeypatch.setattr(callers_module, "REMEMBERED_S", 0.0)


async def test_an_open_page_is_everybodys(tmp_path: Path) -> None:
    async with village(tmp_path, page_login="open") as there:
        assert await there.people.of(asked()) == Person("demo", "operator", "open")
        assert await there.people.of(asked({"authorization": "Bearer whatever"})) == Person("demo", "operator", "open")


async def test_a_login_holds_until_its_logout(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        cookie = await there.logged_in("anna")
        assert await there.people.of(asked(cookie)) == Person("anna", "user", "session")
        assert "Max-Age=0" in await there.people.log_out(asked(cookie))
        with pytest.raises(NotLoggedIn, match="has ended"):
            await there.people.of(asked(cookie))


@pytest.mark.parametrize(
    "headers", [{}, {"cookie": "overspill="}, {"cookie": "overspill=guess; __Host-overspill=guess"}]
)
async def test_who_brings_nothing_is_nobody(tmp_path: Path, headers: dict[str, str]) -> None:
    async with village(tmp_path) as there:
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(headers))


async def test_the_cookie_of_https_is_not_taken_over_http(tmp_path: Path) -> None:
    """A neighbour on http could have set one that is called like the other."""
    async with village(tmp_path) as there:
        await there.add("anna")
        secure = await there.logged_in("anna", scheme="https")
        assert secure["cookie"].startswith("__Host-overspill=")
        assert await there.people.of(asked(secure, scheme="https"))
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(secure))
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked({"cookie": secure["cookie"].removeprefix("__Host-")}, scheme="https"))


async def test_the_pages_own_address_decides_over_what_a_connection_looks_like(tmp_path: Path) -> None:
    async with village(tmp_path, page_url="https://pictures.example") as there:
        assert there.people.callers.is_secure(asked())
        assert there.people.url_of(asked()) == "https://pictures.example"
    async with village(tmp_path, page_host="127.0.0.1") as there:
        assert there.people.url_of(asked()) == "http://page.example"
        assert there.people.url_of(asked([("host", "other.example")])) == "http://127.0.0.1:8600"


async def test_a_token_is_its_owner(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna", "operator")
        kept, token = await there.people.add_token(Person("anna", "operator", "session"), "script")
        bearer = {"authorization": f"Bearer {token}"}
        assert await there.people.of(asked(bearer)) == Person("anna", "operator", "token")
        assert await there.people.remove_token(Person("anna", "operator", "session"), kept.id)
        with pytest.raises(NotLoggedIn, match="token"):
            await there.people.of(asked(bearer))


async def test_a_wrong_token_is_not_mended_by_a_cookie(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        cookie = await there.logged_in("anna")
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(cookie | {"authorization": "Bearer ovs_0_0"}))
        assert await there.people.of(asked(cookie | {"authorization": "Basic YTpi"}))


@pytest.mark.usefixtures("_no_memory")
async def test_the_last_use_of_a_token_is_known_to_the_minute(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        _, token = await there.people.add_token(Person("anna", "user", "session"), "script")
        used, began = [], there.now_ms
        for later_ms in (0, USED_EVERY_MS - 1, USED_EVERY_MS):
            there.now_ms = began + later_ms
            await there.people.of(asked({"authorization": f"Bearer {token}"}))
            used.append((await there.people.tokens_of("anna"))[0].used_ms)
        assert used == [began, began, began + USED_EVERY_MS]


@pytest.mark.usefixtures("_no_memory")
async def test_a_login_ends_unused_or_old(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        used, unused = await there.logged_in("anna"), await there.logged_in("anna")
        for _ in range(6):
            there.now_ms += DAY_MS
            assert await there.people.of(asked(used))
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(unused))
        there.now_ms += DAY_MS
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(used))


@pytest.mark.usefixtures("_no_memory")
async def test_what_the_command_line_changes_is_noticed(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        cookie = await there.logged_in("anna")
        await there.database.run(accounts.set_role, "anna", "operator")
        assert (await there.people.of(asked(cookie))).is_operator
        await there.database.run(accounts.remove, "anna", there.now_ms)
        await there.database.run(removed_users.free, "anna", there.now_ms + removed_users.HELD_MS)
        await there.add("anna")
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(cookie))


async def test_who_was_just_looked_up_is_not_looked_up_again(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        cookie = await there.logged_in("anna")
        await there.people.of(asked(cookie))
        await there.database.run(sessions.end_all, "anna")
        assert await there.people.of(asked(cookie))
        there.people.callers.forget()
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(cookie))


async def test_what_was_looked_up_before_a_change_is_not_remembered_after_it(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        cookie = await there.logged_in("anna")
        lookup = asyncio.ensure_future(there.people.of(asked(cookie)))
        await asyncio.sleep(0)  # it waits for the database
        there.people.callers.forget()
        assert await lookup
        await there.database.run(sessions.end_all, "anna")
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(cookie))


async def test_few_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers_module, "_MOST_REMEMBERED", 1)
    async with village(tmp_path) as there:
        await there.add("anna")
        cookies = [await there.logged_in("anna") for _ in range(3)]
        assert {(await there.people.of(asked(cookie))).name for cookie in cookies * 2} == {"anna"}


async def test_settings_make_operators(tmp_path: Path) -> None:
    async with village(tmp_path, page_operators=("anna",)) as there:
        await there.add("anna")
        assert (await there.people.of(asked(await there.logged_in("anna")))).is_operator


async def test_accounts_of_another_kind_of_login_wait_for_their_day(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        cookie = await there.logged_in("anna")
        _, token = await there.people.add_token(Person("anna", "user", "session"), "script")
    async with village(tmp_path, **OIDC) as there:
        for headers in (cookie, {"authorization": f"Bearer {token}"}):
            with pytest.raises(NotLoggedIn):
                await there.people.of(asked(headers))


async def test_whom_a_provider_let_in(tmp_path: Path) -> None:
    async with village(tmp_path, **OIDC, page_operators=("anna",)) as there:
        anna = await there.people.claim("https://accounts.example", "42", "Anna")
        cookie = {"cookie": (await there.people.log_in(anna, asked())).partition(";")[0]}
        assert await there.people.of(asked(cookie)) == anna == Person("anna", "operator", "session")


# Behind a proxy.


async def test_a_proxy_names_who_calls(tmp_path: Path) -> None:
    async with village(tmp_path, **PROXY, page_operators=("Änna",)) as there:
        named = {"x-forwarded-user": "Änna".encode().decode("latin-1")}
        assert await there.people.of(asked(named, client="10.0.0.3")) == Person("Änna", "operator", "proxy")
        assert (await there.people.of(asked({"x-forwarded-user": "ben"}, client="10.0.0.3"))).role == "user"


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("192.0.2.7", [("x-forwarded-user", "anna")]),  # past the proxy
        ("192.0.2.7", [("x-forwarded-user", "anna"), ("x-forwarded-for", "10.0.0.3")]),
        ("127.0.0.1", [("x-forwarded-user", "anna")]),  # loopback is no proxy here
        ("10.0.0.3", []),
        ("10.0.0.3", [("x-forwarded-user", "")]),
        ("10.0.0.3", [("x-forwarded-user", "ben"), ("x-forwarded-user", "anna")]),  # the caller's, and the proxy's
        ("10.0.0.3", [("x_forwarded_user", "anna")]),
        ("10.0.0.3", [("x-forwarded-user", "demo")]),
        ("10.0.0.3", [("x-forwarded-user", "a\x00b")]),
        ("10.0.0.3", [("remote-user", "anna")]),
    ],
)
async def test_nobody_else_does(tmp_path: Path, client: str, headers: list[tuple[str, str]]) -> None:
    async with village(tmp_path, **PROXY) as there:
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(headers, client=client))


async def test_behind_a_proxy_no_cookie_and_no_token_counts(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        cookie = await there.logged_in("anna")
    async with village(tmp_path, **PROXY) as there:
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(cookie, client="10.0.0.3"))
