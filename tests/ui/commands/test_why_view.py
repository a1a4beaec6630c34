"""What `overspill why` shows."""

from typing import Any

import pytest

from bus.events import Candidate, CloudSeen, JobEvent
from ui.commands.why_view import decision, headline, in_order, receipt, render, words

VM1 = Candidate(vm="vm1", load=55.2, ram=30, age_s=0.31, held=2, slots=2, room=1, end_s=4.1, late_s=6, verdict="loaded")
VM2 = Candidate(
    vm="vm2", load=12, ram=30, age_s=0.9, held=0, slots=2, room=3, end_s=1.2, late_s=2, verdict="can take it"
)


def step(state: str, at_s: float = 0, **told: Any) -> JobEvent:
    given = {"job": "j1", "operation": "sketch", "user": "anna", "at_ms": 5_000 + round(at_s * 1000), "state": state}
    return JobEvent.model_validate(given | told)


def test_a_job_from_its_line_to_its_end() -> None:
    told = [
        step("waiting", place=3, eta_s=(4, 9.5), reason="every slot is taken", pixels=12_000_000),
        step(
            "routed", 0.81, vm="vm2", route="vm", attempt=1, waited_ms=810, eta_s=(1.2, 2), reason="under 40 % load",
            policy="threshold", limits={"ram_threshold": 90, "cpu_threshold": 40}, candidates=(VM2, VM1),
            cloud=CloudSeen(open=False, why="no bridge is alive"),
        ),
        step("running", 0.9, vm="vm2", route="vm", attempt=1),
        step("done", 3.41, vm="vm2", route="vm", attempt=1, waited_ms=900, ran_ms=2510),
    ]  # fmt: skip
    assert render(told).plain.splitlines() == [
        "Job j1 of anna: sketch of 12.0 megapixels, done after 3.41 s",
        "   +0.00 s  waiting   place 3 in line, its end expected in 4.00 s to 9.50 s: every slot is taken",
        "   +0.81 s  routed    to vm2, waited 0.81 s, its end expected in 1.20 s to 2.00 s: under 40 % load",
        "            policy threshold (cpu_threshold 40, ram_threshold 90) saw",
        "              VM     load   RAM    age  held  room               end  verdict",
        "            > vm2    12 %  30 %  0.9 s   0/2     3  1.20 s to 2.00 s  can take it",
        "              vm1    55 %  30 %  0.3 s   2/2     1  4.10 s to 6.00 s  loaded",
        "              cloud                                                ?  no bridge is alive",
        "   +0.90 s  running   on vm2",
        "   +3.41 s  done      on vm2, waited 0.90 s, ran 2.51 s",
    ]


def test_a_dead_job_that_was_sent_again_tells_by_whom_and_its_trace() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    told = [
        step("failed", vm="vm1", problem="too-many-attempts", reason="it died", traceparent=f"00-{trace}-01-01"),
        step("replayed", 60, reason="by anna@host, for the 1st time", traceparent=f"00-{trace}-02-01"),
    ]
    assert render(told).plain.splitlines() == [
        "Job j1 of anna: sketch, sent again out of the dead queue, replayed, and no end is told yet",
        f"            trace {trace}",
        "   +0.00 s  failed    on vm1, problem too-many-attempts: it died",
        "  +60.00 s  replayed  by anna@host, for the 1st time",
    ]
    twice = headline([*told, step("replayed", 61), step("purged", 62, reason="by anna@host")])
    assert twice == "Job j1 of anna: sketch, sent again out of the dead queue 2 times, purged after 1 min 2 s"


def test_a_placement_comes_before_what_came_of_it() -> None:
    told = [
        step("waiting"),
        step("running", vm="vm1", placement="p1"),
        step("routed", vm="vm1", placement="p1"),
        step("retried", placement="p1"),
        step("routed", vm="vm2", placement="p2"),
        step("done", vm="vm1", placement="p1"),
        step("running", vm="vm2", placement="p2"),
        step("routed"),
    ]
    assert [(event.state, event.placement) for event in in_order(told)] == [
        ("waiting", None),
        ("routed", "p1"),
        ("running", "p1"),
        ("retried", "p1"),
        ("routed", "p2"),
        ("done", "p1"),
        ("running", "p2"),
        ("routed", None),
    ]


def test_each_user_of_an_id_has_a_part() -> None:
    told = [step("running", user="ben"), step("running", 1), step("done", 2, user="ben"), step("failed", 3)]
    assert [line for line in render(told).plain.splitlines() if line.startswith("Job")] == [
        "Job j1 of anna: sketch, failed after 2.00 s",
        "Job j1 of ben: sketch, done after 2.00 s",
    ]


def test_a_job_that_has_not_ended_says_so() -> None:
    assert headline([step("parked")]) == "Job j1 of anna: sketch, parked, and no end is told yet"
    assert headline([step("failed")]) == "Job j1 of anna: sketch, failed"


def test_time_counts_from_the_arrival_which_is_before_the_first_thing_told() -> None:
    told = [
        step("routed", vm="vm1", route="vm", waited_ms=470),
        step("running", 0.01, vm="vm1", route="vm", waited_ms=480),
        step("done", 0.17, vm="vm1", route="vm", waited_ms=480, ran_ms=150),
    ]
    assert render(told).plain.splitlines() == [
        "Job j1 of anna: sketch, done after 0.64 s",
        "   +0.47 s  routed    to vm1, waited 0.47 s",
        "   +0.48 s  running   on vm1, waited 0.48 s",
        "   +0.64 s  done      on vm1, waited 0.48 s, ran 0.15 s",
    ]
    assert headline(told[2:]) == "Job j1 of anna: sketch, done after 0.63 s"  # all else is gone from the history


def test_clocks_that_differ_are_shown_as_they_are() -> None:
    assert "-0.20 s  running" in render([step("routed", 1), step("running", 0.8)]).plain


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (step("parked", reason="no VM serves sketch"), ["no VM serves sketch"]),
        (step("retried", vm="vm1", route="vm", attempt=2, reason="vm1 is lost"), ["on vm1", "attempt 2: vm1 is lost"]),
        (step("failed", problem="cancelled", reason="by anna"), ["problem cancelled: by anna"]),
        (step("routed", route="cloud"), ["to the cloud"]),
        (step("sent", route="cloud", cost=0.00017), ["to the cloud", "estimated price $0.00017"]),
        (
            step("done", route="cloud", vm="rev-7", ran_ms=90_000, cost=0.0042),
            ["on rev-7 in the cloud", "ran 1 min 30 s", "estimated price $0.0042"],
        ),
        (step("retried", route="cloud", reason="the budget is spent"), ["in the cloud: the budget is spent"]),
        (step("running"), []),
    ],
)
def test_a_step_in_words(event: JobEvent, said: list[str]) -> None:
    assert words(event) == said


def test_the_cloud_is_a_row_of_the_receipt() -> None:
    chosen = step("routed", route="cloud", cloud=CloudSeen(open=True, end_s=4, cost=0.00017), candidates=(VM1,))
    assert " ".join(receipt(chosen)[-1].split()) == "> cloud 4.00 s open, estimated price $0.00017"
    assert receipt(chosen)[1].startswith("  vm1")
    closed = step("waiting", cloud=CloudSeen(open=False))
    assert [line.split() for line in receipt(closed)][-1] == ["cloud", "?", "closed"]


def test_a_step_without_a_decision_has_no_receipt() -> None:
    assert receipt(step("running", vm="vm1")) == []
    assert decision(step("routed", policy="p2c")) == "policy p2c saw"


def test_a_likely_end_without_a_late_one_stands_alone() -> None:
    seen = VM1.model_copy(update={"late_s": 0})
    assert "  4.10 s  loaded" in receipt(step("routed", vm="vm2", candidates=(seen,)))[1]


def test_nothing_that_a_terminal_would_obey_gets_through() -> None:
    evil = VM1.model_copy(update={"verdict": "\x1b[2J[red]"})
    told = [step("routed", vm="vm1", reason="\x1b]0;x", user="a\nb", policy="\x07", candidates=(evil,))]
    assert not any(character in render(told).plain for character in "\x1b\x07")
    assert "[red]" in render(told).plain
