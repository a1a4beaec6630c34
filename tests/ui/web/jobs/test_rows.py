import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bus.errors import BadInput
from tests.ui.web.jobs.office import DAY_MS, NOW, record
from ui.web.jobs import rows
from ui.web.jobs.database import connect
from ui.web.jobs.record import JOB_BYTES, Record, Result
from ui.web.jobs.rows import Told, Wanted

MINE = Wanted("anna", None, None, 50, None)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(tmp_path / "page.sqlite", rows.SCHEMA)
    yield connection
    connection.close()


def add(db: sqlite3.Connection, job_id: str, **more: object) -> Record:
    return rows.add(db, record(job_id, **more), None, b"")[0].record


def test_a_record_comes_back_as_it_was(db: sqlite3.Connection) -> None:
    kept = add(db, "a", params={"format": "png"}, eta_s=(1.0, 2.0), problem=None)
    assert kept.number == 1
    assert rows.one(db, "anna", "a") == kept
    assert rows.one(db, "ben", "a") is None
    assert rows.one(db, "anna", "b") is None


def test_numbers_are_never_used_again(db: sqlite3.Connection) -> None:
    add(db, "a")
    rows.remove(db, ["a"], NOW)
    assert add(db, "b").number == 2


def test_the_same_key_is_the_same_order(db: sqlite3.Connection) -> None:
    first, change = rows.add(db, record("a"), "key", b"mark")
    assert first.is_new
    assert change is not None
    again, nothing = rows.add(db, record("b"), "key", b"mark")
    assert (again.record, again.is_new, nothing) == (first.record, False, None)
    with pytest.raises(BadInput, match="Idempotency-Key"):
        rows.add(db, record("b"), "key", b"another")
    assert rows.add(db, record("c", user="ben"), "key", b"another")[0].is_new
    rows.remove(db, ["a"], NOW)
    assert rows.add(db, record("d"), "key", b"another")[0].is_new


def test_jobs_are_counted_by_state(db: sqlite3.Connection) -> None:
    for job_id, more in {"a": {}, "b": {"state": "done"}, "c": {"state": "done"}, "d": {"user": "ben"}}.items():
        add(db, job_id, **more)
    assert rows.states(db, "anna") == {"accepted": 1, "done": 2}
    assert rows.states(db, "eve") == {}


def test_lists_are_narrowed_and_paged(db: sqlite3.Connection) -> None:
    for job_id, more in {"a": {}, "b": {"state": "done"}, "c": {"operation": "caption"}, "d": {"user": "ben"}}.items():
        add(db, job_id, **more)

    def ids(**more: object) -> list[str]:
        return [found.id for found in rows.some(db, replace(MINE, **more))]  # type: ignore[arg-type]  # by name

    assert ids() == ["c", "b", "a"]
    assert ids(limit=2) == ["c", "b"]
    assert ids(before=2) == ["a"]
    assert ids(state="done") == ["b"]
    assert ids(operation="caption", state="done") == []


def test_a_replay_gives_each_job_once_as_it_is_now(db: sqlite3.Connection) -> None:
    a, b = add(db, "a"), add(db, "b")
    start = rows.last_change(db, "anna")
    add(db, "c", user="ben")
    rows.save(db, [a.model_copy(update={"state": "queued"}), b.model_copy(update={"state": "queued"})])
    rows.save(db, [a.model_copy(update={"state": "running"})])
    rows.remove(db, ["b", "nothing"], NOW)
    missed = rows.changes_after(db, "anna", start, 10)
    assert missed is not None
    assert [(change.job_id, change.record and change.record.state) for change in missed] == [
        ("a", "running"),
        ("b", None),
    ]
    assert [change.id for change in missed] == sorted(change.id or 0 for change in missed)
    assert rows.last_change(db, "anna") == missed[-1].id
    assert rows.changes_after(db, "anna", start, 1) == missed[:1]


def test_a_replay_from_before_what_is_remembered_is_none(db: sqlite3.Connection) -> None:
    add(db, "a")
    add(db, "b")
    start = rows.last_change(db, "anna")
    rows.remove(db, ["a"], NOW)
    rows.forget_removals(db, NOW)
    assert rows.changes_after(db, "anna", start, 10) is not None  # not older than that moment
    rows.forget_removals(db, NOW + 1)
    assert rows.changes_after(db, "anna", start, 10) is None
    for user in ["anna", "nobody"]:
        assert rows.changes_after(db, user, rows.last_change(db, user), 10) == []


def test_what_was_removed_is_not_written_again(db: sqlite3.Connection) -> None:
    gone = add(db, "a")
    rows.remove(db, ["a"], NOW)
    assert rows.save(db, [gone], [Told("a", NOW, "{}")]) == []
    assert rows.events(db, "a") == []


def test_no_move_undoes_an_end(db: sqlite3.Connection) -> None:
    a = add(db, "a")
    ended = a.model_copy(update={"state": "done"})
    assert len(rows.end(db, [ended], [])) == 1
    assert rows.save(db, [a]) == []
    assert rows.one(db, "anna", "a") == ended
    assert len(rows.save(db, [ended.model_copy(update={"ran_ms": 7})])) == 1


def test_events_go_with_their_job(db: sqlite3.Connection) -> None:
    a = add(db, "a")
    rows.save(db, [], [Told("a", 2, "second"), Told("a", 1, "first")])
    assert rows.events(db, "a") == ["first", "second"]
    assert rows.event_counts(db) == {"a": 2}
    rows.end(db, [a.model_copy(update={"state": "done"})], [])
    assert rows.event_counts(db) == {}
    rows.remove(db, ["a"], NOW)
    assert db.execute("SELECT count(*) FROM job_event").fetchone() == (0,)


def test_what_is_under_way_kept_and_old(db: sqlite3.Connection) -> None:
    add(db, "a")
    result = Result(bytes=11, type="image/png")
    rows.save(db, [add(db, "b").model_copy(update={"state": "done", "expires_ms": NOW, "result": result})])
    assert [job.id for job in rows.under_way(db)] == ["a"]
    assert rows.kept_bytes(db) == {"anna": 2 * JOB_BYTES + 211}
    assert rows.expired(db, NOW - 1, 10) == []
    assert [job.id for job in rows.expired(db, NOW, 10)] == ["b"]
    assert rows.expired(db, NOW + 9 * DAY_MS, 10)[0].id == "b"  # and never what is under way
    assert rows.known(db, ["a", "z"]) == {"a"}


def test_the_reply_queue_keeps_its_first_name_and_arguments(db: sqlite3.Connection) -> None:
    assert rows.replies(db, "page.1", 1000) == ("page.1", 1000)
    assert rows.replies(db, "page.2", 2000) == ("page.1", 1000)


def test_a_fault_in_a_hook_does_not_keep_a_job_from_its_end(
    db: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(connection: sqlite3.Connection, _job: Record) -> None:
        connection.execute("DELETE FROM job")
        raise ValueError("a fault")

    ended = add(db, "a").model_copy(update={"state": "done"})
    db.execute("BEGIN")
    assert len(rows.end(db, [ended], [faulty])) == 1
    db.execute("COMMIT")
    assert rows.one(db, "anna", "a") == ended
    assert "a fault" in caplog.text
