"""API tokens: `ovs_<id>_<secret>`, told once and kept as a SHA-256.

Functions on a connection, each for one transaction of `Database.run`.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Final

from bus.errors import BadInput
from bus.problems import Kind, Problem
from ui.web.jobs import removed_users

MOST: Final = 20
"""Tokens of one account."""
LONGEST_LABEL: Final = 100
USED_EVERY_MS: Final = 60_000
"""How often the last use is written down."""
_TOKEN: Final = re.compile(r"ovs_([0-9a-f]{16})_[0-9a-f]{64}")
_COLUMNS: Final = "id, name, label, made_ms, used_ms"


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token once it was told: whose it is, what they called it, and when it was last used."""

    id: str
    name: str
    label: str
    made_ms: int
    used_ms: int | None


def new_token() -> str:
    """A token: 64 bits to find it by, 256 to keep secret."""
    return f"ovs_{secrets.token_hex(8)}_{secrets.token_hex(32)}"


def add(connection: Connection, token: str, name: str, label: str, now_ms: int) -> Token:
    """Keep a token made by `new_token` for an account. Raises BadInput for a bad label, or one token too many.

    And when the account was removed meanwhile.
    """
    removed_users.refuse(connection, name)
    label = label.strip()
    if not (0 < len(label) <= LONGEST_LABEL and label.isprintable()):
        detail = f"name: must be 1 to {LONGEST_LABEL} printable characters."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="name", limit=LONGEST_LABEL))
    if len(of_account(connection, name)) >= MOST:
        detail = f"You have {MOST} API tokens, as many as one may."
        raise BadInput(Problem.of(Kind.NOT_NOW, detail, limit=MOST, remedy="Revoke one that is no longer used."))
    kept = Token(token.split("_")[1], name, label, now_ms, None)
    connection.execute(
        "INSERT INTO tokens (id, digest, name, label, made_ms) VALUES (?, ?, ?, ?, ?)",
        (kept.id, _digest_of(token), name, label, now_ms),
    )
    return kept


def find(connection: Connection, token: str) -> Token | None:
    """What is known of a token that somebody shows, if it is one of ours and was not revoked."""
    if not (shaped := _TOKEN.fullmatch(token)):
        return None
    query = f"SELECT digest, {_COLUMNS} FROM tokens WHERE id = ?"  # noqa: S608 (our own text)
    row = connection.execute(query, (shaped[1],)).fetchone()
    return Token(*row[1:]) if row and hmac.compare_digest(row[0], _digest_of(token)) else None


def used(connection: Connection, token_id: str, now_ms: int) -> None:
    """Write down that it was used."""
    connection.execute("UPDATE tokens SET used_ms = ? WHERE id = ?", (now_ms, token_id))


def of_account(connection: Connection, name: str) -> list[Token]:
    """The tokens of an account, the newest first."""
    query = f"SELECT {_COLUMNS} FROM tokens WHERE name = ? ORDER BY made_ms DESC, rowid DESC"  # noqa: S608 (ours)
    return [Token(*row) for row in connection.execute(query, (name,)).fetchall()]


def remove(connection: Connection, token_id: str, name: str) -> bool:
    """Revoke a token of an account; whether it had such a one."""
    return connection.execute("DELETE FROM tokens WHERE id = ? AND name = ?", (token_id, name)).rowcount > 0


def _digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
