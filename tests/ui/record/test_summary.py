from dataclasses import replace

import pytest

from producers.flight.recording import RecordedJob, RecordedState, RecordedVm
from ui.record.summary import Summary

DONE = RecordedJob("j1", "ada", "sketch", 0, route="vm", vm="vm1", ended_ms=1_000, end="done")
IN_CLOUD = replace(DONE, route="cloud", vm="rev-7", ended_ms=4_000, cost=0.25)
REFUSED = replace(DONE, route=None, vm=None, ended_ms=1, end="failed", problem="bad-field")
UNDER_WAY = replace(DONE, operation="caption", ended_ms=None, end=None)


@pytest.fixture
def summary() -> Summary:
    made = Summary()
    vms = [RecordedVm(name, 0, 1, 1, 1, ()) for name in ("vm1", "vm2", "vm1")]
    made.add([*vms, RecordedState("vm3", 0, "lost"), DONE, DONE, DONE, IN_CLOUD, REFUSED, UNDER_WAY])
    return made


def test_jobs_are_counted_by_operation_and_place(summary: Summary) -> None:
    counts = {row: (times.jobs, times.failed, times.unfinished) for row, times in summary.rows.items()}
    assert counts == {
        ("sketch", "VMs"): (3, 0, 0),
        ("sketch", "cloud"): (1, 0, 0),
        ("sketch", "never placed"): (1, 1, 0),
        ("caption", "VMs"): (1, 0, 1),
    }
    assert (summary.all.jobs, summary.all.failed, summary.all.unfinished, len(summary.vms)) == (6, 1, 1, 2)


def test_times_are_those_of_jobs_that_were_done(summary: Summary) -> None:
    assert summary.rows["sketch", "VMs"].answered.p50 == pytest.approx(1_000, rel=0.01)
    assert summary.all.answered.p99 == pytest.approx(4_000, rel=0.01)
    assert summary.rows["sketch", "never placed"].answered.p50 is None


def test_the_clouds_share_is_of_what_was_placed(summary: Summary) -> None:
    assert (summary.cloud_share, summary.cost) == (0.2, 0.25)
    assert Summary().cloud_share == 0.0


def test_operations_that_callers_made_up_are_one_row_in_the_end() -> None:
    summary = Summary()
    summary.add(replace(REFUSED, operation=f"operation {n}") for n in range(500))
    assert len(summary.rows) == 65
    assert summary.rows["other", "never placed"].jobs == 436
