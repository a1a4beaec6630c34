"""Finding a failed job, and writing down that it is under way again: the one way back from an end."""

import sqlite3

from ui.web.jobs import rows
from ui.web.jobs.record import Change, Record


def reopen(connection: sqlite3.Connection, record: Record) -> list[Change]:
    """Keep a failed job as one that is under way again; nothing where it has not failed, or is not there any more."""
    opened = connection.execute("UPDATE job SET ended = 0 WHERE id = ? AND state = 'failed'", (record.id,))
    return rows.save(connection, [record]) if opened.rowcount else []


def owner_of_failed(connection: sqlite3.Connection, job_id: str) -> str | None:
    """Whose failed job this is; None where there is none of that id that has failed."""
    row = connection.execute("SELECT user FROM job WHERE id = ? AND state = 'failed'", (job_id,)).fetchone()
    return row[0] if row else None
