"""What a step of a job, told by its VM, changes in what the router knows."""

from typing import Any

import pytest

from bus.events import JobEvent
from bus.messages import Job
from producers.ahead import LookAhead
from producers.cloud import Cloud
from producers.commands import Held, Moment
from producers.estimates import Estimates, Range
from producers.learning import Learning
from producers.line import Line
from producers.placed import Placed
from producers.placement import Wish
from producers.placing import Books as Kept
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
        self.cloud = Cloud()
        ahead = LookAhead(self.fleet, self.work, None)
        books = Kept(self.fleet, self.estimates, self.work, self.placed, self.waits, self.cloud, ahead)
        self.learning = Learning(books)
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
    assert not books.placed.ended("anna", "j1")


def test_a_job_that_is_done_leaves_and_tells_how_much_longer_it_took_than_was_charged() -> None:
    books = Books()
    assert books.told("done", ran_ms=3500) == 2.0
    assert ("p1" in books.work, books.vm.held) == (False, frozenset())
    assert books.placed.ended("anna", "j1")


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


def test_a_run_whose_size_nobody_tells_teaches_nothing() -> None:
    books = Books()
    books.told("done", placement="q9", ran_ms=60_000)
    books.told("failed", placement="q9", problem="timed-out", ran_ms=60_000)
    assert books.typical_s() == Books().typical_s()


def test_a_repeat_that_was_answered_without_a_run_gives_its_charge_back_and_teaches_nothing() -> None:
    books = Books()
    before_s, share = books.typical_s(), books.vm.share
    assert books.told("done") == -CHARGED_S
    assert "p1" not in books.work
    assert (books.typical_s(), books.vm.share) == (before_s, share)


def test_a_job_without_a_placement_goes_by_its_id() -> None:
    books = Books()
    books.fleet.placed("vm1", "j7", NOW.mono_s)
    books.told("running", job="j7", placement=None)
    assert books.placed.has_begun("j7")
    books.told("done", job="j7", placement=None, ran_ms=10)
    assert books.vm.held == {"p1"}


# -- runs that fail


@pytest.mark.parametrize("state", ["failed", "retried", "unanswerable"])
def test_a_run_that_fails_is_charged_all_the_same(state: str) -> None:
    assert Books().told(state, problem="timed-out", ran_ms=60_000) == 58.5


@pytest.mark.parametrize("state", ["failed", "retried", "unanswerable"])
def test_a_job_that_did_not_run_gives_its_charge_back(state: str) -> None:
    assert Books().told(state, problem="cancelled") == -CHARGED_S


def test_a_run_that_was_cut_short_is_learnt_as_one_that_took_so_long() -> None:
    books, done = Books(), Books()
    before_s = books.typical_s()
    books.told("retried", problem="timed-out", ran_ms=60_000)
    done.told("done", ran_ms=60_000)
    assert books.typical_s() == done.typical_s() > before_s


def test_a_run_cut_short_before_its_predicted_end_teaches_nothing() -> None:
    books = Books()
    before_s = books.typical_s()
    books.told("retried", problem="timed-out", ran_ms=int(before_s * 900))
    assert books.typical_s() == before_s


def test_how_long_it_took_to_crash_is_not_learnt() -> None:
    books = Books()
    before_s = books.typical_s()
    books.told("retried", problem="too-many-attempts", ran_ms=60_000)
    assert books.typical_s() == before_s


# -- whose fault it is


@pytest.mark.parametrize("problem", ["timed-out", "too-many-attempts", "operation-failed"])
def test_a_fault_that_may_be_the_vms_costs_it_some_of_its_share(problem: str) -> None:
    books = Books()
    books.told("failed", problem=problem, ran_ms=60_000)
    assert books.vm.share < 1.0
    assert books.placed.ended("anna", "j1")


@pytest.mark.parametrize("problem", ["out-of-memory", "broken-image", "cancelled", "expired", None])
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
    assert not books.placed.ended("anna", "j1")


def test_an_answer_that_nobody_waits_for_ends_a_job_too() -> None:
    books = Books()
    books.told("unanswerable")
    assert books.placed.ended("anna", "j1")
    assert books.vm.share == 1.0


def test_a_vm_that_is_much_slower_than_the_others_gets_less() -> None:
    books = Books()
    for number in range(40):
        books.told("done", vm="vm2", placement=f"q{number}", ran_ms=1000, pixels=8_000_000)
    for number in range(40):
        books.told("done", placement=f"r{number}", ran_ms=8000, pixels=8_000_000)
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


class Blamed(Books):
    """More VMs, and jobs that fail on them."""

    def __init__(self, vms: int) -> None:
        super().__init__()
        self.names = [f"vm{number}" for number in range(1, vms + 1)]
        for name in self.names:
            self.fleet.heard(beat(1, name), NOW.mono_s)

    def fails(self, job: str, vm: str, user: str = "anna", state: str = "retried") -> None:
        self.told(state, vm, job=job, user=user, placement=f"{job}@{vm}", problem="operation-failed", ran_ms=100)

    def does(self, job: str, vm: str, user: str = "anna") -> None:
        self.told("done", vm, job=job, user=user, placement=f"{job}@{vm}", ran_ms=20)

    def shares(self) -> list[float]:
        views = self.fleet.views(NOW.mono_s)
        return [views[name].share for name in self.names]

    def shut(self) -> set[str]:
        """The VMs on probation: they get nothing at all for a while."""
        return {name for name, view in self.fleet.views(NOW.mono_s).items() if view.capacity == 0}


def test_a_job_that_fails_on_a_second_vm_clears_the_first() -> None:
    books = Blamed(3)
    books.fails("bad", "vm1")
    assert books.shares() == [0.5, 1.0, 1.0]
    books.fails("bad", "vm2")
    books.fails("bad", "vm3", state="failed")
    assert books.shares() == [1.0, 1.0, 1.0]


def test_one_users_bad_pictures_shut_no_vm() -> None:
    """Ten of them, each tried on three of eight VMs, while those do nothing else."""
    books = Blamed(8)
    for number in range(10):
        for attempt in range(3):
            books.fails(
                f"bad{number}", books.names[(number + attempt) % 8], state="retried" if attempt < 2 else "failed"
            )
    assert (books.shut(), books.shares()) == (set(), [1.0] * 8)


def test_bad_pictures_that_all_came_at_once_are_cleared_as_they_fail_again() -> None:
    books = Blamed(2)
    for number in range(6):
        books.fails(f"bad{number}", books.names[number % 2])
    assert books.shut() == {"vm1", "vm2"}
    for number in range(6):
        books.fails(f"bad{number}", books.names[(number + 1) % 2])
    assert (books.shut(), books.shares()) == (set(), [1.0, 1.0])


def test_a_job_that_fails_on_one_vm_time_and_again_is_one_failure() -> None:
    books = Blamed(1)
    for _ in range(5):
        books.fails("bad", "vm1")
    assert (books.shut(), books.shares()) == (set(), [0.5])


def test_a_vm_that_fails_what_others_do_is_soon_left_alone() -> None:
    books = Blamed(2)
    for number in range(3):
        books.fails(f"j{number}", "vm1", user=f"user{number}")
        books.does(f"j{number}", "vm2", user=f"user{number}")
    assert books.shut() == {"vm1"}
    assert books.shares()[1] == 1.0


def test_two_vms_that_both_fail_what_a_third_does_are_left_alone_as_well() -> None:
    books = Blamed(3)
    for number in range(3):
        for vm in ("vm1", "vm2"):
            books.fails(f"j{number}", vm)
        books.does(f"j{number}", "vm3")
    assert books.shut() == {"vm1", "vm2"}


def test_a_vm_that_does_a_job_at_last_is_not_blamed_for_it_again() -> None:
    books = Blamed(2)
    for vm in ("vm1", "vm2"):
        books.fails("j1", vm)
    books.does("j1", "vm1")
    assert books.shares() == [1.0, 0.5]


def test_the_jobs_of_two_users_are_two_though_they_share_an_id() -> None:
    books = Blamed(2)
    books.fails("1", "vm1")
    books.fails("1", "vm2", user="bert")
    assert books.shares() == [0.5, 0.5]


def test_a_job_that_has_ended_is_forgotten() -> None:
    books = Blamed(2)
    books.fails("1", "vm1", state="failed")
    books.fails("1", "vm2")
    assert books.shares() == [0.5, 0.5]


def test_only_the_latest_failures_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producers.learning.BLAMED_KEPT", 2)
    books = Blamed(2)
    for job in ("1", "2", "3"):
        books.fails(job, "vm1")
    books.fails("3", "vm2")
    books.fails("1", "vm2")
    assert books.shares()[1] == 0.5  # it was forgotten that the first had failed on vm1


# -- pictures that lie in the blob store, whose size nobody told the router


def guessed(**told: Any) -> Books:
    """The job of `p1` is done, and its size was a guess."""
    books = Books()
    books.work.placed(
        Outstanding("p1", "vm1", "anna", "sketch", 24.0, 1, PREDICTED, NOW.mono_s, CHARGED_S, is_guess=True)
    )
    books.told("done", ran_ms=60_000, **told)
    return books


def test_a_run_whose_size_was_guessed_teaches_nothing() -> None:
    books = guessed()
    assert books.typical_s() == Books().typical_s()
    assert "p1" not in books.work


def test_it_teaches_once_the_vm_tells_the_size() -> None:
    same = Books()
    same.told("done", ran_ms=60_000)
    assert guessed(pixels=8_000_000).typical_s() == same.typical_s()


# -- the cloud


def of_cloud(books: Books, state: Any, **told: Any) -> float:
    """A bridge tells of anna's job `j1`, which was placed in the cloud as `c1`."""
    given: dict[str, Any] = {"job": "j1", "operation": "sketch", "user": "anna", "at_ms": 1, "placement": "c1"}
    return books.learning.told_of_cloud(JobEvent(state=state, route="cloud", vm="vm1", **(given | told)), NOW)


@pytest.mark.parametrize("state", ["sent", "done", "failed", "retried", "unanswerable"])
def test_what_happens_in_the_cloud_is_not_put_down_to_a_vm(state: str) -> None:
    books = Books()
    before_s = books.typical_s()
    for number in range(30):
        of_cloud(books, state, ran_ms=60_000, problem="timed-out", placement=f"c{number}")
    assert (books.typical_s(), books.vm.share, books.vm.held) == (before_s, 1.0, frozenset({"p1"}))
    assert "p1" in books.work


@pytest.mark.parametrize(
    ("state", "ended"),
    [("sent", False), ("retried", False), ("done", True), ("failed", True), ("unanswerable", True)],
)
def test_it_is_known_whether_a_job_has_ended_in_the_cloud(state: str, ended: bool) -> None:
    books = Books()
    of_cloud(books, state)
    assert books.placed.ended("anna", "j1") == ({"sketch"} if ended else set())


def test_a_run_in_the_cloud_is_not_charged_and_what_comes_home_is_charged_anew() -> None:
    books = Books()
    books.cloud.sent("c1", 0.1, CHARGED_S, NOW.mono_s)
    books.cloud.sent("c2", 0.1, CHARGED_S, NOW.mono_s)
    assert of_cloud(books, "sent") == 0.0
    assert of_cloud(books, "done", ran_ms=60_000) == 0.0
    assert of_cloud(books, "retried", placement="c2") == -CHARGED_S
    assert of_cloud(books, "retried", placement="c2") == 0.0  # once
    assert books.learning.taken_back("overflow", "c2", NOW) == 0.0


@pytest.mark.parametrize("where", ["overflow", "cloud"])
def test_what_the_cloud_never_had_is_charged_anew_as_well(where: str) -> None:
    books = Books()
    books.cloud.sent("c1", 0.1, CHARGED_S, NOW.mono_s)
    assert books.learning.taken_back(where, "c1", NOW) == -CHARGED_S


def test_what_is_taken_back_from_a_vm_leaves_it() -> None:
    books = Books()
    assert books.learning.taken_back("lane.00", "p1", NOW) == 0.0
    assert "p1" in books.work
    assert books.learning.taken_back("vm.vm1", "p1", NOW) == 0.0
    assert ("p1" in books.work, books.vm.held) == (False, frozenset())


def test_a_promise_is_kept_or_broken_in_the_cloud_too() -> None:
    books, failed = Books(), Books()
    for kept in (books, failed):
        promised(kept)
    of_cloud(books, "done", placement="p1")
    of_cloud(failed, "failed", placement="p1")
    assert (books.waits.forecast.coverage, failed.waits.forecast.coverage) == (0.0, 1.0)


def test_a_job_that_ends_in_the_cloud_is_forgotten() -> None:
    books = Blamed(2)
    books.fails("j1", "vm1")
    of_cloud(books, "done")
    books.fails("j1", "vm2")
    assert books.shares() == [0.5, 0.5]
