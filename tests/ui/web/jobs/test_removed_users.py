"""Names of users who were removed: nobody gets them before all that was theirs has gone."""

from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest

from bus.errors import BadInput
from tests.ui.web.jobs.office import NOW, record
from ui.web.jobs import removed_users, rows
from ui.web.jobs.database import connect
from ui.web.jobs.removed_users import HELD_MS


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    opened = connect(tmp_path / "page.db", rows.SCHEMA)
    yield opened
    opened.close()


def test_a_name_is_held_for_a_minute_and_until_its_last_job_has_gone(connection: Connection) -> None:
    job = record()
    rows.add(connection, job, None, b"")
    removed_users.add(connection, "anna", NOW)
    removed_users.free(connection, "anna", NOW + HELD_MS)
    assert removed_users.names(connection) == ["anna"]
    rows.remove(connection, [job.id], NOW)
    removed_users.free(connection, "anna", NOW + HELD_MS - 1)
    assert removed_users.is_one(connection, "anna")
    removed_users.free(connection, "anna", NOW + HELD_MS)
    assert removed_users.names(connection) == []


def test_whoever_gets_the_name_hears_of_no_job_before(connection: Connection) -> None:
    rows.add(connection, record(), None, b"")
    rows.remove(connection, ["a" * 32], NOW)
    removed_users.add(connection, "anna", NOW)
    removed_users.free(connection, "anna", NOW + HELD_MS)
    assert rows.changes_after(connection, "anna", 0, 10) == []


def test_no_job_begins_under_it(connection: Connection) -> None:
    removed_users.add(connection, "anna", NOW)
    with pytest.raises(BadInput, match="The account was removed") as caught:
        rows.add(connection, record(), None, b"")
    assert caught.value.problem.status == 401
    assert rows.add(connection, record(user="ben"), None, b"")[0].is_new


def test_other_names_stay_as_they_are(connection: Connection) -> None:
    for name in ("anna", "ben"):
        removed_users.add(connection, name, NOW)
    removed_users.free(connection, "ben", NOW + HELD_MS)
    assert removed_users.names(connection) == ["anna"]
