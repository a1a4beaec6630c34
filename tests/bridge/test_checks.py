"""What becomes of a job out of `overflow` before the cloud is asked."""

from typing import Any

import pytest

from bridge.checks import LOCAL, NO_REPLY_TO, Bury, GoHome, Refuse, at_home, check
from bus.messages import Job

NOW = 1_000_000


def job(**fields: Any) -> Job:
    given: dict[str, Any] = {"id": "j1", "operation": "sketch", "body": b"x", "reply_to": "r"}
    return Job(**given | fields)


def slug(job: Job, *, cancelled: bool = False) -> str:
    found = check(job, NOW, cancelled=cancelled)
    assert isinstance(found, Refuse)
    return found.problem.slug


def test_a_good_job_may_go() -> None:
    assert check(job(deadline_ms=NOW + 1), NOW, cancelled=False) is None


def test_what_may_not_go_is_refused_with_the_reason() -> None:
    assert slug(job(deadline_ms=NOW)) == "expired"
    assert slug(job(), cancelled=True) == "cancelled"
    assert slug(job(operation="sharpen")) == "unknown-operation"


@pytest.mark.parametrize("wrong", [{}, {"deadline_ms": NOW}, {"operation": "sharpen"}])
def test_a_local_job_goes_home_whatever_else_is_wrong(wrong: dict[str, Any]) -> None:
    assert check(job(site="local", **wrong), NOW, cancelled=True) == GoHome(LOCAL)


def test_a_job_that_nobody_waits_for_is_buried() -> None:
    assert check(job(reply_to=None, site="local"), NOW, cancelled=False) == Bury(NO_REPLY_TO)


def test_a_job_goes_home_without_the_attempt_it_did_not_get() -> None:
    assert [at_home(job(attempt=attempt)).attempt for attempt in (0, 1, 3)] == [0, 0, 2]
