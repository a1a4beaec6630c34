from typing import Any

import pytest

from bus.problems import Kind, Problem
from tests.ui.web.jobs.office import NOW, record
from ui.web.api.telling import why_of
from ui.web.jobs.moves import cancelled, failed
from ui.web.jobs.record import Record

UNDER_WAY = record(state="running")
DONE = record(state="done", ended_ms=NOW + 5000, vm="vm1", route="vm", attempt=1, waited_ms=700, ran_ms=2000)


def event(state: str, **given: Any) -> dict[str, Any]:
    told = {"kind": "job", "state": state, "job": "a" * 32, "operation": "sketch", "user": "anna", "at_ms": NOW}
    return {**told, **given}


def states(of: Record, *events: dict[str, Any]) -> list[str]:
    return [told["state"] for told in why_of(of, events).events]


def test_the_latest_decision_is_the_receipt() -> None:
    first = event("routed", vm="vm1", placement="p1", policy="threshold")
    again = event("routed", vm="vm2", placement="p2", policy="threshold", at_ms=NOW + 1000)
    why = why_of(
        UNDER_WAY,
        [first, event("retried", placement="p1", reason="lost"), again, event("done", placement="p2", vm="vm2")],
    )

    assert why.receipt is not None
    assert why.receipt["vm"] == "vm2"
    assert [told["state"] for told in why.events] == ["routed", "retried", "routed", "done"]
    assert why.lines[0].startswith(f"Job {'a' * 32} of anna: sketch, done")
    assert not any(line != line.rstrip() for line in why.lines)


def test_a_job_that_nobody_told_of_has_no_reasons_yet() -> None:
    why = why_of(UNDER_WAY, [])
    assert (why.lines, why.receipt, why.events) == ([], None, [])
    assert why_of(UNDER_WAY, [event("waiting", place=3)]).receipt is None


def test_an_end_that_was_not_heard_is_told_as_the_answer_had_it() -> None:
    why = why_of(DONE, [event("routed", vm="vm1"), event("running", vm="vm1", at_ms=NOW + 1000)])
    assert why.lines[0].endswith("sketch, done after 5.00 s")
    assert "done      on vm1, waited 0.70 s, ran 2.00 s" in why.lines[-1]
    assert why.events[-1]["at_ms"] == NOW + 5000


def test_no_step_comes_after_the_end_whatever_clock_told_it() -> None:
    why = why_of(DONE, [event("running", vm="vm1", at_ms=NOW + 60_000)])
    assert why.events[-1]["state"] == "done"
    assert why.events[-1]["at_ms"] == NOW + 60_000


@pytest.mark.parametrize("state", ["done", "failed", "unanswerable"])
def test_an_end_that_was_heard_is_told_once(state: str) -> None:
    assert states(DONE, event("running"), event(state)) == ["running", state]


def test_each_time_that_a_job_was_sent_has_an_end() -> None:
    assert states(DONE, event("failed"), event("replayed"), event("running")) == [
        *("failed", "replayed", "running", "done"),
    ]


def test_how_it_failed() -> None:
    (told,) = why_of(failed(UNDER_WAY, Problem.of(Kind.BROKEN_IMAGE, "It is damaged."), NOW + 1, 1), []).events
    assert (told["state"], told["problem"]) == ("failed", "broken-image")
    (told,) = why_of(cancelled(UNDER_WAY, NOW + 1, 1), []).events
    assert (told["state"], told["problem"]) == ("failed", "cancelled")
