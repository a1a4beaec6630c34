"""Sessions of one VM in the fleet: restarts, late beats, two machines with one name."""

from typing import Any

from bus.events import Heartbeat
from telemetry.fleet import Change, Fleet, VmView
from tests.telemetry.beats import beat


def a_fleet(first: Heartbeat) -> Fleet:
    fleet = Fleet()
    fleet.heard(first, 0.0)
    return fleet


def vm1(fleet: Fleet, now: float) -> VmView:
    return fleet.views(now)["vm1"]


def test_a_restart_keeps_the_jobs_in_its_queue_and_forgets_its_readings() -> None:
    fleet = a_fleet(beat(50, held=("running",), cpu_percent=90.0))
    fleet.placed("vm1", "queued", 0.5)
    second: dict[str, Any] = {"session": "two", "started_ms": 2000}

    assert fleet.heard(beat(1, worker="starting", **second), 1.0) == [Change("vm1", "joined", "its worker is starting")]
    view = vm1(fleet, 1.0)
    assert (view.session, view.load, view.sent_since_beat, set(view.held)) == ("two", 100.0, 2, {"running", "queued"})

    assert fleet.heard(beat(2, held=("running", "queued"), **second), 2.0) == [
        Change("vm1", "busy", "all its slots are taken (2)")
    ]
    assert (vm1(fleet, 2.0).load, vm1(fleet, 2.0).sent_since_beat) == (10.0, 0)


def test_a_restart_so_quick_that_no_starting_beat_was_heard() -> None:
    fleet = a_fleet(beat(1))

    assert fleet.heard(beat(1, session="two", started_ms=2000), 1.0) == [
        Change("vm1", "joined", "restarted"),
        Change("vm1", "ready"),
    ]


def test_late_beats_of_a_session_that_ended_are_ignored() -> None:
    fleet = a_fleet(beat(1))
    fleet.heard(beat(2), 2.0)
    fleet.heard(beat(3), 4.0)
    fleet.heard(beat(1, session="two", started_ms=2000), 5.0)
    before = vm1(fleet, 5.5)

    assert fleet.heard(beat(99, cpu_percent=90.0), 5.5) == []
    assert vm1(fleet, 5.5) is before


def test_each_session_that_is_followed_by_a_rival_says_so() -> None:
    fleet = a_fleet(beat(1))
    reasons = []
    for second in range(1, 12):
        newest: dict[str, Any] = (
            {"session": "three", "started_ms": 3000} if second > 5 else {"session": "two", "started_ms": 2000}
        )
        told = [*fleet.heard(beat(second, **newest), float(second)), *fleet.heard(beat(second + 1), second + 0.5)]
        reasons += [(second, change.reason[:15]) for change in told if change.reason]

    assert reasons == [(1, "restarted"), (4, "another machine"), (6, "restarted"), (9, "another machine")]


def test_of_two_machines_with_one_name_the_one_started_last_is_believed_and_the_other_named() -> None:
    fleet = Fleet()
    told = []
    for second in range(8):
        told += fleet.heard(beat(second), float(second))
        told += fleet.heard(beat(second, session="two", started_ms=2000, cpu_percent=70.0), second + 0.5)

    assert told == [
        Change("vm1", "joined"),
        Change("vm1", "ready"),
        Change("vm1", "joined", "restarted"),
        Change("vm1", "ready"),
        Change(
            "vm1",
            "ready",
            "another machine, started earlier, has the same name and is ignored: give it another OVERSPILL_VM_NAME",
        ),
    ]
    assert (vm1(fleet, 7.5).session, vm1(fleet, 7.5).load) == ("two", 70.0)


def test_a_machine_whose_clock_was_set_back_is_believed_once_its_former_self_is_silent() -> None:
    fleet = a_fleet(beat(1))
    back: dict[str, Any] = {"session": "two", "started_ms": 5}
    assert fleet.heard(beat(1, **back), 2.0) == []
    assert vm1(fleet, 2.0).session == "one"

    assert fleet.heard(beat(3, **back), 4.0) == [
        Change("vm1", "lost", "not heard from for 4.0 s"),
        Change("vm1", "joined", "restarted"),
        Change("vm1", "ready"),
    ]
