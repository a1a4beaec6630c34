"""When VMs were away and the cloud was not to be had."""

from dataclasses import replace
from math import inf

from producers.flight.recording import (
    Header,
    RecordedCloud,
    RecordedLoad,
    RecordedRouter,
    RecordedState,
    RecordedVm,
    Recording,
)
from producers.flight.spans import presence, without_cloud
from producers.simulation.faults import Fault


def recording(*states: tuple[float, str], first_s: float = 0.5) -> Recording:
    told = tuple(RecordedState("vm1", int(at * 1000), state) for at, state in states)  # type: ignore[arg-type]
    vms = (RecordedVm("vm1", int(first_s * 1000), 2, 1, 4.0, ("sketch",)),)
    return Recording(Header(0, 1_000_000), vms=vms, states=told, loads=(RecordedLoad("vm2", 0, (1,), (1,), (0,)),))


def test_a_vm_that_was_there_was_there_from_the_beginning() -> None:
    there = presence(recording((1, "ready"), (5, "busy"), (6, "ready")), "vm1")
    assert (there.joins_s, there.away) == (0.0, ())
    assert there.up_s(1000) == 1000


def test_a_vm_without_any_word_of_its_state_was_there() -> None:
    assert presence(recording(), "vm1").joins_s == 0.0
    assert presence(recording(first_s=50), "vm1").joins_s == 50.0


def test_a_vm_that_joins_takes_jobs_once_it_is_ready() -> None:
    there = presence(recording((60, "joined"), (90, "ready"), first_s=60), "vm1")
    assert (there.joins_s, there.away) == (90.0, ())
    assert there.up_s(100) == 10


def test_a_vm_that_never_got_ready_never_takes_any() -> None:
    there = presence(recording((60, "joined"), first_s=60), "vm1")
    assert there.up_s(1000) == 0


def test_a_vm_that_was_drained_before_stays_so_until_it_is_told_otherwise() -> None:
    routers = (RecordedRouter(0, "p2c"), RecordedRouter(700, "p2c", drained=("vm1",)))
    assert presence(replace(recording((100, "ready")), routers=routers), "vm1").away == (
        Fault("drain", "vm1", 0.5, 99.5),
    )
    assert presence(replace(recording(), routers=routers), "vm1").up_s(1000) == 0.5
    assert presence(replace(recording((1, "ready")), routers=routers), "vm1").away == ()
    assert presence(replace(recording(), routers=routers), "vm2").away == ()


def test_a_vm_that_was_quarantined_before_stays_so_until_it_is_told_otherwise() -> None:
    routers = (RecordedRouter(700, "p2c", quarantined=("vm1",)), RecordedRouter(9_000, "p2c"))
    told = replace(recording((100, "ready")), routers=routers)
    assert presence(told, "vm1").away == (Fault("drain", "vm1", 0.5, 99.5),)
    assert presence(told, "vm2").away == ()
    assert presence(replace(recording((1, "ready")), routers=routers), "vm1").away == ()


def test_a_lost_vm_was_silent_before_it_was_missed() -> None:
    there = presence(recording((1, "ready"), (100, "lost"), (150, "joined"), (160, "ready")), "vm1")
    assert there.away == (Fault("crash", "vm1", 97.0, 63.0),)
    assert there.up_s(1000) == 937


def test_a_vm_that_stays_away_is_away_for_good() -> None:
    there = presence(recording((1, "ready"), (100, "lost")), "vm1")
    assert there.away == (Fault("crash", "vm1", 97.0, inf),)
    assert there.up_s(1000) == 97


def test_drained_and_quarantined_vms_take_no_more() -> None:
    states = ((1, "ready"), (10, "draining"), (20, "ready"), (30, "quarantined"), (40, "lost"), (50, "busy"))
    there = presence(recording(*states), "vm1")
    assert [(each.kind, each.at_s, each.for_s) for each in there.away] == [
        ("drain", 10.0, 10.0),
        ("drain", 30.0, 10.0),
        ("crash", 40.0, 10.0),
    ]


def test_what_ends_as_it_begins_is_not_told() -> None:
    there = presence(recording((1, "ready"), (10, "draining"), (10, "ready")), "vm1")
    assert there.away == ()


def cloud(at_s: float, state: str | None) -> RecordedCloud:
    return RecordedCloud(int(at_s * 1000), state)  # type: ignore[arg-type]


def test_a_cloud_is_down_while_its_bridge_says_so_and_absent_without_one() -> None:
    told = [cloud(1, "ready"), cloud(10, "broken"), cloud(15, "full"), cloud(20, None), cloud(30, "ready")]
    assert without_cloud([*told, cloud(40, "draining")], 0) == (((10.0, 15.0), (40.0, inf)), ((20.0, 30.0),))


def test_a_bridge_that_comes_later_was_absent_before() -> None:
    assert without_cloud([cloud(60, "ready")], 0) == ((), ((0.0, 60.0),))
    assert without_cloud([], 0) == ((), ((0.0, inf),))
