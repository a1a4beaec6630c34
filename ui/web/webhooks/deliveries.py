"""What webhooks have been told or are still to be told, with every attempt, as it is kept."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from ui.web.webhooks import hooks
from ui.web.webhooks.hooks import Hook
from ui.web.webhooks.retries import Outcome, described, next_attempt_ms, why_switched_off

State = Literal["waiting", "arrived", "given-up"]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS webhook_delivery (
  id TEXT PRIMARY KEY,
  webhook TEXT NOT NULL,
  event TEXT NOT NULL,
  job TEXT,
  body BLOB NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting',
  created_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  attempts TEXT NOT NULL DEFAULT '[]',
  UNIQUE (webhook, job, event)
);
CREATE INDEX IF NOT EXISTS webhook_delivery_waiting ON webhook_delivery (webhook, due_ms) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS webhook_delivery_shown ON webhook_delivery (webhook, created_ms);
CREATE INDEX IF NOT EXISTS webhook_delivery_job ON webhook_delivery (job);
CREATE TRIGGER IF NOT EXISTS webhook_delivery_of_no_job AFTER DELETE ON job BEGIN
  DELETE FROM webhook_delivery WHERE job = old.id;
END;
CREATE TRIGGER IF NOT EXISTS webhook_delivery_of_no_end AFTER UPDATE OF ended ON job WHEN old.ended AND NOT new.ended
BEGIN
  DELETE FROM webhook_delivery WHERE job = new.id;
END;
"""
"""Made after the jobs. A job ends once for each webhook, however often its end is noted.

A job that is removed takes along what was, or is still to be, told of it: it has the job's data in it. So does one that
is opened anew: its end is no end any more, and the next one is told.
"""

MOST_WAITING: Final = 1000
"""Deliveries of one webhook that may wait; with more than that it is switched off."""
KEPT_MS: Final = 3 * 24 * 3600 * 1000
"""How long a delivery is kept, if its job is kept for so long."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call: when, how long it took, and what came of it in words."""

    at_ms: int
    ms: int
    status: int | None
    said: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one webhook. `id` is its `webhook-id`, the same in every attempt; `job` is None in a test."""

    id: str
    webhook: str
    event: str
    job: str | None
    body: bytes = field(repr=False)
    state: State
    created_ms: int
    due_ms: int
    attempts: tuple[Attempt, ...] = ()


_COLUMNS: Final = "id, webhook, event, job, body, state, created_ms, due_ms, attempts"


def keep(connection: sqlite3.Connection, told: Sequence[tuple[Hook, Delivery]]) -> None:
    """Keep what is to be told. Whoever has too much waiting already is told nothing more."""
    for hook, delivery in told:
        add(connection, delivery)
        _switch_off_if_swamped(connection, hook)


def add(connection: sqlite3.Connection, delivery: Delivery) -> None:
    """Keep one delivery."""
    attempts = json.dumps([_written(attempt) for attempt in delivery.attempts])
    row = (
        *(delivery.id, delivery.webhook, delivery.event, delivery.job, delivery.body),
        *(delivery.state, delivery.created_ms, delivery.due_ms, attempts),
    )
    connection.execute(
        f"INSERT OR IGNORE INTO webhook_delivery ({_COLUMNS}) VALUES ({','.join('?' * len(row))})",  # noqa: S608 (ours)
        row,
    )


def due(connection: sqlite3.Connection, user: str, now_ms: int, most: int) -> list[tuple[Hook, Delivery]]:
    """What is to be sent to a user's webhooks now, longest due first: at most `most`."""
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM webhook_delivery WHERE state = 'waiting' AND due_ms <= ?
            AND webhook IN (SELECT id FROM webhook WHERE user = ? AND switched_off IS NULL)
            ORDER BY due_ms, id LIMIT ?""",  # noqa: S608 (the columns are ours)
        (now_ms, user, most),
    ).fetchall()
    found = ((hooks.one(connection, user, row[1]), _read(row)) for row in rows)
    return [(hook, delivery) for hook, delivery in found if hook is not None]


def agenda(connection: sqlite3.Connection, now_ms: int) -> tuple[list[str], int | None]:
    """Users with something to be sent now, longest due first, and when there will be more."""
    live = "webhook_delivery d JOIN webhook w ON w.id = d.webhook WHERE d.state = 'waiting' AND w.switched_off IS NULL"
    users = connection.execute(
        f"SELECT w.user FROM {live} AND d.due_ms <= ? GROUP BY w.user ORDER BY min(d.due_ms)",  # noqa: S608 (ours)
        (now_ms,),
    ).fetchall()
    later = connection.execute(f"SELECT min(d.due_ms) FROM {live} AND d.due_ms > ?", (now_ms,)).fetchone()  # noqa: S608 (ours)
    return [user for (user,) in users], later[0]


def settle(connection: sqlite3.Connection, delivery_id: str, outcome: Outcome, now_ms: int, chance: float) -> None:
    """Note an attempt, and decide what follows. A delivery or webhook removed meanwhile needs nothing."""
    delivery, hook = _with_hook(connection, delivery_id)
    if delivery is None or hook is None:
        return
    attempts = [*delivery.attempts, Attempt(now_ms, outcome.ms, outcome.status, described(outcome))]
    again_ms = None if outcome.arrived or outcome.gone else next_attempt_ms(len(attempts), now_ms, chance)
    state: State = "arrived" if outcome.arrived else "given-up" if again_ms is None else "waiting"
    connection.execute(
        "UPDATE webhook_delivery SET state = ?, due_ms = ?, attempts = ? WHERE id = ?",
        (state, again_ms or now_ms, json.dumps([_written(attempt) for attempt in attempts]), delivery_id),
    )
    given_up = 0 if outcome.arrived else hook.given_up + (state == "given-up")
    # Switched off it stays, whatever was still under way, until something arrives.
    off = None if outcome.arrived else hook.switched_off or why_switched_off(outcome, given_up)
    hooks.set_given_up(connection, hook.id, given_up, off)


def ended_trial(delivery: Delivery, outcome: Outcome, now_ms: int) -> Delivery:
    """A test as it went: it is sent once, and not again."""
    attempt = Attempt(now_ms, outcome.ms, outcome.status, described(outcome))
    return replace(delivery, state="arrived" if outcome.arrived else "given-up", attempts=(attempt,))


def keep_trial(connection: sqlite3.Connection, trial: Delivery) -> None:
    """Keep a test that ended; the webhook at which it arrived is on again."""
    add(connection, trial)
    if trial.state == "arrived":
        hooks.set_given_up(connection, trial.webhook, 0, None)


def shown(connection: sqlite3.Connection, hook_id: str, limit: int) -> list[Delivery]:
    """The latest deliveries of a webhook, newest first."""
    query = f"SELECT {_COLUMNS} FROM webhook_delivery WHERE webhook = ? ORDER BY created_ms DESC, id LIMIT ?"  # noqa: S608 (ours)
    return [_read(row) for row in connection.execute(query, (hook_id, limit)).fetchall()]


def sweep(connection: sqlite3.Connection, now_ms: int) -> None:
    """Forget what is old, and what belongs to no webhook any more."""
    query = "DELETE FROM webhook_delivery WHERE created_ms < ? OR webhook NOT IN (SELECT id FROM webhook)"
    connection.execute(query, (now_ms - KEPT_MS,))


def _switch_off_if_swamped(connection: sqlite3.Connection, hook: Hook) -> None:
    query = "SELECT count(*) FROM webhook_delivery WHERE webhook = ? AND state = 'waiting'"
    if connection.execute(query, (hook.id,)).fetchone()[0] >= MOST_WAITING:
        hooks.set_given_up(connection, hook.id, hook.given_up, f"{MOST_WAITING} deliveries wait for the receiver.")


def _with_hook(connection: sqlite3.Connection, delivery_id: str) -> tuple[Delivery | None, Hook | None]:
    query = f"SELECT {_COLUMNS} FROM webhook_delivery WHERE id = ?"  # noqa: S608 (ours)
    row = connection.execute(query, (delivery_id,)).fetchone()
    if row is None:
        return None, None
    user = connection.execute("SELECT user FROM webhook WHERE id = ?", (row[1],)).fetchone()
    return _read(row), None if user is None else hooks.one(connection, user[0], row[1])


def _read(row: Sequence[Any]) -> Delivery:
    delivery_id, hook_id, event, job, body, state, created_ms, due_ms, attempts = row
    tried = tuple(Attempt(*attempt) for attempt in json.loads(attempts))
    return Delivery(delivery_id, hook_id, event, job, body, state, created_ms, due_ms, tried)


def _written(attempt: Attempt) -> list[Any]:
    return [attempt.at_ms, attempt.ms, attempt.status, attempt.said]
