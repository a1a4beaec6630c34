"""Who comes in: what a job that was delivered asks for, what it has behind it, and why it may not stay."""

import struct
from dataclasses import replace
from typing import Any

import pytest

from bus.attempts import Attempt
from bus.messages import Job
from bus.problems import Kind, Problem
from bus.settings import Settings
from producers.admission import CLAIMED_MEGAPIXELS, Admission, Config
from producers.cloud import Terms
from producers.commands import Arrival, Held, Moment
from producers.estimates import Estimates
from producers.line import Line
from producers.placed import Placed, mark
from producers.placement import Rules
from telemetry.fleet import Fleet
from tests.telemetry.beats import beat

NOW = Moment(100.0, 1_700_000_000_000)
FAILED = Attempt(attempt=1, at_ms=NOW.wall_ms - 1000, vm="vm1", reason="it took too long")


def gif(width: int, height: int) -> bytes:
    """As much of a picture as tells its size."""
    return b"GIF89a" + struct.pack("<HH", width, height)


class Door:
    """An admission, and the line behind it."""

    def __init__(self, **config: Any) -> None:
        self.fleet = Fleet()
        self.placed = Placed("s")
        self.line = Line({})
        self.admission = Admission(replace(Config(), **config), self.fleet, Estimates(), self.placed)
        self._tickets = 0

    def come(
        self, queue: str = "lane.00", *, is_new: bool = True, redelivered: bool = False, **job: Any
    ) -> Held | Problem:
        self._tickets += 1
        given = {"id": "j1", "operation": "sketch", "user": "anna", "reply_to": "answers", "body": gif(1000, 800)} | job
        arrival = Arrival(self._tickets, queue, is_new, 0, redelivered)
        return self.admission.admit(arrival, Job(**given), self.line, NOW)

    def homeward(self, queue: str = "vm.vm1", *, returns: int = 0, **job: Any) -> Job:
        """A job taken out of a queue that nobody serves, as it goes back to its lane."""
        given: dict[str, Any] = {"id": "j1", "operation": "sketch", "reply_to": "answers", "body": b"", "attempt": 1}
        given |= job
        return self.admission.on_its_way_home(Arrival(1, queue, is_new=False, returns=returns), Job(**given), NOW)

    def held(self, queue: str = "lane.00", **how: Any) -> Held:
        """A job that comes in and stands in line."""
        held = self.come(queue, **how)
        assert isinstance(held, Held)
        self.line.add(held, NOW.mono_s)
        return held

    def refused(self, queue: str = "lane.00", **how: Any) -> Problem:
        problem = self.come(queue, **how)
        assert isinstance(problem, Problem)
        return problem


def test_the_settings_say_what_holds() -> None:
    settings = Settings(policy="predictive", cpu_threshold=55, ram_threshold=77, max_attempts=7, user_queued=9)
    config = Config.of(settings)
    assert config.rules == Rules("predictive", 55, 77)
    assert (config.max_attempts, config.user_queued) == (7, 9)
    assert config.max_image_bytes == settings.max_image_bytes
    assert Config.of(Settings()).user_weights == settings.user_weights
    assert config.cloud == Terms.of(settings)


def test_a_job_is_held_with_what_it_asks_for() -> None:
    held = Door().held(user="anna", site="local")
    assert (held.ticket, held.queue, held.arrived_s, held.home) == (1, "lane.00", NOW.mono_s, None)
    assert (held.job.attempt, held.job.pixels) == (1, 800_000)
    assert (held.wish.operation, held.wish.megapixels, held.wish.slots) == ("sketch", 0.8, 1)
    assert (held.wish.local, held.wish.avoid) == (True, None)
    assert held.seconds == Estimates().predict("sketch", 0.8).p50


def test_the_pixels_are_read_from_the_picture_and_not_from_a_header() -> None:
    assert Door().held(pixels=1).job.pixels == 800_000


@pytest.mark.parametrize(("width", "slots"), [(1000, 1), (4999, 1), (5000, 2), (9999, 2), (10_000, 3)])
def test_a_large_picture_asks_for_more_slots(width: int, slots: int) -> None:
    assert Door(slot_megapixels=25.0).held(body=gif(width, 5000)).wish.slots == slots


def test_an_attempt_of_the_same_job_is_another_draw() -> None:
    door = Door()
    keys = {door.held(attempt=attempt).wish.key for attempt in (0, 1)} | {door.held(id="j2").wish.key}
    assert len(keys) == 3


# -- attempts


def test_each_time_it_comes_from_a_lane_is_an_attempt() -> None:
    assert Door().held(attempt=1).job.attempt == 2


@pytest.mark.parametrize(("queue", "counted"), [("vm.vm1", 0), ("overflow", 0), ("parked.sketch", 1)])
def test_what_was_not_begun_goes_home_with_no_attempt_lost(queue: str, counted: int) -> None:
    """In its lane the next attempt is counted; parking has taken back its own already."""
    for returns in (0, 1):
        home = Door().homeward(queue, placement="p1", returns=returns)
        assert (home.attempt, home.history) == (counted, ())


def test_a_job_that_its_lost_vm_had_begun_has_lost_one_and_is_tried_elsewhere() -> None:
    door = Door()
    door.placed.began("p1")
    home = door.homeward(placement="p1", returns=1)
    (told,) = home.history
    assert (home.attempt, told.attempt, told.vm, told.at_ms) == (1, 1, "vm1", NOW.wall_ms)
    assert "vm1 ended, or fell silent" in told.reason
    again = door.held(attempt=home.attempt, history=home.history, is_new=False)
    assert (again.job.attempt, again.wish.avoid) == (2, "vm1")


def test_a_job_that_was_begun_and_never_came_back_has_lost_none() -> None:
    door = Door()
    door.placed.began("p1")  # the word of its beginning was another placement's, say
    assert door.homeward(placement="p1", returns=0).attempt == 0


@pytest.mark.parametrize("queue", ["vm.vm1", "overflow"])
def test_what_came_back_twice_is_believed_to_have_been_begun_twice(queue: str) -> None:
    assert Door().homeward(queue, returns=2).attempt == 2


def test_after_so_many_attempts_it_is_refused_with_the_last_reason() -> None:
    door = Door(max_attempts=2)
    assert door.held(attempt=1).job.attempt == 2
    problem = door.refused(attempt=2, history=(FAILED,))
    assert (problem.type, problem.limit) == (Kind.TOO_MANY_ATTEMPTS.urn, 2)
    assert problem.detail == "2 attempts came to nothing; the last: it took too long."
    assert door.refused(attempt=2).detail == "2 attempts came to nothing."


def test_why_the_cloud_gave_a_job_back_is_not_its_callers_to_know() -> None:
    back = Attempt(attempt=2, at_ms=1, vm="cloud", reason="the cloud gave it back: http://10.0.0.7 is out of reach")
    assert Door(max_attempts=2).refused(attempt=2, history=(FAILED, back)).detail == "2 attempts came to nothing."


def test_the_attempts_on_a_vm_that_keeps_dying_come_to_an_end() -> None:
    door = Door(max_attempts=3)
    home = door.homeward(attempt=2, returns=2)
    problem = door.refused(attempt=home.attempt, history=home.history)
    assert problem.type == Kind.TOO_MANY_ATTEMPTS.urn
    assert "vm1 ended, or fell silent" in problem.detail


def test_a_retry_waits_from_when_it_failed() -> None:
    door = Door(retry_delay_s=10.0)
    assert door.admission.delay_s(door.held(), NOW) == 0.0
    failed = door.held(attempt=1, history=(FAILED,))
    delay_s = door.admission.delay_s(failed, NOW)
    assert 4.0 <= delay_s <= 9.0  # of the 5 to 10 seconds one has passed
    later = Moment(NOW.mono_s + 3, NOW.wall_ms + 3000)
    assert door.admission.delay_s(failed, later) == pytest.approx(delay_s - 3)
    assert door.admission.delay_s(failed, Moment(NOW.mono_s + 60, NOW.wall_ms + 60_000)) == 0.0


def test_a_clock_that_is_ahead_of_ours_makes_no_retry_wait_longer() -> None:
    door = Door(retry_delay_s=10.0)
    ahead = FAILED.model_copy(update={"at_ms": NOW.wall_ms + 3_600_000})
    assert door.admission.delay_s(door.held(attempt=1, history=(ahead,)), NOW) <= 10.0


# -- home from the cloud


def returned(times: int, *, then: str = "cloud") -> tuple[Attempt, ...]:
    """What bridges wrote into the history of a job that they handed home so often, and who had it last."""
    home = [Attempt(attempt=1, at_ms=NOW.wall_ms, vm="cloud", reason="the cloud does not serve it")] * times
    return (*home, FAILED) if then != "cloud" else tuple(home)


@pytest.mark.parametrize(("times", "stays_s"), [(0, 0.0), (1, 5.0), (2, 10.0), (4, 40.0)])
def test_what_the_cloud_sends_home_stays_for_longer_each_time(times: int, stays_s: float) -> None:
    held = Door(retry_delay_s=10.0).held(history=returned(times), is_new=False)
    assert (held.stays_s, held.wish.avoid, held.job.attempt) == (stays_s, None, 1)


def test_it_need_not_wait_for_a_vm() -> None:
    door = Door(retry_delay_s=10.0)
    assert door.admission.delay_s(door.held(history=returned(1), is_new=False), NOW) == 0.0


def test_what_a_vm_had_since_may_overflow_again() -> None:
    held = Door().held(history=returned(1, then="vm1"), attempt=1, is_new=False)
    assert (held.stays_s, held.wish.avoid) == (0.0, "vm1")


# -- pictures that lie in the blob store


def test_a_claimed_picture_is_taken_without_a_body_and_its_size_is_not_known() -> None:
    held = Door().held(body=b"", claim=f"pictures/20300131/{0:032}")
    assert (held.job.pixels, held.wish.megapixels, held.wish.slots) == (None, CLAIMED_MEGAPIXELS, 1)
    assert held.seconds == Estimates().predict("sketch", CLAIMED_MEGAPIXELS).p50


# -- where it ran before


def test_a_repeat_has_the_home_of_its_first_run() -> None:
    door = Door()
    door.placed.placed(door.held().job, "vm1")
    assert door.held().home == "vm1"
    assert door.held(body=gif(7, 7)).home is None


def test_a_retry_has_no_home_and_avoids_where_it_failed() -> None:
    door = Door()
    door.placed.placed(door.held().job, "vm1")
    held = door.held(attempt=1, history=(FAILED,))
    assert (held.home, held.wish.avoid) == (None, "vm1")


def test_a_replayed_job_avoids_where_it_died_rather_than_going_home() -> None:
    door = Door()
    door.placed.placed(door.held().job, "vm1")
    operator = Attempt(attempt=3, at_ms=NOW.wall_ms, reason="sent again out of the dead queue by anna")
    held = door.held(history=(FAILED, operator), replays=1)
    assert (held.job.attempt, held.home, held.wish.avoid) == (1, None, "vm1")


def test_a_job_that_comes_again_is_looked_for_on_the_vms() -> None:
    door = Door()
    placement = f"{mark(door.held().job)}-other-router-7"
    door.fleet.heard(beat(1, "vm1"), NOW.mono_s)
    door.fleet.heard(beat(1, "vm2", held=(placement,)), NOW.mono_s)
    assert door.held().home is None  # comes for the first time: nobody can have it
    assert door.held(redelivered=True).home == "vm2"
    assert door.held(redelivered=True, id="j2").home is None


# -- limits


@pytest.mark.parametrize(
    ("job", "kind", "field"),
    [
        ({"deadline_ms": NOW.wall_ms}, Kind.EXPIRED, None),
        ({"body": b""}, Kind.EMPTY_IMAGE, "body"),
        ({"body": bytes(101)}, Kind.TOO_MANY_BYTES, "body"),
    ],
)
def test_a_job_that_can_run_nowhere_is_refused(job: dict[str, Any], kind: Kind, field: str | None) -> None:
    problem = Door(max_image_bytes=100).refused(**job)
    assert (problem.type, problem.field) == (kind.urn, field)


def test_the_limits_are_what_is_just_allowed() -> None:
    assert Door(max_image_bytes=100).held(body=bytes(100), deadline_ms=NOW.wall_ms + 1).ticket == 1
    assert (
        Door(max_image_bytes=100).refused(body=bytes(101)).detail == "The image has 101 bytes; at most 100 are taken."
    )


def test_a_user_may_have_so_many_jobs_in_line_and_others_theirs() -> None:
    door = Door(user_queued=2)
    door.held()
    door.held()
    assert door.refused().type == Kind.TOO_MANY_JOBS.urn
    assert door.held(user="ben").job.user == "ben"


@pytest.mark.parametrize(
    "how",
    [{"is_new": False}, {"redelivered": True}],
    ids=["sent on", "again"],
)
def test_a_job_that_was_taken_once_is_not_refused_for_the_line(how: dict[str, Any]) -> None:
    door = Door(user_queued=1, user_jobs_per_minute=1)
    door.held()
    assert door.held(**how).ticket == 2


def test_the_more_slots_there_are_the_sooner_there_is_room() -> None:
    few, many = Door(user_queued=8), Door(user_queued=8)
    for vm in range(4):
        many.fleet.heard(beat(1, f"vm{vm}", slots=4), NOW.mono_s)
    for door in (few, many):
        for _ in range(8):
            door.held(operation="caption")
    after_s = [door.refused(operation="caption").retry_after_s or 0 for door in (few, many)]
    assert 1.0 <= after_s[1] < after_s[0]


def test_a_bad_job_does_not_count_against_its_users_rate() -> None:
    door = Door(user_jobs_per_minute=1)
    assert door.refused(body=b"").type == Kind.EMPTY_IMAGE.urn
    door.held()
    assert door.refused().type == Kind.TOO_FAST.urn
