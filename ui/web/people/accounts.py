"""Accounts: who has one, in which role, and with which password or at which OpenID provider.

Functions on a connection, each for one transaction of `Database.run`.
"""

from dataclasses import dataclass
from sqlite3 import Connection
from typing import Final

from bus.errors import BadInput
from bus.problems import Kind, Problem
from ui.web.jobs import removed_users
from ui.web.people import sessions
from ui.web.people.person import Role, folded, is_account_name

MOST: Final = 10_000
"""Accounts that providers may have made here; more are a provider that lets anybody in."""
_COLUMNS: Final = "name, role, password, issuer, subject, made_ms"


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `password` is an Argon2id hash, or None where an OpenID provider (`issuer`) knows them."""

    name: str
    role: Role
    password: str | None
    issuer: str | None
    subject: str | None
    made_ms: int


def find(connection: Connection, name: str) -> Account | None:
    """The account of that name."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM accounts WHERE name = ?", (name,)).fetchone()  # noqa: S608 (ours)
    return Account(*row) if row else None


def everybody(connection: Connection) -> list[Account]:
    """All accounts, by name."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM accounts ORDER BY name").fetchall()  # noqa: S608 (ours)
    return [Account(*row) for row in rows]


def check_name(name: str) -> None:
    """Raises BadInput for what can't be an account's name."""
    if not is_account_name(name):
        detail = f"name: {name[:80]!r} can't be the name of an account."
        remedy = "Take 1 to 64 of a-z, 0-9 and . _ @ + -, with a letter or digit at both ends; not anonymous or demo."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="name", remedy=remedy))


def add(connection: Connection, account: Account) -> None:
    """A new account. Raises BadInput when the name can't be one, is taken, or not free yet."""
    check_name(account.name)
    if removed_users.is_one(connection, account.name):
        detail = f"name: {account.name!r} was removed, and is not free before its pictures are gone."
        remedy = "Take another name, or try again in a minute or two; the page must run meanwhile."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="name", remedy=remedy))
    if find(connection, account.name):
        detail = f"name: {account.name!r} has an account already."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="name", remedy="Take another name."))
    values = (account.name, account.role, account.password, account.issuer, account.subject, account.made_ms)
    connection.execute(f"INSERT INTO accounts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", values)  # noqa: S608 (ours)


def change_password(connection: Connection, name: str, password: str) -> bool:
    """Keep the hash of another password and end all sessions; whether there was a password to change."""
    sessions.end_all(connection, name)
    query = "UPDATE accounts SET password = ? WHERE name = ? AND issuer IS NULL"
    return connection.execute(query, (password, name)).rowcount > 0


def replace_password(connection: Connection, name: str, kept: str, password: str) -> bool:
    """As `change_password`, but only in place of the hash `kept`; whether that was still the account's."""
    account = find(connection, name)
    return account is not None and account.password == kept and change_password(connection, name, password)


def renew_password(connection: Connection, name: str, kept: str, renewed: str) -> bool:
    """Keep a better hash of the same password, unless it was changed meanwhile; whether it is kept."""
    query = "UPDATE accounts SET password = ? WHERE name = ? AND password = ?"
    return connection.execute(query, (renewed, name, kept)).rowcount > 0


def set_role(connection: Connection, name: str, role: Role) -> bool:
    """Give an account a role; whether there is such an account."""
    return connection.execute("UPDATE accounts SET role = ? WHERE name = ?", (role, name)).rowcount > 0


def remove(connection: Connection, name: str, now_ms: int) -> bool:
    """Remove an account with its sessions and tokens; whether there was one. The page removes its jobs and pictures."""
    sessions.end_all(connection, name)
    connection.execute("DELETE FROM tokens WHERE name = ?", (name,))
    if not connection.execute("DELETE FROM accounts WHERE name = ?", (name,)).rowcount:
        return False
    removed_users.add(connection, name, now_ms)
    return True


def claim(connection: Connection, issuer: str, subject: str, wished: str, now_ms: int) -> Account:
    """The account of whom a provider calls `subject`, made under a name like `wished` when they are new here.

    The name stays theirs whatever the provider calls them later: jobs and tokens are under it. Raises BadInput when
    the provider has made as many accounts as may be.
    """
    query = f"SELECT {_COLUMNS} FROM accounts WHERE issuer = ? AND subject = ?"  # noqa: S608 (ours)
    if row := connection.execute(query, (issuer, subject)).fetchone():
        return Account(*row)
    (count,) = connection.execute("SELECT count(*) FROM accounts").fetchone()
    if count >= MOST:
        detail = f"There are {count} accounts; more can't be made by logging in."
        raise BadInput(Problem.of(Kind.NOT_ALLOWED, detail, limit=MOST, remedy="`overspill user remove` makes room."))
    account = Account(_free_name(connection, wished), "user", None, issuer, subject, now_ms)
    add(connection, account)
    return account


def _free_name(connection: Connection, wished: str) -> str:
    """`wished` as a name, or the first of `wished-2`, `wished-3` ... that nobody has or has just had."""
    base = _as_name(wished)
    number = 1
    name = base
    while not is_account_name(name) or find(connection, name) or removed_users.is_one(connection, name):
        number += 1
        name = f"{base[:58]}-{number}"
    return name


def _as_name(wished: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._@+-") else "-" for c in folded(wished)[:64])
    return kept.strip("._@+-") or "user"
