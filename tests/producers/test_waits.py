"""What those who wait are told, when, and what is learnt from how it came out."""

from typing import Any

import pytest

from bus.events import JobEvent
from bus.messages import Job
from producers import waits as module
from producers.commands import Held, Moment
from producers.estimates import Estimates
from producers.line import Line
from producers.placement import Wish
from producers.waits import TOLD_AT_ONCE, Waits

NOW_MS = 1_000_000_000_000

EARLY_S = 0.001
BEGUN_MS = 1_700_000_000_000
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def at(seconds: float) -> Moment:
    return Moment(seconds, BEGUN_MS + int(seconds * 1000))


class Room:
    """A line, and those who wait in it, from second 0 on."""

    def __init__(self, jobs: int = 0) -> None:
        self.line = Line({})
        self.waits = Waits(Estimates())
        for ticket in range(jobs):
            self.come(ticket)

    def come(self, ticket: int, delay_s: float = 0.0, **job: Any) -> None:
        one = Job(id=f"j{ticket}", operation="caption", body=b"picture", received_ms=BEGUN_MS, **job)
        held = Held(ticket, "lane.00", one, Wish("caption", 1.0), 2.0, 0.0)
        self.line.add(held, 0.0, delay_s)
        self.waits.arrived(ticket, 0.0)

    def goes(self, ticket: int, placement: str) -> None:
        """It leaves the line for a VM."""
        self.line.remove(ticket)
        self.waits.placed(ticket, placement)

    def told(self, seconds: float, slots: int = 1) -> list[JobEvent]:
        return self.waits.tell(self.line, at(seconds), slots)

    def ids(self, seconds: float) -> list[str]:
        return [event.job for event in self.told(seconds)]


def eta_s(event: JobEvent) -> tuple[float, float]:
    assert event.eta_s is not None
    return event.eta_s


def test_a_job_is_told_its_place_and_when_it_will_be_done() -> None:
    room = Room()
    room.come(0, user="anna", attempt=1, pixels=1_000_000, traceparent=TRACE)
    (event,) = room.told(0.5)
    assert (event.key, event.job, event.user, event.attempt) == ("job.waiting.caption", "j0", "anna", 1)
    assert (event.at_ms, event.waited_ms, event.pixels, event.traceparent) == (BEGUN_MS + 500, 500, 1_000_000, TRACE)
    assert (event.place, event.reason) == (1, None)
    soonest_s, latest_s = eta_s(event)
    assert 0 < soonest_s < Estimates().predict("caption", 1.0).p50 < latest_s


def test_who_stands_further_back_is_told_a_later_end() -> None:
    first, second, third = Room(3).told(1.0)
    assert [first.place, second.place, third.place] == [1, 2, 3]
    assert eta_s(first) < eta_s(second) < eta_s(third)


def test_more_slots_promise_an_earlier_end() -> None:
    (_, with_one), (_, with_four) = Room(2).told(1.0, slots=1), Room(2).told(1.0, slots=4)
    assert eta_s(with_four) < eta_s(with_one)


def test_a_job_is_told_soon_and_then_ever_less_often() -> None:
    room = Room(1)
    now_s = 0.0
    for after_s in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 32.0, 32.0, 32.0):
        assert room.ids(now_s + after_s - EARLY_S) == []
        now_s += after_s + EARLY_S
        assert room.ids(now_s) == ["j0"]


def test_a_call_tells_so_many_and_leaves_the_rest_to_the_next() -> None:
    room = Room(2 * TOLD_AT_ONCE + 1)
    calls = [room.ids(0.15) for _ in range(4)]
    assert [len(ids) for ids in calls] == [TOLD_AT_ONCE, TOLD_AT_ONCE, 1, 0]
    assert {job for ids in calls for job in ids} == {f"j{ticket}" for ticket in range(2 * TOLD_AT_ONCE + 1)}


def test_who_has_left_the_line_is_told_nothing_more_and_takes_nobodys_turn() -> None:
    room = Room(TOLD_AT_ONCE + 2)
    room.line.remove(0)
    room.line.remove(1)
    assert room.ids(0.15) == [f"j{ticket}" for ticket in range(2, TOLD_AT_ONCE + 2)]


def test_without_a_slot_nothing_is_promised() -> None:
    (event,) = Room(1).told(0.5, slots=0)
    assert (event.place, event.eta_s, event.reason) == (1, None, None)


def test_a_job_that_waits_for_its_next_attempt_has_no_place() -> None:
    room = Room()
    room.come(0, delay_s=60.0)
    (event,) = room.told(0.5)
    assert (event.place, event.eta_s, event.reason) == (None, None, "it waits for its next attempt")


def test_a_job_that_no_router_has_taken_up_before_has_waited_for_nothing() -> None:
    room = Room()
    room.come(0)
    (held,) = room.line.find("anonymous", "j0", NOW_MS)
    job = held.job.model_copy(update={"received_ms": None})
    room.line.add(Held(0, "lane.00", job, held.wish, 2.0, 0.0), 0.0)
    assert [event.waited_ms for event in room.told(0.5)] == [0]


def within(room: Room, told: JobEvent, share: float) -> float:
    """A moment in the range told."""
    soonest_s, latest_s = eta_s(told)
    return (told.at_ms - BEGUN_MS) / 1000 + soonest_s + share * (latest_s - soonest_s)


def test_the_first_range_told_is_what_is_learnt_from() -> None:
    room = Room(1)
    (first,) = room.told(0.5)
    room.told(100.0)
    room.goes(0, "p")
    room.waits.ended("p", within(room, first, 0.5), done=True)
    assert room.waits.forecast.coverage == 1.0
    late = Room(1)
    (first,) = late.told(0.5)
    late.goes(0, "p")
    late.waits.ended("p", within(late, first, 1.1), done=True)
    assert late.waits.forecast.coverage == 0.0


def test_later_jobs_are_promised_what_earlier_ones_came_to() -> None:
    room = Room(1)
    (first,) = room.told(0.5)
    for ticket in range(1, 60):
        room.come(ticket)
        room.goes(ticket - 1, f"p{ticket}")
        room.told(0.5 + ticket * 50)
        room.waits.ended(f"p{ticket}", 0.5 + (ticket - 1) * 50 + 30.0, done=True)
    room.line.remove(59)
    room.come(60)
    (last,) = room.told(5000.0)
    assert eta_s(first)[1] < 30.0
    assert eta_s(last)[0] < 30.0 < eta_s(last)[1]


def test_nothing_is_learnt_from_a_job_that_was_not_done() -> None:
    room = Room(1)
    room.told(0.5)
    room.goes(0, "p")
    room.waits.ended("p", 9999.0, done=False)
    room.waits.ended("p", 9999.0, done=True)  # its end is told once
    assert room.waits.forecast.coverage == 1.0


def test_nothing_is_learnt_from_a_job_that_was_told_nothing() -> None:
    room = Room(1)
    room.goes(0, "p")
    room.waits.ended("p", 9999.0, done=True)
    room.waits.ended("of another router", 9999.0, done=True)
    assert room.waits.forecast.coverage == 1.0


def test_what_was_told_is_forgotten_with_a_job_that_left_the_line() -> None:
    room = Room(1)
    room.told(0.15)
    room.line.remove(0)  # cancelled, say, or sent to the cloud
    room.told(1.0)
    room.waits.placed(0, "p")
    room.waits.ended("p", 9999.0, done=True)
    assert room.waits.forecast.coverage == 1.0


def test_a_wait_that_an_outage_made_teaches_nothing() -> None:
    room = Room(2)
    room.told(0.5)
    room.goes(0, "p")
    room.waits.interrupted()
    room.waits.ended("p", 60.0, done=True)
    room.goes(1, "q")
    room.waits.ended("q", 60.0, done=True)
    assert room.waits.forecast.coverage == 1.0


def test_after_an_outage_what_is_told_anew_is_learnt_from() -> None:
    room = Room(1)
    room.told(0.15)
    room.told(0.4, slots=0)
    (anew,) = room.told(60.0)
    room.goes(0, "p")
    room.waits.ended("p", within(room, anew, 1.1), done=True)
    assert room.waits.forecast.coverage == 0.0


def test_what_a_lost_vm_does_all_the_same_teaches_nothing() -> None:
    room = Room(2)
    room.told(0.5)
    for ticket in range(2):
        room.goes(ticket, f"p{ticket}")
    room.waits.lost(["p0", "of a job that was told nothing"])
    room.waits.ended("p0", 60.0, done=True)
    assert room.waits.forecast.coverage == 1.0
    room.waits.ended("p1", 60.0, done=True)
    assert room.waits.forecast.coverage == 0.0


def test_the_memory_of_placements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLACED_KEPT", 2)
    room = Room(3)
    room.told(0.5)
    for ticket in range(3):
        room.goes(ticket, f"p{ticket}")
    room.waits.ended("p0", 9999.0, done=True)  # the oldest: the word of its end may be lost
    assert room.waits.forecast.coverage == 1.0
    room.waits.ended("p1", 9999.0, done=True)
    assert room.waits.forecast.coverage == 0.0
