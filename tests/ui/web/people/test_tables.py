from pathlib import Path
from sqlite3 import IntegrityError

import pytest

from ui.web.jobs.database import connect
from ui.web.people.tables import SCHEMA


def test_the_tables_may_be_made_again(tmp_path: Path) -> None:
    """As each start does, and each command."""
    for _ in range(2):
        connection = connect(tmp_path / "page.db", SCHEMA)
        connection.execute("INSERT OR IGNORE INTO accounts (name, role, made_ms) VALUES ('anna', 'user', 7)")
        assert connection.execute("SELECT name, role FROM accounts").fetchall() == [("anna", "user")]
        connection.close()


def test_there_is_no_third_role(tmp_path: Path) -> None:
    connection = connect(tmp_path / "page.db", SCHEMA)
    with pytest.raises(IntegrityError):
        connection.execute("INSERT INTO accounts (name, role, made_ms) VALUES ('anna', 'king', 7)")
    connection.close()
