"""The fleet: heartbeats in, changes and views out."""

import pytest

from bus.events import Heartbeat, VmEvent
from telemetry.fleet import Change, Fleet, VmView
from tests.loglines import said_by
from tests.telemetry.beats import beat


def a_fleet(**vms: Heartbeat) -> Fleet:
    """A fleet that heard each of these at 0.0, its changes told."""
    fleet = Fleet()
    for each in vms.values() or [beat(1)]:
        fleet.heard(each, 0.0)
    return fleet


def vm1(fleet: Fleet, now: float) -> VmView:
    return fleet.views(now)["vm1"]


def test_a_vm_joins_and_is_ready() -> None:
    fleet = Fleet()
    changes = fleet.heard(
        beat(1, held=("a",), not_served={"caption": "no weights"}, oldest_running_s=0.5, session="one"), now=7.0
    )

    assert changes == [Change("vm1", "joined"), Change("vm1", "ready")]
    assert dict(fleet.views(7.0)) == {
        "vm1": VmView(
            name="vm1",
            session="one",
            state="ready",
            worker="ready",
            cpu_percent=10.0,
            load=10.0,
            ram_percent=50.0,
            cores=2.0,
            slots=2,
            look_ahead=1,
            capacity=3,
            held=frozenset({"a"}),
            held_slots=1,
            sent_since_beat=0,
            operations=("sketch",),
            not_served={"caption": "no weights"},
            oldest_running_s=0.5,
            heard_at=7.0,
        )
    }


def test_of_more_names_than_are_kept_the_longest_lost_make_room(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("telemetry.fleet.MOST_VMS", 2)
    fleet = a_fleet(one=beat(1, vm="vm1"), two=beat(1, vm="vm2"))
    assert [fleet.heard(beat(1, vm=name), 1.0) for name in ("forged", "forged2")] == [[], []]
    assert len(said_by("telemetry.fleet", caplog)) == 1
    assert "'forged' is passed over" in caplog.text
    fleet.heard(beat(2, vm="vm2"), 2.0)
    fleet.heard(beat(2, vm="vm1"), 2.5)
    assert [change.vm for change in fleet.heard(beat(1, vm="vm3"), 5.2)] == ["vm2", "vm3", "vm3"]
    assert set(fleet.views(5.2)) == {"vm1", "vm3"}


def test_a_lost_vm_is_not_forgotten_for_another_before_its_jobs_are_taken_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.fleet.MOST_VMS", 2)
    fleet = a_fleet(one=beat(1, vm="vm1"), two=beat(1, vm="vm2"))
    fleet.placed("vm1", "a", 1.0)
    for second in (4.0, 8.0, 12.0):
        fleet.heard(beat(1, vm=f"new{second:.0f}"), second)
        fleet.heard(beat(1, vm="too-many"), second)
        assert set(fleet.views(second)) == {"vm1", f"new{second:.0f}"}
    fleet.finished("vm1", "a")
    fleet.heard(beat(1, vm="new13"), 13.0)
    assert set(fleet.views(13.0)) == {"new12", "new13"}


def test_what_lost_vms_claim_to_hold_keeps_out_others_for_some_minutes_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("telemetry.fleet.MOST_VMS", 1)
    fleet = a_fleet(one=beat(1, vm="forged", held=("a",)))
    assert [fleet.heard(beat(1, vm="vm1"), now)[1:] for now in (4.0, 5.0, 600.0)] == [[], [], []]
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "'vm1' is passed over",
        "'vm1' is passed over (and 1 more since the last that was told)",
    ]
    fleet.heard(beat(1, vm="vm1"), 600.1)
    assert set(fleet.views(600.1)) == {"vm1"}


def test_a_vm_that_comes_back_is_not_forgotten_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.fleet.MOST_VMS", 1)
    fleet = a_fleet(one=beat(1, vm="vm1"))
    assert vm1(fleet, 4.0).state == "lost"
    fleet.heard(beat(2, vm="vm1"), 4.0)
    assert fleet.heard(beat(1, vm="vm2"), 4.1) == []
    assert set(fleet.views(4.1)) == {"vm1"}


def test_the_life_of_a_vm() -> None:
    fleet = Fleet()

    assert fleet.heard(beat(1, worker="starting"), 0.0) == [Change("vm1", "joined", "its worker is starting")]
    assert fleet.heard(beat(2), 1.0) == [Change("vm1", "ready")]
    assert fleet.heard(beat(3), 2.0) == []
    assert fleet.heard(beat(4, held=("a", "b")), 3.0) == [Change("vm1", "busy", "all its slots are taken (2)")]
    assert fleet.heard(beat(5, held=("a",)), 4.0) == [Change("vm1", "ready")]
    assert fleet.heard(beat(6, worker="draining"), 5.0) == [Change("vm1", "draining")]
    assert fleet.tick(8.0) == []
    assert fleet.tick(8.5) == [Change("vm1", "lost", "not heard from for 3.5 s")]
    assert fleet.tick(9.0) == []
    assert fleet.heard(beat(7), 9.5) == [Change("vm1", "ready", "heard again after 4.5 s")]


@pytest.mark.parametrize(
    ("worker", "slots", "reason"),
    [
        ("absent", 0, "no worker runs there"),
        ("starting", 2, "its worker is starting"),
        ("ready", 0, "it offers no slots"),
    ],
)
def test_a_vm_that_serves_nothing_has_joined_and_says_why(worker: str, slots: int, reason: str) -> None:
    fleet = Fleet()

    assert fleet.heard(beat(1, worker=worker, slots=slots), 0.0) == [Change("vm1", "joined", reason)]
    assert (vm1(fleet, 0.0).state, vm1(fleet, 0.0).room) == ("joined", 0)


def test_a_worker_that_dies_beside_its_agent() -> None:
    fleet = a_fleet()

    assert fleet.heard(beat(2, worker="absent", slots=0), 1.0) == [Change("vm1", "joined", "no worker runs there")]


def test_a_change_travels_as_an_event() -> None:
    event = Change("vm1", "lost", "not heard from for 3.5 s").event(at_ms=5)

    assert event == VmEvent(vm="vm1", state="lost", at_ms=5, reason="not heard from for 3.5 s")


def test_load_is_the_mean_of_the_last_five_readings() -> None:
    fleet = Fleet()
    loads = []
    for seq, percent in enumerate([100.0, 50.0, 0.0, 0.0, 0.0, 0.0, 20.0]):
        fleet.heard(beat(seq, cpu_percent=percent), float(seq))
        loads.append(vm1(fleet, float(seq)).load)

    assert loads == [100.0, 75.0, 50.0, 37.5, 30.0, 10.0, 4.0]


def test_work_sent_since_the_beat_counts_into_the_load_until_a_beat_lists_it() -> None:
    fleet = a_fleet(vm1=beat(1, cores=4.0, slots=8))
    fleet.placed("vm1", "a", 0.1)
    fleet.placed("vm1", "b", 0.2)
    seen = vm1(fleet, 0.3)
    assert (seen.cpu_percent, seen.load, seen.sent_since_beat, set(seen.held)) == (10.0, 60.0, 2, {"a", "b"})

    fleet.finished("vm1", "a")
    assert vm1(fleet, 0.4).load == 35.0

    fleet.heard(beat(2, cores=4.0, slots=8, held=("b",)), 1.0)
    seen = vm1(fleet, 1.0)
    assert (seen.load, seen.sent_since_beat, set(seen.held)) == (10.0, 0, {"b"})


def test_a_big_job_takes_more_slots_until_it_ends() -> None:
    fleet = a_fleet(vm1=beat(1, slots=4))
    fleet.placed("vm1", "big", 0.1, slots=3)
    assert (vm1(fleet, 0.1).held_slots, vm1(fleet, 0.1).room, vm1(fleet, 0.1).free_slots) == (3, 2, 1)

    assert fleet.heard(beat(2, slots=4, held=("big", "other")), 1.0) == [
        Change("vm1", "busy", "all its slots are taken (4)")
    ]
    fleet.finished("vm1", "big")
    assert (vm1(fleet, 1.0).held_slots, vm1(fleet, 1.0).state) == (1, "ready")


def test_load_never_passes_100() -> None:
    fleet = a_fleet(vm1=beat(1, cores=0.5))
    fleet.placed("vm1", "a", 0.1)

    assert vm1(fleet, 0.1).load == 100.0


def test_a_job_sent_takes_a_slot_and_then_the_look_ahead() -> None:
    fleet = a_fleet()
    seen = []
    for job in ("a", "b", "c", "d"):
        view = vm1(fleet, 0.0)
        seen.append((view.state, view.free_slots, view.room))
        fleet.placed("vm1", job, 0.0)
    view = vm1(fleet, 0.0)

    assert seen == [("ready", 2, 3), ("ready", 1, 2), ("busy", 0, 1), ("busy", 0, 0)]
    assert (view.state, view.free_slots, view.room) == ("busy", 0, 0)
    assert fleet.heard(beat(2, held=("a", "b")), 1.0) == [Change("vm1", "busy", "all its slots are taken (2)")]


def test_a_fresh_fleet_learns_from_heartbeats_what_runs_where() -> None:
    fleet = a_fleet(vm1=beat(9, held=("a", "b")), vm2=beat(4, "vm2", held=("c",)))

    assert {name: set(view.held) for name, view in fleet.views(0.0).items()} == {"vm1": {"a", "b"}, "vm2": {"c"}}


def test_a_job_lost_from_sight_is_dropped_after_two_beats() -> None:
    fleet = a_fleet()
    fleet.placed("vm1", "a", 0.5)
    held = []
    for seq in range(2, 6):
        fleet.heard(beat(seq), float(seq - 1))
        held.append(set(vm1(fleet, float(seq - 1)).held))

    assert held == [{"a"}, {"a"}, set(), set()]


def test_a_silent_vm_is_lost_even_if_no_tick_came() -> None:
    fleet = a_fleet()
    assert vm1(fleet, 3.0).state == "ready"

    view = vm1(fleet, 3.1)
    assert (view.state, view.takes_jobs, view.room, view.free_slots) == ("lost", False, 0, 0)
    assert view.age_s(3.1) == pytest.approx(3.1)
    assert fleet.tick(3.1) == [Change("vm1", "lost", "not heard from for 3.1 s")]


def test_only_the_silent_vm_is_lost() -> None:
    fleet = a_fleet(vm1=beat(1), vm2=beat(1, "vm2"))
    fleet.heard(beat(2), 2.0)

    assert fleet.tick(4.0) == [Change("vm2", "lost", "not heard from for 4.0 s")]
    assert {name: view.state for name, view in fleet.views(4.0).items()} == {"vm1": "ready", "vm2": "lost"}


def test_readings_from_before_a_silence_are_forgotten() -> None:
    fleet = a_fleet(vm1=beat(1, cpu_percent=90.0))
    fleet.heard(beat(2, cpu_percent=10.0), 60.0)

    assert vm1(fleet, 60.0).load == 10.0


def test_a_lost_vm_keeps_its_jobs_until_they_are_taken_back() -> None:
    fleet = a_fleet(vm1=beat(1, held=("a",)))
    fleet.placed("vm1", "b", 0.1)
    assert vm1(fleet, 5.0).held == {"a", "b"}

    for job in ("a", "b"):
        fleet.finished("vm1", job)
    assert vm1(fleet, 5.0).held == set()


def test_a_vm_without_a_queue_is_lost_until_its_next_beat() -> None:
    fleet = a_fleet()
    fleet.unreachable("vm1", 0.2)
    fleet.unreachable("vm1", 0.3)
    assert vm1(fleet, 0.3).state == "lost"

    fleet.heard(beat(1), 0.4)  # the same beat again is no news
    assert vm1(fleet, 0.4).state == "lost"

    assert fleet.heard(beat(2), 1.0) == [Change("vm1", "ready", "heard again after 1.0 s")]


def test_why_it_was_unreachable_is_told_once() -> None:
    fleet = a_fleet()
    fleet.unreachable("vm1", 0.2)

    assert fleet.tick(0.3) == [Change("vm1", "lost", "the broker has no queue vm.vm1")]
    assert fleet.tick(9.0) == []


def test_a_vm_lost_for_a_day_is_forgotten() -> None:
    fleet = a_fleet(vm1=beat(1), vm2=beat(1, "vm2"))
    fleet.heard(beat(2, "vm2"), 86_000.0)
    fleet.views(86_000.0)
    fleet.placed("vm1", "a", 86_000.0)
    fleet.tick(86_401.0)
    assert list(fleet.views(86_401.0)) == ["vm2"]

    assert fleet.heard(beat(1), 86_402.0) == [Change("vm1", "joined"), Change("vm1", "ready")]


def test_what_is_said_of_an_unknown_vm_changes_nothing() -> None:
    fleet = Fleet()
    fleet.placed("vm9", "a", 0.0)
    fleet.finished("vm9", "a")
    fleet.judged("vm9", 0.0, ok=False)
    fleet.unreachable("vm9", 0.0)

    assert dict(fleet.views(0.0)) == {}
    assert fleet.tick(0.0) == []


def test_only_what_changed_is_made_anew() -> None:
    fleet = a_fleet(vm1=beat(1), vm2=beat(1, "vm2"), vm3=beat(1, "vm3"))
    before = dict(fleet.views(0.0))
    fleet.placed("vm2", "a", 0.1)
    after = fleet.views(0.2)

    assert [name for name in after if after[name] is not before[name]] == ["vm2"]


def test_who_was_deaf_lost_nobody_meanwhile() -> None:
    fleet = a_fleet(vm1=beat(1), vm2=beat(1, vm="vm2"))
    fleet.deaf()
    assert fleet.tick(60.0) == []

    assert fleet.heard(beat(61), 60.0) == []
    assert fleet.tick(63.0) == []
    assert fleet.heard(beat(64), 63.0) == []
    assert fleet.tick(63.1) == [Change("vm2", "lost", "not heard from for 63.1 s")]


def test_who_hears_nothing_after_it_was_deaf_loses_them_all() -> None:
    fleet = a_fleet()
    fleet.deaf()
    fleet.hears(60.0)
    fleet.hears(62.0)  # it does already
    assert fleet.tick(63.0) == []
    assert fleet.tick(63.1) == [Change("vm1", "lost", "not heard from for 63.1 s")]


def test_who_was_lost_before_stays_lost() -> None:
    fleet = a_fleet()
    fleet.tick(4.0)
    fleet.deaf()
    fleet.hears(60.0)
    assert vm1(fleet, 60.0).state == "lost"
    assert fleet.heard(beat(2), 61.0) == [Change("vm1", "ready", "heard again after 61.0 s")]


def test_figures_from_before_it_was_deaf_say_nothing_about_now() -> None:
    fleet = a_fleet(vm1=beat(1, cpu_percent=100.0))
    fleet.deaf()
    fleet.heard(beat(61, cpu_percent=10.0), 60.0)
    assert vm1(fleet, 60.0).load == 10.0
