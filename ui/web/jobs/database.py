"""SQLite on a thread of its own: what the page has accepted outlives its process.

Calls that wait at the same time share one commit, and so one wait for the disk; each is still all or nothing.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from bus.errors import SetupError

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE: Final = 64
"""Calls that share a commit, at the most: the first of them waits for the last."""
_BUSY_S: Final = 10.0
"""How long a command that writes to the same file is waited for."""


@dataclass(slots=True, eq=False)
class _Call:
    """One call, and where its result is awaited."""

    work: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"

    def tell(self, result: Any, error: BaseException | None) -> None:
        # A loop that is closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle, result, error)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class Database:
    """One SQLite file; several processes may have it open."""

    def __init__(self, path: Path, schema: str, migrations: Sequence[str] = ()) -> None:
        """`schema` is SQL that may be run again (`CREATE TABLE IF NOT EXISTS ...`).

        `migrations` are what brings older files up to it, oldest first: a new file needs none, and later ones are only
        ever added at the end.
        """
        self.path = path
        self.schema = schema
        self._migrations = tuple(migrations)
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Open the file, making it where there is none.

        Raises SetupError, naming the file and the remedy, when it is damaged, newer than this program, or can't be
        written.
        """
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        call = _Call(lambda _connection: None, asyncio.get_running_loop(), opened)
        # A daemon: a page that dies without closing it must not hang, and what was committed is safe.
        self._thread = threading.Thread(target=self._serve, args=(call,), name="database", daemon=True)
        self._thread.start()
        await opened

    async def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `function(connection, ...)` gives, in one transaction: committed to the disk before this returns.

        The function runs on the database's thread and does not commit. Whatever it raises undoes what it did, and is
        raised here; so is sqlite3.Error when the disk does not take it. A cancelled caller does not undo anything.
        """
        if self._thread is None:
            raise RuntimeError("the database is not open")
        loop = asyncio.get_running_loop()
        call = _Call(lambda connection: function(connection, *args, **kwargs), loop, loop.create_future())
        self._calls.put(call)
        result: T = await call.future
        return result

    async def close(self) -> None:
        """Finish what was asked for, and close the file."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._calls.put(None)
            await asyncio.to_thread(thread.join)

    # -- on the thread

    def _serve(self, opened: _Call) -> None:
        try:
            connection = connect(self.path, self.schema, self._migrations)
        except Exception as error:  # noqa: BLE001 (whoever opens it is told)
            opened.tell(None, error)
            return
        opened.tell(None, None)
        with contextlib.closing(connection):
            open_ = True
            while open_:
                calls, open_ = self._waiting()
                commit_all(connection, calls)

    def _waiting(self) -> tuple[list[_Call], bool]:
        """The calls that wait, as soon as there is one, and whether more may come."""
        calls = []
        call = self._calls.get()
        while call is not None:
            calls.append(call)
            if len(calls) == _AT_ONCE or self._calls.empty():
                return calls, True
            call = self._calls.get()
        return calls, False


def commit_all(connection: sqlite3.Connection, calls: Sequence[_Call]) -> None:
    """Run the calls in one transaction, each undone alone if it fails, and tell their results once they are kept."""
    told: list[tuple[_Call, Any, BaseException | None]] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for call in calls:
            result, fault = _attempt(connection, call)
            told.append((call, result, fault))
            if not connection.in_transaction:  # SQLite itself ended it: the disk is full
                raise sqlite3.OperationalError(str(fault))
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        # Nothing of it is kept: the disk is full, or another process held the file for too long.
        log.warning("the database did not take %d calls: %s", len(calls), error)
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        told = [(call, None, error) for call in calls]
    for call, result, fault in told:
        call.tell(result, fault)


def _attempt(connection: sqlite3.Connection, call: _Call) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT call")
    try:
        result = call.work(connection)
    except Exception as error:  # noqa: BLE001 (it is raised where the call was made)
        if connection.in_transaction:
            connection.execute("ROLLBACK TO call")
            connection.execute("RELEASE call")
        return None, error
    connection.execute("RELEASE call")
    return result, None


def connect(path: Path, schema: str, migrations: Sequence[str] = ()) -> sqlite3.Connection:
    """A connection as all of ours are: write-ahead log, on the disk at each commit, foreign keys held to.

    Raises SetupError as `Database.open` does.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise SetupError(f"{path} can't be opened ({error}): correct its rights, or OVERSPILL_PAGE_DIR.") from error
    try:
        _prepare(connection, path, schema, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, schema: str, migrations: Sequence[str]) -> None:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # With WAL, NORMAL would survive a crash of ours but not one of the machine: what is accepted must.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _damaged(path, found)
        _bring_up(connection, path, schema, migrations)
    except sqlite3.OperationalError as error:
        raise SetupError(
            f"{path} can't be used ({error}): free some disk, correct its rights, or end what else has it open."
        ) from error
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error


def _bring_up(connection: sqlite3.Connection, path: Path, schema: str, migrations: Sequence[str]) -> None:
    """Make the tables, or bring older ones up to date, at one stroke. Raises SetupError for newer ones."""
    latest = len(migrations) + 1
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > latest:
        raise SetupError(
            f"{path} was written by a newer overspill (its version is {version}, ours {latest}): "
            "install that one again, or name another folder with OVERSPILL_PAGE_DIR."
        )
    missing = migrations[version - 1 :] if version else ()
    script = "\n".join(["BEGIN IMMEDIATE;", *missing, schema, f"PRAGMA user_version = {latest};", "COMMIT;"])
    connection.executescript(script)


def _damaged(path: Path, why: str) -> SetupError:
    return SetupError(
        f"{path} is damaged ({why}): put a copy of it back, or move it away to begin without jobs and accounts."
    )
