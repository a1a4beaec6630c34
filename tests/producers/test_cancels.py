"""Orders to cancel that found no job yet."""

import pytest

from bus.messages import Job
from producers import cancels as module
from producers.cancels import REMEMBERED_S, Asked, Cancels

NOTHING: frozenset[str] = frozenset()


def job(identity: str, user: str = "anna", operation: str = "sketch") -> Job:
    return Job(id=identity, operation=operation, body=b"", user=user)


def asked(*jobs: str) -> Cancels:
    cancels = Cancels()
    for ticket, job in enumerate(jobs, 1):
        assert cancels.remember(Asked("anna", job, ticket, 1000), NOTHING, float(ticket)) == []
    return cancels


def test_an_order_cancels_one_job_of_its_user() -> None:
    cancels = asked("j1")
    assert cancels.take(job("j1", "ben"), None) is None
    assert cancels.take(job("j1", "anna"), None) == 1
    assert cancels.take(job("j1", "anna"), None) is None


def test_a_job_sent_after_the_order_is_another_job() -> None:
    cancels = asked("j1")
    assert cancels.take(job("j1", "anna"), 1001) is None
    assert cancels.take(job("j1", "anna"), 1000) == 1


def test_the_same_order_again_replaces_the_first() -> None:
    cancels = asked("j1")
    assert cancels.remember(Asked("anna", "j1", 7, 2000), NOTHING, 2.0) == [1]
    assert len(cancels) == 1
    assert cancels.take(job("j1", "anna"), 1500) == 7


def test_an_order_is_in_force_for_twenty_minutes() -> None:
    cancels = asked("j1", "j2")
    assert cancels.expire(REMEMBERED_S + 0.9) == []
    assert cancels.expire(REMEMBERED_S + 1.5) == [1]
    assert len(cancels) == 1


def test_the_oldest_order_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    assert asked("j1", "j2").remember(Asked("anna", "j3", 3, 1), NOTHING, 3.0) == [1]


def test_a_lost_connection_brings_every_order_again() -> None:
    cancels = asked("j1", "j2")
    cancels.forget()
    assert len(cancels) == 0


def test_what_has_ended_is_not_cancelled_any_more_and_the_rest_is() -> None:
    cancels = Cancels()
    cancels.remember(Asked("anna", "j1", 1, 1000), frozenset({"sketch"}), 0.0)
    assert cancels.take(job("j1"), None) is None
    assert cancels.take(job("j1", operation="caption"), None) == 1


def test_a_job_that_is_told_to_have_ended_ends_its_order() -> None:
    cancels = asked("j1")
    assert cancels.ended("anna", "j1") == 1
    assert cancels.ended("anna", "j1") is None
    assert cancels.take(job("j1"), None) is None
