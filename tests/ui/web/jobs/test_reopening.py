from pathlib import Path

from tests.ui.web.jobs.office import NOW, record
from ui.web.jobs import rows
from ui.web.jobs.database import connect
from ui.web.jobs.reopening import owner_of_failed, reopen


def test_only_what_has_failed_is_opened_anew_and_that_is_a_change(tmp_path: Path) -> None:
    db = connect(tmp_path / "page.sqlite", rows.SCHEMA)
    job = rows.add(db, record("a"), None, b"")[0].record
    assert reopen(db, job) == []
    assert owner_of_failed(db, job.id) is None
    rows.end(db, [job.model_copy(update={"state": "failed", "ended_ms": NOW})], [])
    assert owner_of_failed(db, job.id) == "anna"
    assert [change.record for change in reopen(db, job)] == [job]
    assert [found.state for found in rows.under_way(db)] == ["accepted"]
    assert rows.remove(db, [job.id], NOW)
    assert reopen(db, job) == []
    db.close()
