"""The ledger of one VM: which jobs take room, told by beats, placements and ends."""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from bus.events import Heartbeat
from telemetry.ledger import Ledger

Worker = Literal["ready", "starting", "draining", "absent"]


def beat(*held: str, worker: Worker = "ready", slots: int = 4) -> Heartbeat:
    return Heartbeat(
        vm="vm1",
        session="s",
        started_ms=0,
        seq=0,
        at_ms=0,
        cpu_percent=0,
        ram_percent=0,
        cores=2,
        slots=slots,
        held=held,
        worker=worker,
    )


def a_ledger(most: int = 100) -> Ledger:
    return Ledger(settle_beats=2, settle_s=2.0, most=most)


def told(ledger: Ledger) -> tuple[set[str], int]:
    return set(ledger.held), ledger.unlisted


def test_a_job_counts_from_being_sent_to_being_finished() -> None:
    ledger = a_ledger()
    ledger.sent("a", now=0.1)
    assert told(ledger) == ({"a"}, 1)

    ledger.beat(beat("a"), now=1.0)
    assert told(ledger) == ({"a"}, 0)

    ledger.finished("a")
    ledger.finished("a")
    assert told(ledger) == (set[str](), 0)


def test_a_fresh_ledger_learns_from_a_beat_what_runs() -> None:
    ledger = a_ledger()
    ledger.beat(beat("a", "b"), now=1.0)

    assert ledger.held == {"a", "b"}
    assert ledger.unlisted == 0


def test_a_job_no_longer_listed_is_gone_though_no_event_said_so() -> None:
    ledger = a_ledger()
    ledger.beat(beat("a", "b"), now=1.0)
    ledger.beat(beat("b"), now=2.0)

    assert ledger.held == {"b"}


def test_a_job_on_its_way_is_missing_in_beats_for_a_while() -> None:
    ledger = a_ledger()
    ledger.sent("a", now=0.5)

    ledger.beat(beat(), now=1.0)
    ledger.beat(beat(), now=2.0)
    assert ledger.held == {"a"}

    ledger.beat(beat(), now=3.0)
    assert ledger.held == set()


def test_beats_in_a_burst_make_no_job_go_early() -> None:
    ledger = a_ledger()
    ledger.sent("a", now=0.5)
    for now in (1.0, 1.01, 1.02, 1.03):
        ledger.beat(beat(), now)

    assert ledger.held == {"a"}


def test_one_beat_after_a_long_silence_makes_no_job_go() -> None:
    ledger = a_ledger()
    ledger.sent("a", now=0.5)
    ledger.beat(beat(), now=60.0)

    assert ledger.held == {"a"}


def test_a_full_worker_says_nothing_about_what_still_lies_in_its_queue() -> None:
    ledger = a_ledger()
    ledger.sent("queued", now=0.0)
    for now in range(1, 9):
        ledger.beat(beat("a", "b", slots=2), float(now))
    assert ledger.held == {"a", "b", "queued"}

    ledger.beat(beat("b", slots=2), now=9.0)
    assert ledger.held == {"b"}


def test_a_beat_older_than_the_end_of_a_job_does_not_bring_it_back() -> None:
    ledger = a_ledger()
    ledger.beat(beat("a"), now=1.0)
    ledger.finished("a")

    ledger.beat(beat("a"), now=2.0)
    ledger.beat(beat("a"), now=3.0)
    assert ledger.held == set()

    ledger.beat(beat("a"), now=4.0)  # the worker insists: it was delivered once more
    assert ledger.held == {"a"}


def test_a_finished_job_that_left_the_list_and_came_back_was_delivered_again() -> None:
    ledger = a_ledger()
    ledger.beat(beat("a"), now=1.0)
    ledger.finished("a")
    ledger.beat(beat(), now=2.0)
    ledger.beat(beat("a"), now=3.0)

    assert ledger.held == {"a"}


def test_a_job_sent_again_counts_again() -> None:
    ledger = a_ledger()
    ledger.beat(beat("a"), now=1.0)
    ledger.finished("a")
    ledger.sent("a", now=1.5)
    assert ledger.held == {"a"}

    ledger.beat(beat("a"), now=2.0)
    assert told(ledger) == ({"a"}, 0)

    ledger.sent("a", now=2.5)  # though still listed, it is one job
    assert told(ledger) == ({"a"}, 1)


def test_jobs_wait_in_the_queue_while_their_worker_restarts() -> None:
    ledger = a_ledger()
    ledger.beat(beat("running"), now=1.0)
    ledger.sent("queued", now=1.5)

    ledger.beat(beat(worker="starting"), now=8.0, restarted=True)
    for now in range(9, 20):
        ledger.beat(beat(worker="starting"), float(now))
    assert ledger.held == {"running", "queued"}
    assert ledger.unlisted == 2

    ledger.beat(beat(), now=20.0)  # it has just begun to consume
    assert ledger.held == {"running", "queued"}
    ledger.beat(beat("running"), now=21.0)
    ledger.beat(beat("running"), now=22.0)
    assert ledger.held == {"running"}


def test_jobs_wait_in_the_queue_even_if_the_restart_was_too_quick_to_be_seen_starting() -> None:
    ledger = a_ledger()
    ledger.beat(beat("running"), now=1.0)
    ledger.beat(beat(), now=2.0, restarted=True)

    assert told(ledger) == ({"running"}, 1)


def test_a_worker_that_died_beside_its_agent_leaves_its_jobs_in_the_queue() -> None:
    ledger = a_ledger()
    ledger.beat(beat("a"), now=1.0)
    ledger.beat(beat(worker="absent", slots=0), now=2.0)

    assert told(ledger) == ({"a"}, 1)


def test_a_draining_worker_finishes_what_it_has_and_takes_nothing_from_its_queue() -> None:
    ledger = a_ledger()
    ledger.beat(beat("running"), now=1.0)
    ledger.sent("queued", now=1.5)
    for now in range(2, 9):
        ledger.beat(beat(worker="draining"), float(now))

    assert ledger.held == {"queued"}

    ledger.beat(beat(), now=9.0)  # it takes jobs again, and may not have this one yet
    assert ledger.held == {"queued"}


def test_after_a_restart_a_finished_job_that_is_listed_was_delivered_again() -> None:
    ledger = a_ledger()
    ledger.beat(beat("a"), now=1.0)
    ledger.finished("a")
    ledger.beat(beat("a"), now=2.0, restarted=True)

    assert ledger.held == {"a"}


def test_memory_is_bounded() -> None:
    ledger = a_ledger(most=3)
    for n in range(50):
        ledger.finished(f"f{n}")
        ledger.sent(f"s{n}", now=0.0)
    ledger.beat(beat(*(f"h{n}" for n in range(50))), now=1.0)

    assert ledger.held == {"s47", "s48", "s49", "h0", "h1", "h2"}
    assert len(ledger._finished) <= 3


JOBS = st.sampled_from("abcdef")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("sent"), JOBS),
        st.tuples(st.just("finished"), JOBS),
        st.tuples(st.sampled_from(["ready", "starting", "draining"]), st.frozensets(JOBS)),
    ),
    max_size=30,
)


@given(STEPS)
def test_a_job_held_was_sent_or_listed_and_one_finished_is_not_held(steps: list[tuple[str, frozenset[str]]]) -> None:
    ledger, ever = a_ledger(), set[str]()
    for now, (word, jobs) in enumerate(steps):
        before = ledger.held
        if word == "sent":
            ledger.sent(str(jobs), float(now))
            assert ledger.held == before | {jobs}
        elif word == "finished":
            ledger.finished(str(jobs))
            assert ledger.held == before - {jobs}
        else:
            ledger.beat(beat(*jobs, worker=word), float(now))  # type: ignore[arg-type]  # one of the strategy's words
            assert ledger.held <= before | jobs
        ever.update(jobs)
        assert ledger.held <= ever
        assert 0 <= ledger.unlisted <= len(ledger.held)


@given(st.lists(st.tuples(JOBS, st.booleans()), max_size=20), st.integers(0, 2))
def test_what_a_worker_truly_holds_is_never_missing(placements: list[tuple[str, bool]], delay: int) -> None:
    """A world in which a job reaches the worker's list up to two beats after it was sent."""
    ledger, arrives, true = a_ledger(), dict[str, int](), set[str]()
    for now, (job, ends) in enumerate(placements):
        if job in true and ends:
            true.discard(job)
            arrives.pop(job)
            ledger.finished(job)
        elif job not in true:
            true.add(job)
            arrives[job] = now + delay
            ledger.sent(job, float(now))
        ledger.beat(beat(*(each for each, at in arrives.items() if at <= now), slots=8), now + 0.5)
        assert ledger.held == true


def test_a_big_job_keeps_its_weight_through_beats_and_restarts() -> None:
    ledger = a_ledger()
    ledger.sent("big", now=0.0, slots=3)
    ledger.sent("small", now=0.0)
    assert ledger.held_slots == 4

    ledger.beat(beat("big", "other"), now=1.0)
    assert ledger.held_slots == 5
    ledger.beat(beat(worker="starting"), now=2.0, restarted=True)
    assert ledger.held_slots == 5

    ledger.finished("big")
    assert ledger.held_slots == 2


def test_the_weight_of_a_job_no_longer_listed_is_gone_with_it() -> None:
    ledger = a_ledger()
    ledger.sent("big", now=0.0, slots=3)
    ledger.beat(beat("big"), now=1.0)
    ledger.beat(beat(), now=2.0)
    assert ledger.held_slots == 0

    ledger.beat(beat("big"), now=3.0)  # of a job heard of in a beat the weight is not known
    assert ledger.held_slots == 1


def test_a_job_sent_again_has_its_latest_weight() -> None:
    ledger = a_ledger()
    ledger.sent("a", now=0.0, slots=3)
    ledger.sent("a", now=1.0)
    assert ledger.held_slots == 1


def test_the_memory_of_weights_is_bounded() -> None:
    ledger = a_ledger(most=3)
    for n in range(50):
        ledger.sent(f"s{n}", now=0.0, slots=2)

    assert ledger.held_slots == 6
    assert len(ledger._more) == 3
