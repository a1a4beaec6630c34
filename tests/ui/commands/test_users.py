"""`overspill user`: transcripts over the page's own database."""

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bus.errors import SetupError
from bus.settings import load
from ui.commands import users
from ui.stack import extras
from ui.web.people import accounts, passwords, sessions, tokens
from ui.web.people.passwords import Passwords
from ui.web.people.sessions import Session

PASSWORD = "correct horse battery"
app = typer.Typer()
users.register(app)


@pytest.fixture(autouse=True)
def _page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERSPILL_PAGE_DIR", str(tmp_path / "page"))
    monkeypatch.delenv("OVERSPILL_PAGE_LOGIN", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def run(*words: str, typed: str = f"{PASSWORD}\n") -> Result:
    return CliRunner().invoke(app, ["user", *words], input=typed)


def refused(*words: str, typed: str = f"{PASSWORD}\n") -> str:
    """Why a command is not carried out."""
    result = run(*words, typed=typed)
    assert isinstance(result.exception, SetupError), result.output
    return str(result.exception)


def kept(name: str) -> accounts.Account:
    account = users._do(load(), accounts.find, name)
    assert account
    return account


def listed() -> list[dict[str, str]]:
    return [json.loads(line) for line in run("list", "--json").stdout.splitlines()]


def test_an_account_is_made_and_told() -> None:
    result = run("add", "Anna", "--operator")
    assert result.stderr == "anna has an account as an operator.\n"
    assert PASSWORD not in result.output


def test_accounts_are_listed() -> None:
    assert "overspill user add NAME" in run("list").stdout
    run("add", "anna", "--operator")
    run("add", "ben")
    assert [(account["name"], account["role"]) for account in listed()] == [("anna", "operator"), ("ben", "user")]
    assert "a password" in run("list").stdout


def test_the_password_is_the_one_that_was_typed() -> None:
    run("add", "anna")
    hasher = Passwords()
    assert hasher._verify(kept("anna").password, PASSWORD)
    hasher.close()


def test_a_password_can_be_made_up() -> None:
    result = run("add", "anna", "--generate")
    hasher = Passwords()
    assert hasher._verify(kept("anna").password, result.stdout.strip())
    hasher.close()


def test_what_can_not_be_is_refused_in_words() -> None:
    run("add", "anna")
    assert "can't be the name of an account" in refused("add", "demo")
    assert "10 to 1024 characters. Choose another password." in refused("add", "ben", typed="short\n")
    assert "10 to 1024 characters" in refused("add", "ben", typed="")
    assert "has an account already. Take another name." in refused("add", "anna")
    for command in (["passwd"], ["role"], ["remove"], ["token"]):
        more = {"role": ["operator"], "token": ["script"]}.get(command[0], [])
        assert "There is no account 'carl'" in refused(*command, "carl", *more)


def test_a_password_made_up_for_nobody_is_not_printed() -> None:
    run("add", "anna")
    result = run("add", "anna", "--generate")
    assert isinstance(result.exception, SetupError)
    assert result.stdout == ""


def test_a_login_that_does_not_ask_for_accounts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERSPILL_PAGE_LOGIN", "open")
    assert "set OVERSPILL_PAGE_LOGIN=accounts" in run("add", "anna").stderr


def test_a_new_password_ends_all_logins() -> None:
    run("add", "anna")
    before = kept("anna").password
    users._do(load(), sessions.begin, "token", Session("anna", 0, 0, "192.0.2.7", ""))
    assert "logged out everywhere" in run("passwd", "anna", typed="a newer horse battery\n").stderr
    assert kept("anna").password != before
    assert users._do(load(), sessions.of_account, "anna", 1, 1000) == []


def test_whom_a_provider_lets_in_has_no_password() -> None:
    users._do(load(), accounts.claim, "https://accounts.example", "42", "anna", 7)
    assert "https://accounts.example lets them in" in refused("passwd", "anna")
    assert listed()[0]["login"] == "https://accounts.example"


def test_roles_change(monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "anna")
    assert run("role", "anna", "operator").stderr == "anna is an operator.\n"
    assert kept("anna").role == "operator"
    monkeypatch.setenv("OVERSPILL_PAGE_OPERATORS", "anna")
    assert "OVERSPILL_PAGE_OPERATORS names them, too" in run("role", "anna", "user").stderr
    assert run("role", "anna", "king").exit_code == 2


def test_an_account_is_removed() -> None:
    run("add", "anna")
    assert run("remove", "Anna").stderr == (
        "anna has no account any more. The page removes its jobs and pictures: at once, or when it starts.\n"
    )
    assert listed() == []


def test_a_token_is_printed_alone_to_be_piped_somewhere() -> None:
    run("add", "anna")
    token = run("token", "anna", "nightly").stdout.strip()
    found = users._do(load(), tokens.find, token)
    assert found
    assert (found.name, found.label) == ("anna", "nightly")
    assert "name: must be 1 to 100" in refused("token", "anna", "")


def test_without_the_page_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "EXTRAS", {"page": ("no_such_module",)})
    assert "pip install 'overspill[page]'" in refused("list")


def test_a_person_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def prompt(_words: str, **how: object) -> str:
        asked.append(how)
        return PASSWORD

    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": staticmethod(lambda: True)})())
    monkeypatch.setattr(typer, "prompt", prompt)
    assert users._asked() == PASSWORD
    assert asked == [{"hide_input": True, "confirmation_prompt": True, "err": True}]


def test_the_hash_is_the_pages_own() -> None:
    """Not one of its own parameters: the page would hash it anew at the first login."""
    run("add", "anna")
    hasher = passwords.Passwords()
    assert not hasher.is_outdated(str(kept("anna").password))
    hasher.close()
