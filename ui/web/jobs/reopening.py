"""Writing down that a failed job is under way again: the one way back from an end."""

import sqlite3

from ui.web.jobs import rows
from ui.web.jobs.record import Change, Record


def reopen(connection: sqlite3.Connection, record: Record) -> list[Change]:
    """Keep a failed job as one that is under way again; nothing where it has not failed, or is not there any more."""
    opened = connection.execute("UPDATE job SET ended = 0 WHERE id = ? AND state = 'failed'", (record.id,))
    return rows.save(connection, [record]) if opened.rowcount else []
