"""What a VM of the fleet is given: eased in, cut for failures, quarantined, drained."""

from typing import Any

from telemetry.fleet import Change, Fleet, VmView
from tests.telemetry.beats import beat


def a_fleet(*names: str, until: int = 0, **more: Any) -> Fleet:
    """A fleet whose VMs of nine slots and one to look ahead beat each second from 0 on."""
    fleet = Fleet()
    for second in range(until + 1):
        beat_all(fleet, second, *names, **more)
    return fleet


def beat_all(fleet: Fleet, second: int, *names: str, **more: Any) -> list[Change]:
    return [
        change for name in names for change in fleet.heard(beat(second, name, **({"slots": 9} | more)), float(second))
    ]


def seen(fleet: Fleet, name: str, now: float) -> VmView:
    return fleet.views(now)[name]


def names(views: Any) -> list[str]:
    return [view.name for view in views]


# -- easing in


def test_a_newcomer_is_eased_in() -> None:
    fleet, capacities = a_fleet("old", until=20), list[int]()
    for second in range(21, 33):
        beat_all(fleet, second, "old", "new")
        capacities.append(seen(fleet, "new", second).capacity)

    assert capacities == [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]
    assert seen(fleet, "old", 32).capacity == 10


def test_a_fleet_that_starts_together_is_not_eased_in() -> None:
    fleet = a_fleet("vm1", "vm2", until=3)
    beat_all(fleet, 4, "vm1", "vm2", "vm3")

    assert [view.capacity for view in fleet.views(4).values()] == [10, 10, 10]


def test_easing_begins_with_the_first_ready_beat_and_again_after_a_restart() -> None:
    fleet = a_fleet("old", "new", until=20)
    second: dict[str, Any] = {"session": "two", "started_ms": 2000}
    beat_all(fleet, 21, "old")
    beat_all(fleet, 21, "new", worker="starting", **second)
    beat_all(fleet, 24, "old", "new")
    beat_all(fleet, 25, "new", **second)
    assert seen(fleet, "new", 25).capacity == 1

    beat_all(fleet, 26, "old")
    beat_all(fleet, 28, "old")
    beat_all(fleet, 28, "new", **second)
    assert seen(fleet, "new", 28).capacity == 3


def test_a_vm_that_was_only_silent_is_not_eased_in() -> None:
    fleet = a_fleet("old", "back", until=20)
    for second in range(21, 30):
        beat_all(fleet, second, "old")
    beat_all(fleet, 30, "back")

    assert seen(fleet, "back", 30).capacity == 10


def test_nobody_is_eased_in_when_the_others_are_gone() -> None:
    fleet = a_fleet("old", until=20)
    beat_all(fleet, 21, "new")
    assert seen(fleet, "new", 21).capacity == 1

    beat_all(fleet, 24, "new")
    assert seen(fleet, "old", 24).state == "lost"
    beat_all(fleet, 25, "new")
    assert seen(fleet, "new", 25).capacity == 10


# -- failures and slow answers


def test_failures_cut_a_vm_and_successes_heal_it() -> None:
    fleet = a_fleet("vm1")
    fleet.judged("vm1", 0.1, ok=False)
    assert (seen(fleet, "vm1", 0.1).share, seen(fleet, "vm1", 0.1).room) == (0.5, 5)

    fleet.judged("vm1", 0.2, ok=True)
    assert seen(fleet, "vm1", 0.2).room == 6


def test_slow_answers_cut_a_vm() -> None:
    fleet = a_fleet("vm1")
    for _ in range(50):
        fleet.judged("vm1", 0.1, ok=True, slowness=3.0)

    assert round(seen(fleet, "vm1", 0.1).share, 2) == 0.5


def test_what_changes_nothing_makes_no_view_anew() -> None:
    fleet = a_fleet("vm1")
    before = seen(fleet, "vm1", 0.0)
    fleet.judged("vm1", 0.1, ok=True, slowness=1.0)

    assert seen(fleet, "vm1", 0.1) is before


def test_probation_is_told_and_ends_with_a_success() -> None:
    fleet = a_fleet("vm1")
    for _ in range(4):
        fleet.judged("vm1", 0.1, ok=False)
    assert names(fleet.open("sketch")) == []
    assert names(fleet.serving("sketch")) == ["vm1"]

    assert beat_all(fleet, 1, "vm1") == [
        Change("vm1", "ready", "its last jobs failed: it gets one at a time until one succeeds")
    ]
    assert seen(fleet, "vm1", 1).room == 1

    fleet.judged("vm1", 1.5, ok=True)
    assert seen(fleet, "vm1", 1.5).room == 2
    assert beat_all(fleet, 2, "vm1") == []


def test_a_failure_that_was_its_jobs_fault_is_taken_back() -> None:
    fleet = a_fleet("vm1")
    for _ in range(3):
        fleet.judged("vm1", 0.1, ok=False)
    assert names(fleet.open("sketch")) == []

    fleet.pardoned("vm1", 0.1)
    assert seen(fleet, "vm1", 0.1).room == 3
    assert names(fleet.open("sketch")) == ["vm1"]

    fleet.pardoned("vm9", 0.1)  # never heard of
    assert list(fleet.views(0.1)) == ["vm1"]


def test_the_jobs_of_a_lost_vm_fail_without_a_word() -> None:
    fleet = a_fleet("vm1")
    fleet.tick(9.0)
    for _ in range(3):
        fleet.judged("vm1", 9.0, ok=False)

    assert fleet.tick(9.0) == []


def test_a_machine_that_fails_jobs_fast_does_not_swallow_the_fleets() -> None:
    """One VM does a job in a second, one fails each within a tenth; two minutes, with always more jobs to place."""
    fleet, taken, ends = Fleet(), {"good": 0, "hole": 0}, list[tuple[float, str, str]]()
    for tenth in range(1200):
        now = tenth / 10
        for _, vm, placement in [end for end in ends if end[0] <= now]:
            fleet.finished(vm, placement)
            fleet.judged(vm, now, ok=vm == "good")
        ends = [end for end in ends if end[0] > now]
        if tenth % 10 == 0:
            for vm in taken:
                fleet.heard(beat(tenth, vm, held=tuple(end[2] for end in ends if end[1] == vm)), now)
        while offered := next(iter(fleet.open("sketch")), None):
            vm, placement = offered.name, f"{tenth}-{sum(taken.values())}"
            taken[vm] += 1
            fleet.placed(vm, placement, now)
            ends.append((now + (1.0 if vm == "good" else 0.1), vm, placement))

    assert taken["good"] > 300
    assert taken["hole"] < 15


# -- stuck workers


def test_a_vm_whose_worker_is_stuck_is_quarantined_though_its_agent_beats() -> None:
    fleet, told = Fleet(), list[Change]()
    for second in range(100):
        told += beat_all(fleet, second, "vm1", held=("a",), running=1, oldest_running_s=float(second), done=5)
    assert told == [
        Change("vm1", "joined"),
        Change("vm1", "ready"),
        Change("vm1", "quarantined", "its worker is stuck: one job has run for 76 s and nothing was finished"),
    ]
    view = seen(fleet, "vm1", 99)
    assert (view.room, view.reason) == (0, "its worker is stuck: one job has run for 99 s and nothing was finished")
    assert fleet.stranded == {"vm1"}

    assert beat_all(fleet, 100, "vm1", done=6) == [Change("vm1", "ready")]
    assert fleet.stranded == set()


def test_a_vm_that_runs_nothing_of_what_it_holds_is_quarantined() -> None:
    fleet = a_fleet("vm1", until=75, held=("a", "b"))
    assert seen(fleet, "vm1", 75).state == "ready"

    beat_all(fleet, 76, "vm1", held=("a", "b"))
    assert seen(fleet, "vm1", 76).state == "quarantined"

    beat_all(fleet, 77, "vm1", held=("a", "b"), running=1)
    assert seen(fleet, "vm1", 77).state == "ready"


def test_a_machine_that_was_frozen_gets_time_to_go_on() -> None:
    fleet = a_fleet("vm1", until=5, held=("a",), running=1)

    assert beat_all(fleet, 200, "vm1", held=("a",), running=1, oldest_running_s=199.0) == [
        Change("vm1", "lost", "not heard from for 195.0 s"),
        Change("vm1", "ready", "heard again after 195.0 s"),
    ]


# -- drained by an operator


def test_an_operator_drains_a_vm_and_takes_it_back() -> None:
    fleet = a_fleet("vm1", "vm2")
    assert fleet.drain(frozenset({"vm1"}), 0.1) == [Change("vm1", "draining", "drained by an operator")]
    assert (seen(fleet, "vm1", 0.1).drained, seen(fleet, "vm1", 0.1).room) == (True, 0)
    assert (set(fleet.stranded), names(fleet.open("sketch")), fleet.slots) == ({"vm1"}, ["vm2"], 9)

    assert fleet.drain(frozenset({"vm1"}), 0.2) == []
    assert beat_all(fleet, 1, "vm1", "vm2") == []
    assert fleet.drain(frozenset({"vm2"}), 1.1) == [
        Change("vm1", "ready"),
        Change("vm2", "draining", "drained by an operator"),
    ]


def test_a_worker_that_drains_by_itself_is_told_from_one_drained_by_an_operator() -> None:
    fleet = a_fleet("vm1", worker="draining")
    assert (seen(fleet, "vm1", 0).state, seen(fleet, "vm1", 0).drained) == ("draining", False)

    assert fleet.drain(frozenset({"vm1"}), 0.1) == []
    assert seen(fleet, "vm1", 0.1).drained


def test_a_drained_vm_stays_so_when_it_joins_and_when_it_is_lost_and_back() -> None:
    fleet = Fleet()
    assert fleet.drain(frozenset({"vm1"}), 0.0) == []
    assert beat_all(fleet, 1, "vm1") == [
        Change("vm1", "joined"),
        Change("vm1", "draining", "drained by an operator"),
    ]
    fleet.tick(9.0)
    assert seen(fleet, "vm1", 9.0).state == "lost"
    assert beat_all(fleet, 10, "vm1") == [Change("vm1", "draining", "heard again after 9.0 s; drained by an operator")]


# -- who holds what


def test_the_holder_of_a_placement_is_found_by_how_its_id_begins() -> None:
    fleet = a_fleet("vm1", "vm2", "vm3", until=1)
    fleet.placed("vm2", "job7/1", 1.0)
    fleet.placed("vm3", "job8/1", 1.0)
    assert [fleet.holder("job7/"), fleet.holder("job8/"), fleet.holder("job9/")] == ["vm2", "vm3", None]

    fleet.tick(9.0)
    assert fleet.holder("job7/") is None
