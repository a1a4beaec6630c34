"""One VM: beats in, its view out."""

from collections import deque

import pytest

from bus.events import Heartbeat
from telemetry.health import Progress
from telemetry.ledger import Ledger
from telemetry.vm_view import Vm, why_joined
from tests.telemetry.beats import beat


def a_vm(first: Heartbeat) -> Vm:
    vm = Vm(
        first, heard_at=5.0, session_at=5.0, ledger=Ledger(2, 2.0), readings=deque([30.0]), progress=Progress(0, 5.0)
    )
    vm.capacity = 3
    vm.settle()
    return vm


def test_every_figure_is_in_its_place() -> None:
    vm = a_vm(beat(7, ram_percent=60.0, cores=4.0, not_served={"caption": "no weights"}, oldest_running_s=2.5))
    vm.ledger.sent("big", 5.0, slots=2)

    assert vm.view()._asdict() == {
        "name": "vm1",
        "session": "one",
        "state": "busy",
        "worker": "ready",
        "cpu_percent": 30.0,
        "load": 55.0,
        "ram_percent": 60.0,
        "cores": 4.0,
        "slots": 2,
        "look_ahead": 1,
        "capacity": 3,
        "held": {"big"},
        "held_slots": 2,
        "sent_since_beat": 1,
        "operations": ("sketch",),
        "not_served": {"caption": "no weights"},
        "oldest_running_s": 2.5,
        "heard_at": 5.0,
        "share": 1.0,
        "drained": False,
        "reason": None,
    }


def test_the_gravest_state_is_told() -> None:
    vm = a_vm(beat(1))
    told = list[tuple[str, str | None]]()
    for name, value in (
        ("stuck", "its worker is stuck"),
        ("beat", beat(2, worker="starting")),
        ("beat", beat(3, worker="draining")),
        ("drained", True),
        ("lost", "not heard from"),
    ):
        setattr(vm, name, value)
        vm.settle()
        told.append((vm.view().state, vm.view().reason))

    assert told == [
        ("quarantined", "its worker is stuck"),
        ("joined", "its worker is starting"),
        ("draining", None),
        ("draining", "drained by an operator"),
        ("lost", "not heard from"),
    ]
    assert (vm.view().takes_jobs, vm.view().room, vm.view().free_slots) == (False, 0, 0)


def test_room_is_what_the_capacity_leaves_and_slots_beyond_it_are_not_free() -> None:
    vm = a_vm(beat(1, slots=8))
    assert (vm.view().room, vm.view().free_slots) == (3, 3)

    vm.ledger.sent("big", 5.0, slots=5)
    assert (vm.view().state, vm.view().room, vm.view().free_slots) == ("ready", 0, 0)


@pytest.mark.parametrize(
    ("newer", "silent", "news"),
    [
        (beat(8), False, True),
        (beat(7), False, False),
        (beat(7), True, False),
        (beat(1, session="two", started_ms=1001), False, True),
        (beat(1, session="two", started_ms=999), False, False),
        (beat(1, session="two", started_ms=999), True, True),
    ],
)
def test_which_beats_are_news(newer: Heartbeat, *, silent: bool, news: bool) -> None:
    assert a_vm(beat(7)).is_news(newer, silent=silent) == news


def test_the_first_ready_beat_of_a_session_is_remembered() -> None:
    vm, ready_at = a_vm(beat(1, worker="starting")), list[float | None]()
    for now, heard in enumerate(
        [beat(1, worker="starting"), beat(2, slots=0), beat(3), beat(4), beat(1, session="two", worker="starting")]
    ):
        vm.take(heard, float(now), silent=False)
        vm.check(float(now), stuck_after_s=75.0)
        ready_at.append(vm.ready_at)

    assert ready_at == [None, None, 2.0, 2.0, None]


def test_a_worker_serves_nothing_for_a_reason() -> None:
    assert why_joined(beat(1)) is None
    assert why_joined(beat(1, slots=0)) == "it offers no slots"
