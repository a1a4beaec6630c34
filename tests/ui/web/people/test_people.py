"""Logins, passwords, tokens and allowances: transcripts over a real database."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from argon2.profiles import CHEAPEST

from bus.errors import BadInput, SetupError
from tests.ui.web.people.village import DAY_MS, PASSWORD, asked, village
from ui.web.jobs.database import Database
from ui.web.people import accounts
from ui.web.people import people as people_module
from ui.web.people.passwords import Passwords
from ui.web.people.person import NotAllowed, NotLoggedIn, Person, TooMany

NEWER = "a newer horse battery"
ANNA = Person("anna", "user", "session")


async def test_a_password_lets_in_under_the_name_however_typed(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna", "operator")
        person, _ = await there.people.check_password(" Anna ", PASSWORD, asked())
        assert person == replace(ANNA, role="operator")


@pytest.mark.parametrize(
    ("name", "password"), [("anna", "wrong horse battery"), ("carl", PASSWORD), ("prov", PASSWORD), ("prov", "")]
)
async def test_what_is_wrong_is_told_in_the_same_words(tmp_path: Path, name: str, password: str) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        await there.add("prov", password=None)
        with pytest.raises(NotLoggedIn) as caught:
            await there.people.check_password(name, password, asked())
        assert caught.value.problem.detail == "The name or the password is wrong."


async def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        for _ in range(8):
            with pytest.raises(NotLoggedIn):
                await there.people.check_password("anna", "wrong horse battery", asked())
        with pytest.raises(TooMany) as caught:
            await there.people.check_password("anna", "wrong horse battery", asked())
        assert (caught.value.problem.status, caught.value.problem.retry_after_s) == (429, 1)
        with pytest.raises(TooMany):  # not even the right one, or the answer would tell it
            await there.people.check_password("anna", PASSWORD, asked())


async def test_guesses_made_at_once_do_not_slip_through(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        tries = [there.people.check_password("anna", "wrong", asked(client=f"192.0.2.{n}")) for n in range(30)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(outcome, NotLoggedIn) for outcome in outcomes) == 8


async def test_passwords_let_nobody_in_where_others_decide(tmp_path: Path) -> None:
    async with village(tmp_path, page_login="open") as there:
        await there.add("anna")
        with pytest.raises(NotAllowed):
            await there.people.check_password("anna", PASSWORD, asked())


async def test_a_login_renews_a_hash_of_other_parameters(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        old = await there.database.run(accounts.find, "anna")
        there.people._passwords = Passwords(replace(CHEAPEST, time_cost=2))
        assert await there.people.check_password("anna", PASSWORD, asked())
        new = await there.database.run(accounts.find, "anna")
        assert old
        assert new
        assert ("t=1" in str(old.password), "t=2" in str(new.password)) == (True, True)
        assert await there.people.check_password("anna", PASSWORD, asked())


async def test_each_login_has_a_token_of_its_own_and_ends_the_one_before(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        first = await there.logged_in("anna")
        second = (await there.people.log_in(ANNA, asked(first))).partition(";")[0]
        assert second != first["cookie"]
        assert len(await there.people.sessions_of("anna")) == 1
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(first))


async def test_a_token_planted_in_a_browser_never_becomes_a_login(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        planted = {"cookie": "overspill=planted-by-somebody-else"}
        given = (await there.people.log_in(ANNA, asked(planted))).partition(";")[0]
        assert given != planted["cookie"]
        with pytest.raises(NotLoggedIn):
            await there.people.of(asked(planted))


async def test_sessions_tell_from_where_and_with_what(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        await there.people.log_in(ANNA, asked({"user-agent": "Firefox", "x-forwarded-for": "192.0.2.7"}))
        (session,) = await there.people.sessions_of("anna")
        assert (session.address, session.agent) == ("192.0.2.7", "Firefox")


async def test_logging_out_everywhere(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        cookies = [await there.logged_in("anna") for _ in range(3)]
        for cookie in cookies:
            await there.people.of(asked(cookie))
        await there.people.log_out_everywhere("anna")
        for cookie in cookies:
            with pytest.raises(NotLoggedIn):
                await there.people.of(asked(cookie))


async def test_logging_out_without_a_login(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        assert await there.people.log_out(asked()) == "overspill=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"


async def test_a_new_password_leaves_one_login(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        here, elsewhere = await there.logged_in("anna"), await there.logged_in("anna")
        cookie = await there.people.change_password(ANNA, PASSWORD, NEWER, asked(here))
        assert await there.people.of(asked({"cookie": cookie.partition(";")[0]})) == ANNA
        for old in (here, elsewhere):
            with pytest.raises(NotLoggedIn):
                await there.people.of(asked(old))
        with pytest.raises(NotLoggedIn):
            await there.people.check_password("anna", PASSWORD, asked())
        assert (await there.people.check_password("anna", NEWER, asked()))[0] == ANNA


async def test_a_login_by_the_old_password_does_not_outlast_a_change_made_meanwhile(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        thief, kept = await there.people.check_password("anna", PASSWORD, asked())
        await there.people.change_password(ANNA, PASSWORD, NEWER, asked())
        with pytest.raises(NotLoggedIn, match="changed meanwhile"):
            await there.people.log_in(thief, asked(), kept)
        assert len(await there.people.sessions_of("anna")) == 1


async def test_of_two_who_change_a_password_at_once_one_succeeds(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        changes = [there.people.change_password(ANNA, PASSWORD, f"{NEWER} {n}", asked()) for n in range(2)]
        outcomes = await asyncio.gather(*changes, return_exceptions=True)
        (first,) = (n for n, outcome in enumerate(outcomes) if isinstance(outcome, str))
        assert isinstance(outcomes[1 - first], NotLoggedIn)
        assert await there.people.check_password("anna", f"{NEWER} {first}", asked())


async def test_logins_at_once_may_all_renew_a_hash(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        there.people._passwords = Passwords(replace(CHEAPEST, time_cost=2))
        await asyncio.gather(*(there.logged_in("anna") for _ in range(3)))
        assert len(await there.people.sessions_of("anna")) == 3


async def test_a_password_changed_while_its_hash_is_renewed_lets_nobody_in(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        old = (await there.people.check_password("anna", PASSWORD, asked()))[1]
        there.people._passwords = newer = Passwords(replace(CHEAPEST, time_cost=2))
        await there.database.run(accounts.change_password, "anna", newer.hash_now(NEWER))
        with pytest.raises(NotLoggedIn, match="changed meanwhile"):
            await there.people._renewed("anna", old, PASSWORD)


@pytest.mark.parametrize(
    ("person", "old", "new", "refusal"),
    [
        (ANNA, PASSWORD, "short", BadInput),
        (ANNA, "wrong horse battery", NEWER, NotLoggedIn),
        (replace(ANNA, via="token"), PASSWORD, NEWER, NotAllowed),
    ],
)
async def test_a_password_that_is_not_changed(
    tmp_path: Path, person: Person, old: str, new: str, refusal: type[Exception]
) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        with pytest.raises(refusal):
            await there.people.change_password(person, old, new, asked())
        assert await there.people.check_password("anna", PASSWORD, asked())


async def test_tokens_are_made_and_revoked_by_people_alone(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        kept, _ = await there.people.add_token(ANNA, "script")
        assert await there.people.tokens_of("anna") == [kept]
        with pytest.raises(NotAllowed):
            await there.people.add_token(replace(ANNA, via="token"), "another")
        with pytest.raises(NotAllowed):
            await there.people.remove_token(replace(ANNA, via="token"), kept.id)
        assert not await there.people.remove_token(Person("ben", "user", "session"), kept.id)
        assert await there.people.remove_token(ANNA, kept.id)


async def test_so_much_and_no_more(tmp_path: Path) -> None:
    async with village(tmp_path, page_user_rate=2, page_requests_rate=5, page_user_uploads=1) as there:
        people = there.people
        for _ in range(2):
            people.count_job(ANNA)
        with pytest.raises(TooMany) as caught:
            people.count_job(ANNA)
        assert caught.value.problem.limit == 2
        assert 29 < (caught.value.problem.retry_after_s or 0) <= 30
        people.count_job(Person("ben", "user", "session"))
        people.count_request("anna", cost=5)
        with pytest.raises(TooMany):
            people.count_request("anna")
        with people.upload(ANNA), pytest.raises(TooMany), people.upload(ANNA):
            pass
        with people.upload(ANNA):
            pass


async def test_what_has_ended_is_swept_from_the_start(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await there.add("anna")
        await there.logged_in("anna")
        await there.people.sweep()
        assert await there.database.run(_kept) == 1
        there.now_ms += 8 * DAY_MS
        await there.people.close()
        await there.people.start()
        await asyncio.sleep(0)  # the sweep is first in line for the database
        assert await there.database.run(_kept) == 0


def _kept(connection: sqlite3.Connection) -> int:
    kept: int = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
    return kept


async def test_a_sweep_that_fails_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with village(tmp_path) as there:
        await there.database.run(lambda connection: connection.execute("DROP TABLE sessions"))
        await there.people.sweep()
        assert "no such table" in caplog.text


async def test_a_page_that_would_let_everybody_in_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="OVERSPILL_PAGE_LOGIN=accounts"):
        async with village(tmp_path, page_login="open", page_host="0.0.0.0"):
            pass


async def test_people_who_never_started_can_be_closed(tmp_path: Path) -> None:
    async with village(tmp_path) as there:
        await people_module.People(there.people.settings, Database(tmp_path / "other.db", "")).close()
