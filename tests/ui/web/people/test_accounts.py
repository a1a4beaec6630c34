from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest

from bus.errors import BadInput
from ui.web.jobs import removed_users, rows
from ui.web.jobs.database import connect
from ui.web.jobs.removed_users import HELD_MS
from ui.web.people import accounts, sessions, tokens
from ui.web.people.accounts import Account
from ui.web.people.sessions import Session
from ui.web.people.tables import SCHEMA

GOOGLE, OTHER = "https://accounts.example", "https://login.example"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    opened = connect(tmp_path / "page.db", rows.SCHEMA + SCHEMA)
    yield opened
    opened.close()


def account(name: str, kept: str = "hash") -> Account:
    return Account(name, "user", kept, None, None, 7)


def test_accounts_are_kept_by_name(connection: Connection) -> None:
    for name in ("ben", "anna"):
        accounts.add(connection, account(name))
    assert accounts.find(connection, "anna") == account("anna")
    assert accounts.find(connection, "carl") is None
    assert [kept.name for kept in accounts.everybody(connection)] == ["anna", "ben"]


@pytest.mark.parametrize("name", ["anna", "Anna", "demo", ""])
def test_names_that_are_taken_or_are_none(connection: Connection, name: str) -> None:
    accounts.add(connection, account("anna"))
    with pytest.raises(BadInput) as caught:
        accounts.add(connection, account(name))
    assert caught.value.problem.field == "name"


def test_roles_change(connection: Connection) -> None:
    accounts.add(connection, account("anna"))
    assert accounts.set_role(connection, "anna", "operator")
    assert not accounts.set_role(connection, "ben", "operator")
    found = accounts.find(connection, "anna")
    assert found
    assert found.role == "operator"


def test_a_new_password_ends_all_logins(connection: Connection) -> None:
    accounts.add(connection, account("anna"))
    sessions.begin(connection, "token", Session("anna", 0, 0, "192.0.2.7", ""))
    assert accounts.change_password(connection, "anna", "new hash")
    assert accounts.find(connection, "anna") == account("anna", "new hash")
    assert sessions.of_account(connection, "anna", 1, 1000) == []


def test_who_has_no_password_gets_none(connection: Connection) -> None:
    accounts.claim(connection, GOOGLE, "42", "anna", 7)
    assert not accounts.change_password(connection, "anna", "hash")


def test_a_renewed_hash_does_not_undo_a_change_meanwhile(connection: Connection) -> None:
    accounts.add(connection, account("anna", "old"))
    accounts.renew_password(connection, "anna", "old", "old, better")
    accounts.change_password(connection, "anna", "new")
    accounts.renew_password(connection, "anna", "old, better", "old, best")
    assert accounts.find(connection, "anna") == account("anna", "new")


def test_nothing_is_left_of_who_is_removed(connection: Connection) -> None:
    accounts.add(connection, account("anna"))
    sessions.begin(connection, "token", Session("anna", 0, 0, "192.0.2.7", ""))
    tokens.add(connection, tokens.new_token(), "anna", "script", 0)
    assert accounts.remove(connection, "anna", 0)
    assert not accounts.remove(connection, "anna", 0)
    removed_users.free(connection, "anna", HELD_MS)
    accounts.add(connection, account("anna"))
    assert sessions.of_account(connection, "anna", 1, 1000) == []
    assert tokens.of_account(connection, "anna") == []


def test_a_name_is_nobodys_until_what_was_under_it_has_gone(connection: Connection) -> None:
    accounts.add(connection, account("anna"))
    accounts.remove(connection, "anna", 0)
    with pytest.raises(BadInput, match="not free before its pictures are gone"):
        accounts.add(connection, account("anna"))
    assert accounts.claim(connection, GOOGLE, "42", "anna", 7).name == "anna-2"
    removed_users.free(connection, "anna", HELD_MS)
    accounts.add(connection, account("anna"))


def test_what_had_begun_before_a_removal_begins_nothing_after_it(connection: Connection) -> None:
    accounts.add(connection, account("anna"))
    accounts.remove(connection, "anna", 0)
    with pytest.raises(BadInput, match="The account was removed") as caught:
        sessions.begin(connection, "token", Session("anna", 0, 0, "192.0.2.7", ""))
    assert caught.value.problem.status == 401
    with pytest.raises(BadInput, match="The account was removed"):
        tokens.add(connection, tokens.new_token(), "anna", "script", 0)


def test_whom_a_provider_knows_keeps_their_account(connection: Connection) -> None:
    first = accounts.claim(connection, GOOGLE, "42", "Anna", 7)
    assert first == Account("anna", "user", None, GOOGLE, "42", 7)
    assert accounts.claim(connection, GOOGLE, "42", "anna.miller", 8) == first


def test_nobody_gets_anothers_name(connection: Connection) -> None:
    accounts.add(connection, account("anna"))
    assert accounts.claim(connection, GOOGLE, "42", "anna", 7).name == "anna-2"
    assert accounts.claim(connection, OTHER, "42", "ANNA", 7).name == "anna-3"


@pytest.mark.parametrize(
    ("wished", "name"),
    [
        ("Anna Miller", "anna-miller"),
        ("anna@pictures.example", "anna@pictures.example"),
        ("<b>anna</b>", "b-anna--b"),
        ("../etc", "etc"),
        ("demo", "demo-2"),
        ("anonymous", "anonymous-2"),
        ("Ωμέγα", "user"),
        ("", "user"),
        ("x" * 200, "x" * 64),
    ],
)
def test_what_can_be_no_name_becomes_one(connection: Connection, wished: str, name: str) -> None:
    assert accounts.claim(connection, GOOGLE, "42", wished, 7).name == name


def test_long_names_are_told_apart(connection: Connection) -> None:
    assert [len(accounts.claim(connection, GOOGLE, str(n), "x" * 80, 7).name) for n in range(3)] == [64, 60, 60]


def test_a_provider_does_not_fill_the_disk(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MOST", 1)
    accounts.claim(connection, GOOGLE, "42", "anna", 7)
    with pytest.raises(BadInput, match="accounts"):
        accounts.claim(connection, GOOGLE, "43", "ben", 7)
    assert accounts.claim(connection, GOOGLE, "42", "anna", 7).name == "anna"
