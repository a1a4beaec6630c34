"""What a recording tells of how things run."""

from dataclasses import replace

import pytest

from producers.flight.known import NotPlayable, intervals, known, rule, settled, slots_s
from producers.flight.recording import RecordedRouter, RecordedVm
from producers.simulation.clouds import PRICES
from tests.producers.flight.days import BEGINS_MS, job, told, vm


def test_without_jobs_nothing_is_known() -> None:
    with pytest.raises(NotPlayable, match="no jobs in this recording"):
        known(told())


def test_each_vm_is_as_it_was_at_last() -> None:
    later = RecordedVm("vm1", BEGINS_MS + 5000, 4, 1, 8.0, ("sketch",))
    idle = RecordedVm("vm9", BEGINS_MS, 0, 1, 8.0, ())
    found = known(told(job(1, 10), vms=(vm(), vm("vm2"), later, idle)))
    assert [(each.vm, each.slots) for each, _ in found.fleet] == [("vm1", 4), ("vm2", 2)]
    assert slots_s(found.fleet, 100.0) == 6 * 100


def test_a_second_of_the_cloud_costs_what_it_came_to() -> None:
    answered = job(1, 10, 4.0, route="cloud", vm="rev-1", cost=0.02)
    unanswered = job(2, 10, 4.0, route="cloud", vm="rev-1", end=None)
    assert known(told(answered, unanswered)).cloud_second == pytest.approx(0.005)
    assert known(told(job(1, 10))).cloud_second == PRICES.second


def test_runs_are_known_by_vm() -> None:
    recording = told(job(1, 10, 2.0), job(2, 20, 3.0, vm="vm2"), job(3, 30, route="cloud"), job(4, 40, ended_ms=None))
    assert intervals(recording) == {"vm1": [(10.0, 12.0)], "vm2": [(20.0, 23.0)]}


def test_a_rule_without_its_settings_is_not_settled_yet() -> None:
    early, full = RecordedRouter(BEGINS_MS, "threshold"), RecordedRouter(BEGINS_MS + 5, "threshold", {"cpu": 40.0})
    assert settled(replace(told(job(1, 10)), routers=(early, full))) == [full]
    assert settled(replace(told(job(1, 10)), routers=(early,))) == [early]
    assert rule(replace(told(job(1, 10)), routers=())) is None


def test_more_vms_than_can_be_played_are_refused() -> None:
    crowd = tuple(vm(f"vm{number}") for number in range(1001))
    with pytest.raises(NotPlayable, match="There are 1,001 VMs in this recording, and 1,000 can be played"):
        known(told(job(1, 0.0), vms=crowd))
