"""How attempts are counted and told."""

from bus.attempts import HISTORY_KEPT
from bus.messages import Job
from consumers.attempts import not_begun, taken_back

JOB = Job(id="j1", operation="sketch", body=b"", attempt=2)


def test_a_job_that_was_never_taken_back_is_as_it_came() -> None:
    assert taken_back(JOB, 0, "vm1", 5) == JOB


def test_each_time_it_was_taken_back_was_an_attempt_and_is_told() -> None:
    job = taken_back(JOB, 2, "vm1", 5)
    assert job.attempt == 4
    assert [(told.attempt, told.vm, told.at_ms) for told in job.history] == [(2, "vm1", 5), (3, "vm1", 5)]
    assert "vm1 ended" in job.history[0].reason


def test_a_history_keeps_its_latest() -> None:
    job = taken_back(JOB, 20, "vm1", 5)
    assert [told.attempt for told in job.history] == list(range(22 - HISTORY_KEPT, 22))


def test_however_often_it_was_taken_back_every_attempt_counts() -> None:
    job = taken_back(JOB, 10**15, "vm1", 5)
    assert job.attempt == 2 + 10**15
    assert job.history[-1].attempt == 1 + 10**15
    assert len(job.history) == HISTORY_KEPT


def test_an_attempt_that_was_not_begun_does_not_count() -> None:
    assert not_begun(JOB).attempt == 1
    assert not_begun(JOB.model_copy(update={"attempt": 0})).attempt == 0
