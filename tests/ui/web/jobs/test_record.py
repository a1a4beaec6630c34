from tests.ui.web.jobs.office import record
from ui.web.jobs.record import JOB_BYTES, Result


def test_what_a_job_takes_on_the_disk() -> None:
    assert record().kept_bytes == JOB_BYTES + 100
    assert record(result=Result(bytes=11, type="image/png")).kept_bytes == JOB_BYTES + 111


def test_which_states_are_ends() -> None:
    states = ["accepted", "queued", "routed", "running", "done", "failed", "cancelled"]
    assert [record(state=state).ended for state in states] == [False] * 4 + [True] * 3
