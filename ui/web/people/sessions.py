"""Sessions: logins that still hold. The cookie's token is known to its browser alone; its SHA-256 is kept.

Functions on a connection, each for one transaction of `Database.run`.
"""

import hashlib
import secrets
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Final

from ui.web.jobs import removed_users

IDLE_MS: Final = 3 * 86_400_000
"""Without a sign of life a session ends after this, or when a login no longer holds, whichever is first."""
SEEN_EVERY_MS: Final = 60_000
"""How often a sign of life is written down."""
MOST: Final = 20
"""Sessions of one account; a further login ends the one unused for longest."""
_ALIVE: Final = "made_ms > :now_ms - :hold_ms AND seen_ms > :now_ms - min(:hold_ms, :idle_ms)"


@dataclass(frozen=True, slots=True)
class Session:
    """One login: when it was made and last used, from which address and with what browser (`agent`, as it says)."""

    name: str
    made_ms: int
    seen_ms: int
    address: str
    agent: str


def new_token() -> str:
    """256 random bits, for a cookie."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """What is kept of a token. Random bits can't be guessed from it: a slow hash would protect nothing."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def begin(connection: Connection, token: str, session: Session) -> None:
    """Keep a new session, and end the least used ones beyond `MOST` of the account.

    Raises BadInput when the account was removed meanwhile.
    """
    removed_users.refuse(connection, session.name)
    connection.execute(
        "INSERT INTO sessions (digest, name, made_ms, seen_ms, address, agent) VALUES (?, ?, ?, ?, ?, ?)",
        (digest_of(token), session.name, session.made_ms, session.seen_ms, session.address, session.agent[:200]),
    )
    connection.execute(
        "DELETE FROM sessions WHERE name = ?1 AND digest NOT IN "
        "(SELECT digest FROM sessions WHERE name = ?1 ORDER BY seen_ms DESC, rowid DESC LIMIT ?2)",
        (session.name, MOST),
    )


def find(connection: Connection, digest: bytes, now_ms: int, hold_ms: int) -> Session | None:
    """The session of a digest, if it still holds; `hold_ms` is how long a login may at most."""
    row = connection.execute(
        f"SELECT name, made_ms, seen_ms, address, agent FROM sessions WHERE digest = :digest AND {_ALIVE}",  # noqa: S608
        {"digest": digest, "now_ms": now_ms, "hold_ms": hold_ms, "idle_ms": IDLE_MS},
    ).fetchone()
    return Session(*row) if row else None


def seen(connection: Connection, digest: bytes, now_ms: int) -> None:
    """Write down a sign of life."""
    connection.execute("UPDATE sessions SET seen_ms = ? WHERE digest = ?", (now_ms, digest))


def of_account(connection: Connection, name: str, now_ms: int, hold_ms: int) -> list[Session]:
    """The sessions of an account that hold, the latest used first."""
    rows = connection.execute(
        f"SELECT name, made_ms, seen_ms, address, agent FROM sessions WHERE name = :name AND {_ALIVE} "  # noqa: S608
        "ORDER BY seen_ms DESC",
        {"name": name, "now_ms": now_ms, "hold_ms": hold_ms, "idle_ms": IDLE_MS},
    ).fetchall()
    return [Session(*row) for row in rows]


def end(connection: Connection, digest: bytes) -> None:
    """End one."""
    connection.execute("DELETE FROM sessions WHERE digest = ?", (digest,))


def end_all(connection: Connection, name: str) -> None:
    """End all of an account."""
    connection.execute("DELETE FROM sessions WHERE name = ?", (name,))


def sweep(connection: Connection, now_ms: int, hold_ms: int) -> None:
    """Remove those that no longer hold."""
    connection.execute(
        f"DELETE FROM sessions WHERE NOT ({_ALIVE})",  # noqa: S608 (our own text)
        {"now_ms": now_ms, "hold_ms": hold_ms, "idle_ms": IDLE_MS},
    )
