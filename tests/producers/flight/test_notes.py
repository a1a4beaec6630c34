from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import AnyEvent, JobEvent, RouterStatus, VmEvent
from producers.flight import notes as module
from producers.flight.notes import FORGOTTEN_MS, LINGER_MS, Notes
from producers.flight.recording import Line, RecordedJob, RecordedState
from tests.producers.flight.steps import NOON, beat, bridge, in_cloud, on_vm, routed, router, step


def heard(notes: Notes, events: Iterable[AnyEvent]) -> list[Line]:
    return [line for event in events for line in notes.hear(event)]


def jobs(lines: Iterable[Line]) -> list[RecordedJob]:
    return [line for line in lines if isinstance(line, RecordedJob)]


def jobs_of(events: Iterable[AnyEvent]) -> list[RecordedJob]:
    """All jobs of a recording, those that are unfinished included."""
    notes = Notes()
    found = jobs([*heard(notes, events), *notes.rest()])
    return sorted(found, key=lambda job: (job.id, job.arrived_ms, repr(job)))


def life(number: int, kind: str, at_ms: int) -> list[JobEvent]:
    """What is told of a job, in the order in which it happened."""
    job, first, second = f"job {number}", f"p{number}a", f"p{number}b"
    came = routed(at_ms, job, first)
    ran = [on_vm("running", at_ms + 20, job, first), on_vm("done", at_ms + 520, job, first, ran_ms=480)]
    again: dict[str, Any] = {"placement": second, "vm": "vm2", "attempt": 2}
    sent = [routed(at_ms, job, first, route="cloud", vm=None), in_cloud("sent", at_ms + 5, job, first, cost=0.1)]
    lives = {
        "usual": [came, *ran],
        "under way": [came, ran[0]],
        "refused": [step("failed", at_ms, job, problem="bad-field")],
        "cancelled": [step("waiting", at_ms, job, waited_ms=0), step("failed", at_ms + 90, job, problem="cancelled")],
        "retried": [
            *(came, ran[0], on_vm("retried", at_ms + 300, job, first, reason="vm1 is draining")),
            step("waiting", at_ms + 400, job, placement=first, attempt=2, waited_ms=400),
            routed(at_ms + 500, job, waited_ms=500, **again),
            *(on_vm("running", at_ms + 510, job, **again), on_vm("done", at_ms + 900, job, ran_ms=380, **again)),
        ],
        "cloud": [*sent, in_cloud("done", at_ms + 900, job, first, vm="rev-7", waited_ms=300, ran_ms=400, cost=0.2)],
        "came home": [
            *(*sent, in_cloud("retried", at_ms + 600, job, first)),
            routed(at_ms + 610, job, second, waited_ms=610),
            *(on_vm("running", at_ms + 620, job, second), on_vm("done", at_ms + 800, job, second, ran_ms=170)),
        ],
        "repeated": [
            *(came, *ran, routed(at_ms + 700, job, second)),
            on_vm("done", at_ms + 720, job, second, ran_ms=480),
        ],
        "never routed": ran,
    }
    return lives[kind]


KINDS = ("usual", "under way", "refused", "cancelled", "retried", "cloud", "came home", "repeated", "never routed")


@st.composite
def days(draw: st.DrawFn) -> list[JobEvent]:
    """The events of a few jobs that begin within some seconds, in order."""
    kinds = draw(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 8_000)), min_size=1, max_size=6))
    told = [event for number, (kind, at_ms) in enumerate(kinds) for event in life(number, kind, at_ms)]
    return sorted(told, key=lambda event: event.at_ms)


@given(days(), st.randoms(use_true_random=False), st.integers(0, 5))
def test_any_order_makes_the_same_jobs_and_so_do_words_that_come_twice(
    told: list[JobEvent], random: Random, twice: int
) -> None:
    shuffled = told + random.choices(told, k=twice)
    random.shuffle(shuffled)
    assert jobs_of(shuffled) == jobs_of(told)


@given(days(), st.randoms(use_true_random=False))
def test_words_that_are_late_by_seconds_make_the_same_jobs_on_a_long_day(told: list[JobEvent], random: Random) -> None:
    clock = [router(at_ms) for at_ms in range(0, 60_000, 1_000)]
    later = [event.model_copy(update={"at_ms": event.at_ms + 30_000, "job": f"{event.job} later"}) for event in told]
    later = [event.model_copy(update={"placement": event.placement and event.placement + "x"}) for event in later]
    everything: list[JobEvent | RouterStatus] = [*told, *later, *clock]
    late = sorted(everything, key=lambda event: event.at_ms + random.randrange(5_000))
    assert jobs_of(late) == jobs_of([*told, *later])


def test_each_life_makes_one_job_but_for_a_repeat() -> None:
    for kind in KINDS:
        assert len(jobs_of(life(0, kind, 0))) == 1 + (kind == "repeated"), kind


def test_a_job_is_written_some_seconds_after_its_end_and_not_before() -> None:
    notes = Notes()
    heard(notes, life(0, "usual", 0))
    assert jobs(heard(notes, [router(500), router(LINGER_MS - 1)])) == []
    assert [job.end for job in jobs(notes.hear(router(LINGER_MS + 600)))] == ["done"]
    assert len(notes) == 0
    assert notes.rest() == []


def test_a_word_that_comes_after_that_makes_no_second_job() -> None:
    notes = Notes()
    heard(notes, [*life(0, "usual", 0), router(60_000)])
    assert heard(notes, [on_vm("done", 60_100, "job 0", "p0a"), router(120_000), router(180_000)]) == []


def test_a_job_that_is_never_heard_of_again_is_written_as_it_is() -> None:
    notes = Notes()
    heard(notes, life(0, "under way", 0))
    assert jobs(notes.hear(router(FORGOTTEN_MS - 1))) == []
    (job,) = jobs(notes.hear(router(FORGOTTEN_MS + 1_000)))
    assert (job.id, job.end, job.began_ms) == ("job 0", None, NOON + 20)


def test_only_so_many_jobs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    notes = Notes()
    lines = heard(notes, [on_vm("running", 0, f"job {n}", f"p{n}") for n in range(5)])
    assert [job.id for job in jobs(lines)] == ["job 0", "job 1"]
    assert len(notes) == 3


def test_only_so_many_written_placements_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAST", 1)
    notes = Notes()
    heard(notes, [*life(0, "usual", 0), *life(1, "usual", 1), router(60_000)])
    again = [life(0, "usual", 0)[-1], life(1, "usual", 1)[-1]]
    assert [job.id for job in jobs([*heard(notes, again), *notes.rest()])] == ["job 0"]


def test_a_caller_who_sends_one_id_for_ever_fills_no_memory() -> None:
    notes = Notes()
    lines = heard(notes, [routed(n, placement=f"p{n}") for n in range(1_000)])
    assert len(jobs(lines)) + len(jobs(notes.rest())) == 1_000
    assert len(jobs(lines)) > 900


def test_a_vm_whose_clock_is_a_day_ahead_ages_nobody() -> None:
    notes = Notes()
    heard(notes, [*life(0, "under way", 0), beat(86_400_000), on_vm("running", 86_400_000, "other", "p9")])
    assert len(notes) == 2


def test_what_an_operator_does_with_a_dead_job_is_no_job() -> None:
    notes = Notes()
    assert heard(notes, [step("replayed", 86_400_000), step("purged", 86_400_000)]) == []
    assert (len(notes), notes.now_ms) == (0, 0)


def test_a_state_is_written_when_it_is_another() -> None:
    ready = VmEvent(state="ready", vm="vm1", at_ms=NOON)
    lost = VmEvent(state="lost", vm="vm1", at_ms=NOON + 5, reason="3 beats missed")
    lines = heard(Notes(), [ready, ready, lost, lost, ready])
    assert [line.state for line in lines if isinstance(line, RecordedState)] == ["ready", "lost", "ready"]


def test_each_kind_of_event_finds_its_line() -> None:
    notes = Notes()
    told: Sequence[AnyEvent] = [router(0), bridge(0), beat(0), VmEvent(state="ready", vm="vm1", at_ms=NOON)]
    lines = [*heard(notes, [*told, *life(0, "usual", 0)]), *notes.rest()]
    kinds = [type(line).__name__ for line in lines]
    assert kinds == [
        *("RecordedRouter", "RecordedCloud", "RecordedVm", "RecordedState", "RecordedRouter"),
        *("RecordedJob", "RecordedLoad"),
    ]
