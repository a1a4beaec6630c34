"""A job is bound to a VM no sooner than its slot is about to be free."""

from bus.events import Heartbeat
from producers.ahead import LookAhead
from producers.estimates import Range
from producers.work import Outstanding, Work
from telemetry.fleet import Fleet

LEAD_S = 0.02


def site(lead_s: float | None = LEAD_S) -> tuple[Fleet, Work, LookAhead]:
    fleet, work = Fleet(), Work()
    beat = Heartbeat(
        vm="vm1",
        session="s",
        started_ms=1,
        seq=1,
        at_ms=1,
        cpu_percent=1,
        ram_percent=1,
        cores=1,
        slots=1,
        look_ahead=1,
        operations=("sketch",),
        worker="ready",
    )
    fleet.heard(beat, 100.0)
    return fleet, work, LookAhead(fleet, work, lead_s)


def place(fleet: Fleet, work: Work, runs_s: float) -> None:
    fleet.placed("vm1", "p1", 100.0)
    work.placed(Outstanding("p1", "vm1", "anna", "sketch", 1.0, 1, Range(runs_s, runs_s), 100.0))


def test_the_look_ahead_opens_shortly_before_the_slot_is_free() -> None:
    fleet, work, ahead = site()
    place(fleet, work, 2.0)
    ahead.look("vm1", 100.0)
    assert fleet.views(100.0)["vm1"].room == 0
    assert ahead.next_s == 100.0 + 2.0 - LEAD_S
    ahead.open_due(101.0)
    assert fleet.views(101.0)["vm1"].room == 0
    ahead.open_due(101.99)
    assert fleet.views(101.99)["vm1"].room == 1
    assert ahead.next_s is None


def test_a_short_job_keeps_nobody_waiting() -> None:
    fleet, work, ahead = site()
    place(fleet, work, LEAD_S / 2)
    ahead.look("vm1", 100.0)
    assert fleet.views(100.0)["vm1"].room == 1


def test_a_slot_that_came_free_earlier_opens_it_at_once() -> None:
    fleet, work, ahead = site()
    place(fleet, work, 2.0)
    ahead.look("vm1", 100.0)
    fleet.finished("vm1", "p1")
    work.ended("p1", 100.5)
    ahead.look("vm1", 100.5)
    assert fleet.views(100.5)["vm1"].room == 2
    ahead.open_due(103.0)  # the former appointment is void
    assert ahead.next_s is None


def test_without_a_lead_it_is_always_open() -> None:
    fleet, work, ahead = site(None)
    place(fleet, work, 2.0)
    ahead.look("vm1", 100.0)
    assert (fleet.views(100.0)["vm1"].room, ahead.next_s) == (1, None)


def test_a_vm_never_heard_of_is_nobodys_matter() -> None:
    _, _, ahead = site()
    ahead.look("ghost", 100.0)
    assert ahead.next_s is None
