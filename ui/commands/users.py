"""`overspill user add|passwd|role|remove|list|token`: who may use a page that has accounts of its own."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from sqlite3 import Connection
from typing import Annotated, Concatenate, Final, Literal, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bus import settings
from bus.clock import now_ms
from bus.errors import BadInput, SetupError
from bus.settings import Settings
from ui.stack import extras
from ui.web.people import accounts, tokens
from ui.web.people.accounts import Account
from ui.web.people.person import folded
from ui.web.storage import database_of

P = ParamSpec("P")
T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name; capitals are as good as small letters.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make up a password and print it.")]
Operator = Annotated[bool, typer.Option("--operator", help="They see the dashboard and may turn its switches.")]
RoleName = Annotated[Literal["user", "operator"], typer.Argument(help="What they may do: `user` or `operator`.")]
_PROMPT: Final = "Password (10 characters or more)"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The accounts of the page.", no_args_is_help=True)
    group.command("add")(add)
    group.command("passwd")(passwd)
    group.command("role")(role)
    group.command("remove")(remove)
    group.command("list")(show)
    group.command("token")(token)
    app.add_typer(group, name="user")


def add(name: Name, *, operator: Operator = False, generate: Generate = False) -> None:
    """Make an account. The password is asked for, or read from standard input where nobody can be asked."""
    chosen = _settings()
    name = folded(name)
    with _in_words():
        accounts.check_name(name)
    with _new_password(name, generate=generate) as kept:
        _do(chosen, accounts.add, Account(name, "operator" if operator else "user", kept, None, None, now_ms()))
    _say(f"{name} has an account{' as an operator' if operator else ''}.")
    if chosen.page_login != "accounts":
        _say(f"The page's login is {chosen.page_login}: set OVERSPILL_PAGE_LOGIN=accounts to let accounts in.")


def passwd(name: Name, *, generate: Generate = False) -> None:
    """Set another password. Ends all logins of the account; its API tokens stay."""
    chosen = _settings()
    account = _the_one(chosen, name)
    if account.issuer is not None:
        raise SetupError(f"{account.name} has no password here: {account.issuer} lets them in.")
    with _new_password(account.name, generate=generate) as kept:
        _do(chosen, accounts.change_password, account.name, kept)
    _say(f"{account.name} has a new password, and is logged out everywhere.")


def role(name: Name, role: RoleName) -> None:
    """Make somebody an operator, or a user again."""
    chosen = _settings()
    account = _the_one(chosen, name)
    _do(chosen, accounts.set_role, account.name, role)
    _say(f"{account.name} is {'an operator' if role == 'operator' else 'a user'}.")
    if role == "user" and account.name in chosen.page_operators:
        _say("OVERSPILL_PAGE_OPERATORS names them, too: they stay an operator until it does not.")


def remove(name: Name) -> None:
    """Remove an account with its logins, API tokens, webhooks, jobs and pictures."""
    chosen = _settings()
    account = _the_one(chosen, name)
    _do(chosen, accounts.remove, account.name, now_ms())
    _say(f"{account.name} has no account any more. The page removes its jobs and pictures: at once, or when it starts.")


def show(*, as_json: Annotated[bool, typer.Option("--json", help="JSON for programs, a line each.")] = False) -> None:
    """List the accounts."""
    chosen = _settings()
    found = _do(chosen, accounts.everybody)
    if as_json:
        for account in found:
            print(json.dumps(_facts(account)))
        return
    table = Table("name", "role", "logs in with", "since", box=None)
    for account in found:
        facts = _facts(account)
        table.add_row(*(Text(str(facts[key])) for key in ("name", "role", "login", "since")))
    Console(highlight=False).print(table if found else "There are no accounts; `overspill user add NAME` makes one.")


def token(name: Name, label: Annotated[str, typer.Argument(help="What it is for, as its owner will see it.")]) -> None:
    """Make an API token for an account and print it: it is told this once."""
    chosen = _settings()
    account = _the_one(chosen, name)
    made = tokens.new_token()
    _do(chosen, tokens.add, made, account.name, label, now_ms())
    print(made)


def _settings() -> Settings:
    if extras.missing("page"):
        raise SetupError(f"Accounts are the page's, which is not installed here: {extras.remedy('page')}")
    return settings.load()


def _do(chosen: Settings, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` does with the page's database, whether or not the page runs."""

    async def done() -> T:
        database = database_of(chosen)
        await database.open()
        try:
            return await database.run(function, *args, **kwargs)
        finally:
            await database.close()

    with _in_words():
        return asyncio.run(done())


def _the_one(chosen: Settings, name: str) -> Account:
    account = _do(chosen, accounts.find, folded(name))
    if account is None:
        raise SetupError(f"There is no account {name!r}: `overspill user list` names them all.")
    return account


@contextmanager
def _new_password(name: str, *, generate: bool) -> Iterator[str]:
    """The hash of a new password to be kept. One made up is printed afterwards: if it could not be kept, it is none."""
    # Not everybody who has this command has argon2.
    from ui.web.people.passwords import Passwords, check_strength, new_password  # noqa: PLC0415

    password = new_password() if generate else _asked()
    with _in_words():
        check_strength(password, name)
    yield Passwords().hash_now(password)
    if generate:
        print(password)


@contextmanager
def _in_words() -> Iterator[None]:
    """What a person types is no property of a message: a fault is told without the problem's title."""
    try:
        yield
    except BadInput as error:
        raise SetupError(f"{error.problem.detail} {error.problem.remedy}") from None


def _asked() -> str:
    if sys.stdin.isatty():
        told: str = typer.prompt(_PROMPT, hide_input=True, confirmation_prompt=True, err=True)
        return told
    return sys.stdin.readline().rstrip("\r\n")


def _facts(account: Account) -> dict[str, str]:
    since = datetime.fromtimestamp(account.made_ms / 1000, UTC).strftime("%Y-%m-%d")
    login = account.issuer or "a password"
    return {"name": account.name, "role": account.role, "login": login, "since": since}


def _say(words: str) -> None:
    """On standard error: what is printed on standard output are secrets, to be piped somewhere."""
    Console(stderr=True, highlight=False).print(Text(words), soft_wrap=True)
