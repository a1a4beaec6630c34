"""Orders to cancel that found no job yet."""

import pytest

from producers import cancels as module
from producers.cancels import REMEMBERED_S, Cancels


def asked(*jobs: str) -> Cancels:
    cancels = Cancels()
    for ticket, job in enumerate(jobs, 1):
        assert cancels.remember("anna", job, ticket, at_ms=1000, now_s=float(ticket)) == []
    return cancels


def test_an_order_cancels_one_job_of_its_user() -> None:
    cancels = asked("j1")
    assert cancels.take("ben", "j1", None) is None
    assert cancels.take("anna", "j1", None) == 1
    assert cancels.take("anna", "j1", None) is None


def test_a_job_sent_after_the_order_is_another_job() -> None:
    cancels = asked("j1")
    assert cancels.take("anna", "j1", 1001) is None
    assert cancels.take("anna", "j1", 1000) == 1


def test_the_same_order_again_replaces_the_first() -> None:
    cancels = asked("j1")
    assert cancels.remember("anna", "j1", 7, at_ms=2000, now_s=2) == [1]
    assert len(cancels) == 1
    assert cancels.take("anna", "j1", 1500) == 7


def test_an_order_is_in_force_for_twenty_minutes() -> None:
    cancels = asked("j1", "j2")
    assert cancels.expire(REMEMBERED_S + 0.9) == []
    assert cancels.expire(REMEMBERED_S + 1.5) == [1]
    assert len(cancels) == 1


def test_the_oldest_order_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    assert asked("j1", "j2").remember("anna", "j3", 3, at_ms=1, now_s=3) == [1]


def test_a_lost_connection_brings_every_order_again() -> None:
    cancels = asked("j1", "j2")
    cancels.forget()
    assert len(cancels) == 0
