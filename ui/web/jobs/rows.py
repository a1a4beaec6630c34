"""The tables of jobs, and what is done with them: each function runs within one transaction of the page's database.

A job's row holds its record as JSON beside what is searched by. Each write that is told of takes the next number of
`change`; of a job only its latest is known, so a replay gives each job once, as it is now.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bus.errors import BadInput
from bus.problems import Kind, Problem
from ui.web.jobs import removed_users
from ui.web.jobs.record import Accepted, Change, Record

log = logging.getLogger(__name__)

_JOBS: Final = """
CREATE TABLE IF NOT EXISTS job (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,
  operation TEXT NOT NULL,
  state TEXT NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0,
  expires_ms INTEGER NOT NULL,
  kept_bytes INTEGER NOT NULL,
  change INTEGER NOT NULL,
  idempotency_key TEXT,
  fingerprint BLOB,
  document TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS job_key ON job (user, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_of_user ON job (user, number);
CREATE INDEX IF NOT EXISTS job_in_state ON job (user, state);
CREATE INDEX IF NOT EXISTS job_change ON job (user, change);
CREATE INDEX IF NOT EXISTS job_under_way ON job (number) WHERE NOT ended;
CREATE INDEX IF NOT EXISTS job_expires ON job (expires_ms) WHERE ended;
CREATE TABLE IF NOT EXISTS job_event (
  job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  at_ms INTEGER NOT NULL,
  document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS job_event_of ON job_event (job, at_ms);
CREATE TABLE IF NOT EXISTS job_removed (
  change INTEGER PRIMARY KEY,
  user TEXT NOT NULL,
  job TEXT NOT NULL,
  at_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS job_removed_of ON job_removed (user, change);
CREATE TABLE IF NOT EXISTS job_desk (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  last_change INTEGER NOT NULL DEFAULT 0,
  forgotten_change INTEGER NOT NULL DEFAULT 0,
  replies TEXT,
  replies_expire_ms INTEGER
);
INSERT OR IGNORE INTO job_desk (one) VALUES (1);
"""
SCHEMA: Final = _JOBS + removed_users.SCHEMA
"""`forgotten_change` is the last removal that is not remembered any more."""

EndHook = Callable[[sqlite3.Connection, Record], None]


@dataclass(frozen=True, slots=True)
class Told:
    """An event's document, for the job that it is about."""

    job_id: str
    at_ms: int
    document: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs of a user: in a state, of an operation, before a number; at most `limit`."""

    user: str
    state: str | None
    operation: str | None
    limit: int
    before: int | None


def replies(connection: sqlite3.Connection, name: str, expire_ms: int) -> tuple[str, int]:
    """The name and arguments of our reply queue: those chosen first, for a broker lets no queue be changed."""
    connection.execute(
        "UPDATE job_desk SET replies = ?, replies_expire_ms = ? WHERE replies IS NULL",
        (name, expire_ms),
    )
    found: tuple[str, int] = connection.execute("SELECT replies, replies_expire_ms FROM job_desk").fetchone()
    return found


def add(
    connection: sqlite3.Connection, record: Record, key: str | None, fingerprint: bytes
) -> tuple[Accepted, Change | None]:
    """Keep a new job, or find the one of the same order.

    Raises BadInput when the key stands for another order, and where the user was removed.
    """
    removed_users.refuse(connection, record.user)
    if key is not None and (known := repeated(connection, record.user, key, fingerprint)) is not None:
        return Accepted(known, is_new=False), None
    change = _next_change(connection)
    given = (record.id, record.user, record.operation, record.state, record.expires_ms, record.kept_bytes)
    cursor = connection.execute(
        "INSERT INTO job (id, user, operation, state, expires_ms, kept_bytes, change, idempotency_key, fingerprint, "
        "document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*given, change, key, fingerprint, record.model_dump_json(exclude_none=True)),
    )
    numbered = record.model_copy(update={"number": cursor.lastrowid})
    return Accepted(numbered, is_new=True), Change(change, record.user, record.id, numbered)


def repeated(connection: sqlite3.Connection, user: str, key: str, fingerprint: bytes) -> Record | None:
    """The job of the same order. Raises BadInput when the key stands for another order."""
    known = of_key(connection, user, key)
    if known is not None and known[1] != fingerprint:
        detail = f"Another request was made with the key {key[:80]!r}."
        raise BadInput(Problem.of(Kind.KEY_REUSED, detail, field="Idempotency-Key"))
    return known and known[0]


def of_key(connection: sqlite3.Connection, user: str, key: str) -> tuple[Record, bytes] | None:
    """The user's job that bears an idempotency key, and its order's fingerprint."""
    row = connection.execute(
        "SELECT document, number, fingerprint FROM job WHERE user = ? AND idempotency_key = ?", (user, key)
    ).fetchone()
    return (_record(*row[:2]), row[2]) if row else None


def save(connection: sqlite3.Connection, records: Iterable[Record], told: Iterable[Told] = ()) -> list[Change]:
    """Keep records as they are now, and events; what is not there any more, or has ended since, is passed over."""
    changes = []
    for record in records:
        change = _next_change(connection)
        written = connection.execute(
            "UPDATE job SET state = ?, ended = ?, expires_ms = ?, kept_bytes = ?, change = ?, document = ? "
            "WHERE id = ? AND ended <= ?",  # no move undoes an end
            (
                *(record.state, record.ended, record.expires_ms, record.kept_bytes, change),
                *(record.model_dump_json(exclude_none=True), record.id, record.ended),
            ),
        )
        if written.rowcount:
            changes.append(Change(change, record.user, record.id, record))
    connection.executemany(
        "INSERT INTO job_event (job, at_ms, document) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM job WHERE id = ?1)",
        [(event.job_id, event.at_ms, event.document) for event in told],
    )
    return changes


def end(connection: sqlite3.Connection, records: Sequence[Record], hooks: Iterable[EndHook]) -> list[Change]:
    """Keep the ends of jobs, with what else hangs on them."""
    changes = save(connection, records)
    for hook in hooks:
        for change in changes:
            if change.record is not None:
                _hang_on(connection, hook, change.record)
    return changes


def _hang_on(connection: sqlite3.Connection, hook: EndHook, record: Record) -> None:
    """A fault in what hangs on an end does not keep the job from ending."""
    connection.execute("SAVEPOINT hook")
    try:
        hook(connection, record)
    except Exception:
        about = {"job": record.id, "trace": record.traceparent}
        log.exception("what hangs on the end of job %s failed", record.id, extra=about)
        connection.execute("ROLLBACK TO hook")
    connection.execute("RELEASE hook")


def remove(connection: sqlite3.Connection, ids: Iterable[str], now_ms: int) -> list[Change]:
    """Forget jobs; that they were removed is remembered."""
    changes = []
    for job_id in ids:
        gone = connection.execute("SELECT user FROM job WHERE id = ?", (job_id,)).fetchone()
        if gone is None:
            continue
        connection.execute("DELETE FROM job WHERE id = ?", (job_id,))
        change = Change(_next_change(connection), gone[0], job_id, None)
        connection.execute("INSERT INTO job_removed VALUES (?, ?, ?, ?)", (change.id, change.user, job_id, now_ms))
        changes.append(change)
    return changes


def forget_removals(connection: sqlite3.Connection, before_ms: int) -> None:
    """Remember no more what was removed before a moment."""
    last = connection.execute("SELECT max(change) FROM job_removed WHERE at_ms < ?", (before_ms,)).fetchone()[0]
    if last is not None:
        connection.execute("DELETE FROM job_removed WHERE change <= ?", (last,))
        connection.execute("UPDATE job_desk SET forgotten_change = ?", (last,))


def one(connection: sqlite3.Connection, user: str, job_id: str) -> Record | None:
    """A user's job."""
    row = connection.execute("SELECT document, number FROM job WHERE id = ? AND user = ?", (job_id, user)).fetchone()
    return _record(*row) if row else None


def some(connection: sqlite3.Connection, wanted: Wanted) -> list[Record]:
    """A user's jobs, newest first."""
    conditions = ["user = ?"]
    values: list[str | int] = [wanted.user]
    given = (("state =", wanted.state), ("operation =", wanted.operation), ("number <", wanted.before))
    for column, value in given:
        if value is not None:
            conditions.append(f"{column} ?")
            values.append(value)
    where = " AND ".join(conditions)
    rows = connection.execute(
        f"SELECT document, number FROM job WHERE {where} ORDER BY number DESC LIMIT ?",  # noqa: S608 (words of ours)
        (*values, wanted.limit),
    )
    return [_record(*row) for row in rows]


def states(connection: sqlite3.Connection, user: str) -> dict[str, int]:
    """How many of a user's jobs are in each state that any is in."""
    rows = connection.execute("SELECT state, count(*) FROM job WHERE user = ? GROUP BY state", (user,))
    return dict(rows.fetchall())


def under_way(connection: sqlite3.Connection) -> list[Record]:
    """All jobs that have not ended, oldest first."""
    query = "SELECT document, number FROM job WHERE NOT ended ORDER BY number"
    return [_record(*row) for row in connection.execute(query)]


def kept_bytes(connection: sqlite3.Connection) -> dict[str, int]:
    """What each user's jobs take on the disk, bytes."""
    return dict(connection.execute("SELECT user, sum(kept_bytes) FROM job GROUP BY user").fetchall())


def event_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many events are kept of each job under way."""
    query = "SELECT job, count(*) FROM job_event WHERE job IN (SELECT id FROM job WHERE NOT ended) GROUP BY job"
    return dict(connection.execute(query).fetchall())


def expired(connection: sqlite3.Connection, now_ms: int, limit: int) -> list[Record]:
    """Ended jobs whose time here is over."""
    rows = connection.execute(
        "SELECT document, number FROM job WHERE ended AND expires_ms <= ? ORDER BY expires_ms LIMIT ?", (now_ms, limit)
    )
    return [_record(*row) for row in rows]


def known(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    """Which of these jobs there are."""
    marks = ",".join("?" * len(ids))
    rows = connection.execute(f"SELECT id FROM job WHERE id IN ({marks})", ids)  # noqa: S608 (question marks)
    return {row[0] for row in rows}


def events(connection: sqlite3.Connection, job_id: str) -> list[str]:
    """The kept events of a job, oldest first."""
    rows = connection.execute("SELECT document FROM job_event WHERE job = ? ORDER BY at_ms, rowid", (job_id,))
    return [row[0] for row in rows]


def changes_after(connection: sqlite3.Connection, user: str, change_id: int, limit: int) -> list[Change] | None:
    """The latest change of each of a user's jobs since one, oldest first; None when that is not known any more."""
    last, forgotten = connection.execute("SELECT last_change, forgotten_change FROM job_desk").fetchone()
    if not forgotten <= change_id <= last:
        return None
    rows = connection.execute(
        "SELECT change, id, document, number FROM job WHERE user = ?1 AND change > ?2 UNION ALL "
        "SELECT change, job, NULL, 0 FROM job_removed WHERE user = ?1 AND change > ?2 ORDER BY change LIMIT ?3",
        (user, change_id, limit),
    )
    return [Change(row[0], user, row[1], _record(row[2], row[3]) if row[2] else None) for row in rows]


def last_change(connection: sqlite3.Connection, user: str) -> int:
    """The user's latest change, or the one up to which nothing is known."""
    row = connection.execute(
        "SELECT max(coalesce((SELECT max(change) FROM job WHERE user = ?1), 0), "
        "coalesce((SELECT max(change) FROM job_removed WHERE user = ?1), 0), forgotten_change) FROM job_desk",
        (user,),
    ).fetchone()
    return int(row[0])


def _next_change(connection: sqlite3.Connection) -> int:
    connection.execute("UPDATE job_desk SET last_change = last_change + 1")
    return int(connection.execute("SELECT last_change FROM job_desk").fetchone()[0])


def _record(document: str, number: Any) -> Record:
    record = Record.model_validate_json(document)
    return record.model_copy(update={"number": number})
