"""The memory of what went where: what is a repeat, and what only looks like one."""

from typing import Any

import pytest

from bus.messages import Job
from producers import placed as module
from producers.placed import Placed, mark


def job(identity: str = "j1", body: bytes = b"picture", **changes: Any) -> Job:
    return Job(id=identity, operation="sketch", body=body, reply_to="answers", **changes)


def test_a_placements_id_is_new_each_time_and_tells_the_job() -> None:
    placed = Placed("s")
    first, second = placed.next_id(job()), placed.next_id(job())
    assert first != second
    assert first.startswith(mark(job()))
    assert second.startswith(mark(job()))
    assert len(placed.next_id(job("x" * 255, user="u" * 128))) <= 64


def test_jobs_of_other_users_or_operations_have_other_marks() -> None:
    marks = {mark(job()), mark(job(user="ben")), mark(job("j2")), mark(Job(id="j1", operation="caption", body=b""))}
    assert len(marks) == 4


def test_a_repeat_goes_home_and_another_picture_does_not() -> None:
    placed = Placed("s")
    assert placed.home(job(), redelivered=True) is None
    placed.placed(job(), "vm1")
    assert placed.home(job(), redelivered=False) == "vm1"
    assert placed.home(job(body=b"another"), redelivered=False) is None


def test_a_job_that_was_replayed_has_no_home_where_it_died_but_its_repeats_have_one() -> None:
    placed = Placed("s")
    placed.placed(job(), "vm1")
    assert placed.home(job(replays=1), redelivered=False) is None
    placed.placed(job(replays=1), "vm2")
    assert placed.home(job(replays=1), redelivered=False) == "vm2"


def test_what_only_an_event_told_is_home_for_what_is_delivered_again() -> None:
    placed = Placed("s")
    placed.told("anonymous", "j1", "sketch", "vm2", ended=False)
    assert placed.home(job(), redelivered=True) == "vm2"
    assert placed.home(job(), redelivered=False) is None
    assert placed.home(job(replays=1), redelivered=True) is None  # the event may be of the run that it died of


def test_a_run_elsewhere_replaces_the_first() -> None:
    placed = Placed("s")
    placed.placed(job(), "vm1")
    placed.told("anonymous", "j1", "sketch", "vm1", ended=False)
    assert placed.home(job(), redelivered=False) == "vm1"
    placed.told("anonymous", "j1", "sketch", "vm2", ended=False)
    assert placed.home(job(), redelivered=True) == "vm2"


def test_it_is_known_whether_a_job_has_ended() -> None:
    placed = Placed("s")
    assert placed.ended("anonymous", "j1") == set()
    placed.placed(job(), "vm1")
    assert placed.ended("anonymous", "j1") == set()
    placed.told("anonymous", "j1", "sketch", "vm1", ended=True)
    placed.told("anonymous", "j1", "sketch", "vm1", ended=False)  # a late word
    assert placed.ended("anonymous", "j1") == {"sketch"}
    placed.placed(job(), "vm1")  # sent again
    assert placed.ended("anonymous", "j1") == set()


def test_it_is_known_whether_a_placement_was_begun() -> None:
    placed = Placed("s")
    placed.began("p1")
    assert placed.has_begun("p1")
    assert not placed.has_begun("p2")


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    placed = Placed("s")
    for number in range(4):
        placed.placed(job(f"j{number}"), "vm1")
        placed.began(f"p{number}")
    assert [placed.home(job(f"j{n}"), redelivered=False) for n in range(4)] == [None, None, "vm1", "vm1"]
    assert [placed.has_begun(f"p{n}") for n in range(4)] == [False, False, True, True]
