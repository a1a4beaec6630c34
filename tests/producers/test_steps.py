"""The events of a job's steps."""

import pytest

from bus.events import Candidate, CloudSeen
from bus.messages import Job
from bus.wire import MOST
from producers.commands import Moment
from producers.placement import Inputs, Overflow, ToVm
from producers.steps import routed, told

NOW = Moment(1.0, 5000)
JOB = Job(id="j1", operation="sketch", body=b"", user="anna", attempt=2, received_ms=4000, placement="p", pixels=9)


def test_a_step_tells_whose_job_it_is_and_how_long_it_waited() -> None:
    step = told(JOB, "because", NOW, state="waiting", place=3)
    assert (step.key, step.job, step.user, step.attempt, step.pixels) == ("job.waiting.sketch", "j1", "anna", 2, 9)
    assert (step.at_ms, step.waited_ms, step.reason, step.place) == (5000, 1000, "because", 3)


def test_a_placement_carries_its_receipt() -> None:
    candidate = Candidate(vm="vm1", load=5, age_s=0.1, held=0, verdict="can take it")
    step = routed(JOB, ToVm("vm1", "it is free", (candidate,), Inputs(policy="p2c", limits={"slots": 1})), NOW)
    assert (step.state, step.route, step.vm, step.policy) == ("routed", "vm", "vm1", "p2c")
    assert step.candidates == (candidate,)
    overflow = Overflow("sooner", (candidate,), Inputs(policy="predictive", cloud=CloudSeen(open=True, cost=0.1)))
    step = routed(JOB, overflow, NOW)
    assert (step.route, step.vm) == ("cloud", None)
    assert step.cloud is not None


@pytest.mark.parametrize(("says", "told"), [(None, None), (3000, 3000), (MOST, MOST), (MOST + 1, None)])
def test_a_placement_tells_when_the_caller_says_it_sent_the_job(says: int | None, told: int | None) -> None:
    assert routed(JOB, ToVm("vm1", "it is free", (), Inputs()), NOW, sent_ms=says).sent_ms == told
