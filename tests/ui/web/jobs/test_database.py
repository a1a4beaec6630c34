import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bus.errors import SetupError
from ui.web.jobs.database import Database, connect

SCHEMA = "CREATE TABLE IF NOT EXISTS note (number INTEGER PRIMARY KEY, text TEXT NOT NULL);"


def write(connection: sqlite3.Connection, number: int, text: str) -> int:
    connection.execute("INSERT INTO note VALUES (?, ?)", (number, text))
    return number


def notes(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT number FROM note ORDER BY number")]


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o777


def fill(path: Path, body: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(body)


def tear(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[4096 * 5 : 4096 * 9] = b"\xaa" * (4096 * 4)
    path.write_bytes(body)


def told_until_killed(path: Path) -> set[int]:
    """Which writes a process has told of, before and while it was killed."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(50)]
        writer.kill()
        return {*told, *(int(line) for line in writer.stdout.read().split("\n")[:-1])}


async def reopened(path: Path) -> list[int]:
    database = Database(path, SCHEMA)
    await database.open()
    found = await database.run(notes)
    await database.close()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "page.sqlite"


async def test_what_was_returned_is_kept(path: Path) -> None:
    database = Database(path, SCHEMA)
    await database.open()
    assert await database.run(write, 1, text="one") == 1
    await database.close()
    assert await reopened(path) == [1]
    assert rights(path) == 0o600


async def test_calls_share_a_commit_and_fail_alone(path: Path) -> None:
    database = Database(path, SCHEMA)
    await database.open()
    calls = [database.run(write, number, "again") for number in [1, 2, 2, 3]]
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(told[2], sqlite3.IntegrityError)
    assert [*told[:2], told[3]] == [1, 2, 3]
    assert await database.run(notes) == [1, 2, 3]
    await database.close()


async def test_what_a_failed_call_wrote_is_undone(path: Path) -> None:
    def twice(connection: sqlite3.Connection) -> None:
        write(connection, 1, "first")
        write(connection, 1, "second")

    database = Database(path, SCHEMA)
    await database.open()
    with pytest.raises(sqlite3.IntegrityError):
        await database.run(twice)
    assert await database.run(notes) == []
    await database.close()


async def test_who_gives_up_waiting_undoes_nothing(path: Path) -> None:
    database = Database(path, SCHEMA)
    await database.open()
    impatient = asyncio.ensure_future(database.run(write, 1, "one"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await database.run(notes) == [1]
    await database.close()


async def test_a_disk_that_is_full_fails_the_call_and_nothing_else(path: Path) -> None:
    def limit(connection: sqlite3.Connection, pages: int) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    database = Database(path, SCHEMA)
    await database.open()
    await database.run(limit, 4)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        await database.run(write, 1, "x" * 100_000)
    await database.run(limit, 100_000)
    assert await database.run(write, 2, "x" * 100_000) == 2
    assert await database.run(notes) == [2]
    await database.close()


async def test_two_processes_may_have_it_open(path: Path) -> None:
    page, command = Database(path, SCHEMA), Database(path, SCHEMA)
    await page.open()
    await command.open()
    await asyncio.gather(
        *(each.run(write, 10 * n + k, "x") for n in range(5) for k, each in enumerate((page, command)))
    )
    assert len(await page.run(notes)) == 10
    await command.close()
    await page.close()
    await page.close()  # once more does nothing


async def test_one_that_is_not_open_says_so(path: Path) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await Database(path, SCHEMA).run(notes)


async def test_a_damaged_file_is_named_with_its_remedy(path: Path) -> None:
    fill(path, b"no database at all, but long enough to be looked at as one" * 100)
    with pytest.raises(SetupError, match=r"page\.sqlite is damaged .*put a copy of it back"):
        await Database(path, SCHEMA).open()


async def test_a_page_torn_out_of_the_file_is_found_at_the_start(path: Path) -> None:
    database = Database(path, SCHEMA)
    await database.open()
    await asyncio.gather(*(database.run(write, number, "x" * 1000) for number in range(200)))
    await database.close()
    tear(path)
    with pytest.raises(SetupError, match="is damaged"):
        await Database(path, SCHEMA).open()


async def test_a_file_of_a_newer_program_is_left_alone(path: Path) -> None:
    newer = Database(path, SCHEMA, migrations=["ALTER TABLE note ADD COLUMN more TEXT;"])
    await newer.open()
    await newer.close()
    with pytest.raises(SetupError, match="newer overspill"):
        await Database(path, SCHEMA).open()


async def test_an_older_file_is_brought_up_to_date(path: Path) -> None:
    older = Database(path, SCHEMA)
    await older.open()
    await older.run(write, 1, "one")
    await older.close()
    newer = Database(path, SCHEMA, migrations=["ALTER TABLE note ADD COLUMN more TEXT DEFAULT 'so';"])
    await newer.open()
    assert await newer.run(lambda db: db.execute("SELECT more FROM note").fetchall()) == [("so",)]
    await newer.close()


async def test_a_migration_that_fails_leaves_all_as_it_was(path: Path) -> None:
    await reopened(path)
    with pytest.raises(SetupError, match="can't be used"):
        await Database(path, SCHEMA, migrations=["CREATE TABLE other (a); ALTER TABLE nothing ADD COLUMN more;"]).open()
    assert await reopened(path) == []
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'other'").fetchone() == (0,)
    connection.close()


async def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match="OVERSPILL_PAGE_DIR"):
        await Database(tmp_path / "file" / "page.sqlite", SCHEMA).open()


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.ui.web.jobs.test_database import SCHEMA, write
from ui.web.jobs.database import Database

async def main():
    database = Database(Path(sys.argv[1]), SCHEMA)
    await database.open()
    for number in range(100_000):
        print(await database.run(write, number, "x" * 500), flush=True)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_loses_nothing_it_had_told(path: Path) -> None:
    told = told_until_killed(path)
    assert len(told) >= 50
    assert told <= set(await reopened(path))


def test_it_is_on_the_disk_at_each_commit(path: Path) -> None:
    connection = connect(path, SCHEMA)
    modes = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    connection.close()
    assert modes == ["wal", 2]
