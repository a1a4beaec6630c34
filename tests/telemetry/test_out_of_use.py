"""VMs that take no jobs, as a router tells of them."""

from bus.events import MOST_LOST
from telemetry.fleet import Fleet, VmView
from telemetry.out_of_use import lost, quarantined
from tests.telemetry.beats import beat


def views(now: float, **heard: float) -> list[VmView]:
    """Views as of `now` of VMs that were heard once, each when it says."""
    fleet = Fleet()
    for name, at in sorted(heard.items(), key=lambda vm: vm[1]):
        fleet.heard(beat(1, vm=name), at)
    return list(fleet.views(now).values())


def test_the_lost_are_told_for_an_hour_the_last_one_first() -> None:
    assert lost(views(4000.0, longago=399.0, vm1=400.0, vm2=3990.04, alive=3999.0), 4000.0) == {
        "vm2": 10.0,
        "vm1": 3600.0,
    }


def test_of_many_the_last_ones_are_told() -> None:
    many = {f"vm{number:03}": float(number) for number in range(MOST_LOST + 1)}
    told = lost(views(100.0, **many), 100.0)
    assert len(told) == MOST_LOST
    assert "vm000" not in told


def test_the_quarantined_are_told_with_why() -> None:
    ready, stuck = views(1.0, vm1=0.0, vm2=0.5)
    assert quarantined([ready, stuck._replace(state="quarantined", reason="its worker is stuck")]) == {
        "vm2": "its worker is stuck"
    }
    assert quarantined([ready._replace(state="quarantined")]) == {"vm1": ""}
