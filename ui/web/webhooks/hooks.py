"""The webhooks that people made, as they are kept. Each function runs in one transaction of the page's database."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from ui.web.jobs import removed_users

Event = Literal["done", "failed", "cancelled"]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)
"""How a job may end, and so what can be told."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS webhook (
  id TEXT PRIMARY KEY,
  user TEXT NOT NULL,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  secret TEXT NOT NULL,
  old_secret TEXT,
  old_until_ms INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  given_up INTEGER NOT NULL DEFAULT 0,
  switched_off TEXT
);
CREATE INDEX IF NOT EXISTS webhook_user ON webhook (user, created_ms);
CREATE TRIGGER IF NOT EXISTS webhook_of_nobody AFTER DELETE ON accounts BEGIN
  DELETE FROM webhook WHERE user = old.name;
END;
"""
"""Made after the accounts. An account that is removed takes its webhooks along: its name may be given to another."""

OLD_SECRET_MS: Final = 24 * 3600 * 1000
"""How long deliveries are signed with the old secret too, after a new one was made."""
_COLUMNS: Final = "id, user, url, events, secret, old_secret, old_until_ms, created_ms, given_up, switched_off"


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook. `given_up` counts deliveries given up in a row, `switched_off` says why it gets no more."""

    id: str
    user: str
    url: str
    events: tuple[Event, ...]
    secret: str = field(repr=False)
    old_secret: str | None = field(repr=False)
    old_until_ms: int
    created_ms: int
    given_up: int = 0
    switched_off: str | None = None

    def secrets(self, now_ms: int) -> tuple[str, ...]:
        """What to sign with: the secret, and for a day the one before it."""
        old = self.old_secret if now_ms < self.old_until_ms else None
        return (self.secret,) if old is None else (self.secret, old)


def add(connection: sqlite3.Connection, hook: Hook, most: int) -> bool:
    """Keep a new webhook. False when its user has `most` already. Raises BadInput when they were removed meanwhile."""
    removed_users.refuse(connection, hook.user)
    if len(of_user(connection, hook.user)) >= most:
        return False
    row = (
        *(hook.id, hook.user, hook.url, ",".join(hook.events), hook.secret, hook.old_secret, hook.old_until_ms),
        *(hook.created_ms, hook.given_up, hook.switched_off),
    )
    connection.execute(f"INSERT INTO webhook ({_COLUMNS}) VALUES ({','.join('?' * len(row))})", row)  # noqa: S608 (ours)
    return True


def of_user(connection: sqlite3.Connection, user: str) -> list[Hook]:
    """A user's webhooks, oldest first."""
    return _read(connection, "user = ? ORDER BY created_ms, id", user)


def one(connection: sqlite3.Connection, user: str, hook_id: str) -> Hook | None:
    """A user's webhook."""
    found = _read(connection, "user = ? AND id = ?", user, hook_id)
    return found[0] if found else None


def remove(connection: sqlite3.Connection, user: str, hook_id: str) -> bool:
    """Forget a webhook; whether there was one."""
    return connection.execute("DELETE FROM webhook WHERE user = ? AND id = ?", (user, hook_id)).rowcount > 0


def replace_secret(connection: sqlite3.Connection, user: str, hook_id: str, secret: str, now_ms: int) -> Hook | None:
    """Sign with a new secret from now on, and with the old one too for a day."""
    connection.execute(
        "UPDATE webhook SET old_secret = secret, old_until_ms = ?, secret = ? WHERE user = ? AND id = ?",
        (now_ms + OLD_SECRET_MS, secret, user, hook_id),
    )
    return one(connection, user, hook_id)


def set_given_up(connection: sqlite3.Connection, hook_id: str, given_up: int, switched_off: str | None) -> None:
    """Note how many deliveries were given up in a row, and whether that was the end."""
    connection.execute(
        "UPDATE webhook SET given_up = ?, switched_off = ? WHERE id = ?", (given_up, switched_off, hook_id)
    )


def _read(connection: sqlite3.Connection, where: str, *values: str) -> list[Hook]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM webhook WHERE {where}", values)  # noqa: S608 (ours, not a caller's)
    return [_hook(*row) for row in rows.fetchall()]


def _hook(*row: Any) -> Hook:
    *begin, events, secret, old_secret, old_until_ms, created_ms, given_up, switched_off = row
    hook_id, user, url = begin
    kinds = tuple(events.split(","))
    return Hook(hook_id, user, url, kinds, secret, old_secret, old_until_ms, created_ms, given_up, switched_off)
