"""What is put to the router in place of the recorded day."""

from dataclasses import replace

import pytest

from bus.prices import PRIORS_S
from producers.flight.known import known
from producers.flight.recording import RecordedCloud
from producers.flight.scenario import cloud, tasks, vms
from producers.flight.what_if import WhatIf
from tests.producers.flight.days import BEGINS_MS, job, told, vm


def test_a_job_comes_when_it_came_and_asks_for_what_it_asked_for() -> None:
    asked = job(7, 10, 2.0, priority=5, site="local", user="ben", operation="caption", bytes=None)
    (task,), numbers = tasks(known(told(asked)))
    assert (task.arrival_s, task.user, task.operation, task.priority, task.local) == (10.0, "ben", "caption", 5, True)
    assert (task.megapixels, task.size, task.refused) == (2.0, None, None)
    assert task.work_s == pytest.approx(2.0)
    assert numbers == (0,)


def test_what_was_not_seen_to_run_takes_as_long_as_its_like() -> None:
    seen = [job(number, number, 3.0) for number in range(6)]
    unseen = [
        job(10, 10, 50.0, end="failed", problem="operation-failed"),
        job(11, 11, 9.0, route="cloud", vm="rev-1"),
        job(12, 12, end=None, route=None, vm=None, began_ms=None, ended_ms=None, ran_ms=None),
    ]
    sent, _ = tasks(known(told(*seen, *unseen)))
    assert [task.work_s for task in sent] == pytest.approx([3.0] * 9)
    assert sent[7].cloud_s == 9.0
    assert sent[0].cloud_s == pytest.approx(9.0), "the only job that was seen in the cloud"


def test_bad_input_is_refused_and_what_was_a_vms_fault_is_not() -> None:
    problems = ("broken-image", "too-many-pixels", "operation-failed", "too-many-jobs", "timed-out")
    sent, _ = tasks(known(told(*(job(n, n, end="failed", problem=slug) for n, slug in enumerate(problems)))))
    assert [task.refused for task in sent] == ["broken-image", "too-many-pixels", None, None, None]


def test_what_was_cancelled_before_it_ran_was_never_asked_for() -> None:
    gone = job(1, 10, end="failed", problem="cancelled", began_ms=None, ran_ms=None)
    begun = job(2, 10, end="failed", problem="cancelled")
    assert tasks(known(told(gone, begun)))[1] == (1,)


def test_a_vm_more_is_like_the_middle_one() -> None:
    found = known(told(job(1, 10), vms=(vm("a", 1), vm("b", 2), vm("c", 8))))
    assert [(each.name, each.slots) for each in vms(found, WhatIf(add_vms=2))][-2:] == [("added-1", 2), ("added-2", 2)]
    assert [each.name for each in vms(found, WhatIf(remove_vms=("a", "c")))] == ["b"]


LINES = (
    RecordedCloud(BEGINS_MS, "ready", capacity=8, seconds={"sketch": 2.0}, operations=("sketch",), spent_today=0.5),
    RecordedCloud(BEGINS_MS + 10_000, "broken", capacity=4, seconds={"sketch": 4.0}, operations=("sketch", "caption")),
    RecordedCloud(BEGINS_MS + 20_000, None),
)


def test_the_cloud_is_as_its_bridge_told() -> None:
    spec = cloud(known(replace(told(job(1, 10)), clouds=LINES)), WhatIf())
    assert spec is not None
    assert (spec.capacity, spec.operations, spec.spent_before) == (4, ("sketch", "caption"), 0.5)
    assert spec.seconds == {"sketch": 3.0, "caption": PRIORS_S["caption"]}
    assert (spec.downs, spec.absent) == (((10.0, 20.0),), ((20.0, float("inf")),))
    assert spec.money_per_day is None


def test_there_is_a_cloud_where_there_was_one_or_one_is_asked_for() -> None:
    without, found = known(told(job(1, 10))), known(replace(told(job(1, 10)), clouds=LINES))
    assert cloud(without, WhatIf()) is None
    assert cloud(found, WhatIf(cloud=False)) is None
    asked, capped = cloud(without, WhatIf(cloud=True)), cloud(found, WhatIf(money_per_day=2.0))
    assert asked is not None
    assert capped is not None
    assert dict(asked.seconds) == PRIORS_S
    assert capped.money_per_day == 2.0
