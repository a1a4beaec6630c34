"""Users whose accounts were removed: what was theirs goes too, and until it has gone nobody gets their name.

Jobs, tokens and sessions are under a name. Whoever removes the account, a command too while the page runs, notes the
name here in the same transaction; from then on nothing is begun under it. The page ends and removes what is left, and
gives the name free. Functions on a connection, each for one transaction of `Database.run`.
"""

from sqlite3 import Connection
from typing import Final

from bus.errors import BadInput
from bus.problems import Kind, Problem

HELD_MS: Final = 60_000
"""How long a name is held at least: what had begun under it, such as a login, has ended by then."""
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS removed_user (
    name TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT;
"""


def add(connection: Connection, name: str, now_ms: int) -> None:
    """Note that a user was removed."""
    connection.execute("INSERT OR REPLACE INTO removed_user (name, at_ms) VALUES (?, ?)", (name, now_ms))


def is_one(connection: Connection, name: str) -> bool:
    """Whether a name is that of a user who was removed, and not free yet."""
    return connection.execute("SELECT 1 FROM removed_user WHERE name = ?", (name,)).fetchone() is not None


def refuse(connection: Connection, name: str) -> None:
    """Raises BadInput NOT_LOGGED_IN where something is to begin under the name of a user who was removed."""
    if is_one(connection, name):
        raise BadInput(Problem.of(Kind.NOT_LOGGED_IN, "The account was removed."))


def names(connection: Connection) -> list[str]:
    """All of them."""
    return [name for (name,) in connection.execute("SELECT name FROM removed_user ORDER BY at_ms").fetchall()]


def free(connection: Connection, name: str, now_ms: int) -> None:
    """Give a name free of which no job is left, unless it was removed a moment ago; its past removals are forgotten."""
    query = (
        "DELETE FROM removed_user WHERE name = ?1 AND at_ms <= ?2 AND NOT EXISTS (SELECT 1 FROM job WHERE user = ?1)"
    )
    if connection.execute(query, (name, now_ms - HELD_MS)).rowcount:
        connection.execute("DELETE FROM job_removed WHERE user = ?", (name,))
