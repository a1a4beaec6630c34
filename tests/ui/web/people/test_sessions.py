from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest

from ui.web.jobs.database import connect
from ui.web.people import sessions
from ui.web.people.sessions import IDLE_MS, MOST, Session
from ui.web.people.tables import SCHEMA

WEEK_MS = 7 * 86_400_000


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    opened = connect(tmp_path / "page.db", SCHEMA)
    yield opened
    opened.close()


def begun(connection: Connection, name: str = "anna", now_ms: int = 0) -> tuple[str, Session]:
    token, session = sessions.new_token(), Session(name, now_ms, now_ms, "192.0.2.7", "Firefox")
    sessions.begin(connection, token, session)
    return token, session


def test_a_session_is_found_by_its_token_which_is_not_kept(connection: Connection, tmp_path: Path) -> None:
    token, session = begun(connection)
    assert sessions.find(connection, sessions.digest_of(token), 1, WEEK_MS) == session
    assert sessions.find(connection, sessions.digest_of(token + "x"), 1, WEEK_MS) is None
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert token.encode() not in (tmp_path / "page.db").read_bytes()


def test_tokens_are_256_random_bits() -> None:
    made = {sessions.new_token() for _ in range(100)}
    assert len(made) == 100
    assert {len(token) for token in made} == {43}


def test_a_session_ends_when_it_is_ended(connection: Connection) -> None:
    token, _ = begun(connection)
    sessions.end(connection, sessions.digest_of(token))
    assert sessions.find(connection, sessions.digest_of(token), 1, WEEK_MS) is None


def test_a_session_ends_when_nobody_uses_it(connection: Connection) -> None:
    digest = sessions.digest_of(begun(connection)[0])
    assert sessions.find(connection, digest, IDLE_MS - 1, WEEK_MS)
    assert sessions.find(connection, digest, IDLE_MS, WEEK_MS) is None
    sessions.seen(connection, digest, IDLE_MS - 1)
    assert sessions.find(connection, digest, IDLE_MS, WEEK_MS)


def test_a_session_ends_however_much_it_is_used(connection: Connection) -> None:
    digest = sessions.digest_of(begun(connection)[0])
    sessions.seen(connection, digest, WEEK_MS - 1)
    assert sessions.find(connection, digest, WEEK_MS - 1, WEEK_MS)
    assert sessions.find(connection, digest, WEEK_MS, WEEK_MS) is None


def test_a_login_that_holds_for_a_minute_is_not_idle_for_days(connection: Connection) -> None:
    digest = sessions.digest_of(begun(connection)[0])
    assert sessions.find(connection, digest, 60_000, 60_000) is None


def test_an_account_has_so_many_and_the_least_used_ends(connection: Connection) -> None:
    tokens = [begun(connection, now_ms=n)[0] for n in range(MOST)]
    begun(connection, "ben")
    sessions.seen(connection, sessions.digest_of(tokens[0]), 1000)
    begun(connection, now_ms=2000)
    alive = [sessions.find(connection, sessions.digest_of(token), 2000, WEEK_MS) is not None for token in tokens]
    assert alive == [True, False, *[True] * (MOST - 2)]
    assert len(sessions.of_account(connection, "ben", 2000, WEEK_MS)) == 1


def test_an_accounts_sessions_are_listed_and_ended_together(connection: Connection) -> None:
    begun(connection, now_ms=1)
    begun(connection, now_ms=2)
    begun(connection, "ben")
    assert [session.seen_ms for session in sessions.of_account(connection, "anna", 3, WEEK_MS)] == [2, 1]
    sessions.end_all(connection, "anna")
    assert sessions.of_account(connection, "anna", 3, WEEK_MS) == []
    assert len(sessions.of_account(connection, "ben", 3, WEEK_MS)) == 1


def test_what_has_ended_is_swept(connection: Connection) -> None:
    old, new = begun(connection)[0], begun(connection, now_ms=IDLE_MS)[0]
    sessions.sweep(connection, IDLE_MS + 1, WEEK_MS)
    kept = {digest for (digest,) in connection.execute("SELECT digest FROM sessions")}
    assert kept == {sessions.digest_of(new)}
    assert sessions.digest_of(old) not in kept


def test_what_a_browser_calls_itself_is_cut(connection: Connection) -> None:
    sessions.begin(connection, "token", Session("anna", 0, 0, "192.0.2.7", "x" * 10_000))
    assert len(sessions.of_account(connection, "anna", 1, WEEK_MS)[0].agent) == 200
