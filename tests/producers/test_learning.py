"""What a step of a job, told by its VM, changes in what the router knows."""

from typing import Any

import pytest

from bus.events import JobEvent
from bus.messages import Job
from producers.commands import Held, Moment
from producers.estimates import Estimates, Range
from producers.learning import Learning
from producers.line import Line
from producers.placed import Placed
from producers.placement import Wish
from producers.waits import Waits
from producers.work import Outstanding, Work
from telemetry.fleet import Fleet
from telemetry.vm_view import VmView
from tests.telemetry.beats import beat

NOW = Moment(100.0, 100_000)
PREDICTED = Range(2.0, 4.0)
CHARGED_S = 1.5


class Books:
    """All that is kept, with one sketch of anna's, `j1`, placed on vm1 as `p1`."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.estimates = Estimates()
        self.work = Work()
        self.placed = Placed("s")
        self.waits = Waits(self.estimates)
        self.learning = Learning(self.fleet, self.estimates, self.work, self.placed, self.waits)
        self.fleet.heard(beat(1), NOW.mono_s)
        self.fleet.placed("vm1", "p1", NOW.mono_s)
        self.work.placed(Outstanding("p1", "vm1", "anna", "sketch", 8.0, 1, PREDICTED, NOW.mono_s, CHARGED_S))

    @property
    def vm(self) -> VmView:
        return self.fleet.views(NOW.mono_s)["vm1"]

    def told(self, state: Any, vm: str = "vm1", **told: Any) -> float:
        given: dict[str, Any] = {
            "job": "j1",
            "operation": "sketch",
            "user": "anna",
            "at_ms": 1,
            "placement": "p1",
        } | told
        return self.learning.told(JobEvent(state=state, vm=vm, **given), vm, NOW)

    def typical_s(self, megapixels: float = 8.0, operation: str = "sketch") -> float:
        return self.estimates.predict(operation, megapixels).p50


def test_a_job_that_runs_has_begun_and_takes_its_room_still() -> None:
    books = Books()
    assert books.told("running") == 0.0
    assert books.placed.has_begun("p1")
    assert "p1" in books.work
    assert books.vm.held == {"p1"}
    assert not books.placed.has_ended("anna", "j1")


def test_a_job_that_is_done_leaves_and_tells_how_much_longer_it_took_than_was_charged() -> None:
    books = Books()
    assert books.told("done", ran_ms=3500) == 2.0
    assert ("p1" in books.work, books.vm.held) == (False, frozenset())
    assert books.placed.has_ended("anna", "j1")


def test_a_job_that_was_quicker_than_charged_gives_seconds_back() -> None:
    assert Books().told("done", ran_ms=500) == -1.0


def test_an_end_told_twice_corrects_once() -> None:
    books = Books()
    assert books.told("done", ran_ms=3500) == 2.0
    assert books.told("done", ran_ms=3500) == 0.0


def test_how_long_a_job_ran_is_learnt_for_its_like() -> None:
    books = Books()
    before_s = books.typical_s()
    books.told("done", ran_ms=60_000)
    assert books.typical_s() > before_s
    assert books.typical_s(operation="caption") == Estimates().predict("caption", 8.0).p50


def test_another_routers_job_is_learnt_from_by_the_size_it_tells() -> None:
    books, same = Books(), Books()
    assert books.told("done", placement="q9", ran_ms=60_000, pixels=8_000_000) == 0.0
    same.told("done", ran_ms=60_000)
    assert books.typical_s() == same.typical_s()
    assert "p1" in books.work


def test_a_size_nobody_tells_counts_as_none() -> None:
    books = Books()
    books.told("done", placement="q9", ran_ms=60_000)
    expected = Estimates()
    expected.observe("sketch", 0.0, "vm1", 60.0)
    assert books.typical_s() == expected.predict("sketch", 8.0).p50


def test_an_end_without_a_running_time_is_an_end_all_the_same() -> None:
    books = Books()
    before_s = books.typical_s()
    assert books.told("done") == 0.0
    assert "p1" not in books.work
    assert books.typical_s() == before_s


def test_a_job_without_a_placement_goes_by_its_id() -> None:
    books = Books()
    books.fleet.placed("vm1", "j7", NOW.mono_s)
    books.told("running", job="j7", placement=None)
    assert books.placed.has_begun("j7")
    books.told("done", job="j7", placement=None, ran_ms=10)
    assert books.vm.held == {"p1"}


@pytest.mark.parametrize("problem", ["timed-out", "too-many-attempts", "operation-failed"])
def test_a_fault_that_may_be_the_vms_costs_it_some_of_its_share(problem: str) -> None:
    books = Books()
    assert books.told("failed", problem=problem, ran_ms=60_000) == 0.0
    assert books.vm.share < 1.0
    assert books.placed.has_ended("anna", "j1")


@pytest.mark.parametrize("problem", ["broken-image", "cancelled", "expired", None])
def test_a_fault_of_the_picture_or_a_wish_of_its_caller_does_not(problem: str | None) -> None:
    books = Books()
    books.told("failed", problem=problem)
    assert books.vm.share == 1.0
    assert "p1" not in books.work


def test_a_job_that_goes_back_to_be_tried_again_leaves_and_has_not_ended() -> None:
    books = Books()
    books.told("retried", problem="timed-out")
    assert books.vm.share < 1.0
    assert "p1" not in books.work
    assert not books.placed.has_ended("anna", "j1")


def test_an_answer_that_nobody_waits_for_ends_a_job_too() -> None:
    books = Books()
    books.told("unanswerable")
    assert books.placed.has_ended("anna", "j1")
    assert books.vm.share == 1.0


def test_a_vm_that_is_much_slower_than_the_others_gets_less() -> None:
    books = Books()
    for number in range(40):
        books.told("done", vm="vm2", placement=f"q{number}", ran_ms=1000)
    for number in range(40):
        books.told("done", placement=f"r{number}", ran_ms=8000)
    assert books.vm.share < 0.8


def promised(books: Books) -> None:
    """The job of `p1` was told when it would end, 100 seconds before now."""
    line = Line({})
    job = Job(id="j1", operation="sketch", user="anna", body=b"picture")
    line.add(Held(1, "lane.00", job, Wish("sketch", 8.0), 2.0, 0.0), 0.0)
    books.waits.arrived(1, -1.0)
    books.waits.tell(line, Moment(0.0, 0), 1)
    books.waits.placed(1, "p1")


def test_an_end_is_held_against_what_was_promised() -> None:
    books = Books()
    promised(books)
    books.told("done", ran_ms=100)
    assert books.waits.forecast.coverage == 0.0


def test_a_failure_says_nothing_of_promises() -> None:
    books = Books()
    promised(books)
    books.told("failed", problem="timed-out")
    assert books.waits.forecast.coverage == 1.0
