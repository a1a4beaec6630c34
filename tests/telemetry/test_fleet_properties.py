"""The fleet under any history: expiry, bounds, told states, deafness to stale beats."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import Heartbeat
from telemetry.fleet import Change, Fleet, Rules

LOST_AFTER_S = 3.0
RULES = Rules(lost_after_s=LOST_AFTER_S, ease_in_s=2.0, stuck_after_s=2.0)
VMS = st.sampled_from(["vm1", "vm2", "vm3"])
JOBS = st.sampled_from("abcd")
BEATS = st.builds(
    Heartbeat,
    vm=VMS,
    session=st.sampled_from(["one", "two"]),
    started_ms=st.just(1000),
    seq=st.integers(0, 30),
    at_ms=st.just(0),
    cpu_percent=st.floats(0, 100),
    ram_percent=st.just(50.0),
    cores=st.just(2.0),
    slots=st.just(2),
    look_ahead=st.just(1),
    held=st.lists(JOBS, max_size=4, unique=True).map(tuple),
    operations=st.sampled_from([(), ("sketch",), ("sketch", "caption"), ("caption", "caption")]),
    oldest_running_s=st.sampled_from([None, 1.0, 9.0]),
    running=st.integers(0, 1),
    done=st.integers(0, 1),
    worker=st.sampled_from(["ready", "ready", "ready", "starting", "draining", "absent"]),
)
STEPS = st.one_of(
    st.tuples(st.just("heard"), BEATS),
    st.tuples(st.just("placed"), VMS, JOBS),
    st.tuples(st.just("finished"), VMS, JOBS),
    st.tuples(st.just("judged"), VMS, st.booleans(), st.sampled_from([None, 0.5, 9.0])),
    st.tuples(st.just("pardoned"), VMS),
    st.tuples(st.just("drain"), st.frozensets(VMS)),
    st.tuples(st.just("unreachable"), VMS),
)
Step = tuple[Any, ...]


def histories(most_s: float) -> st.SearchStrategy[list[tuple[float, Step]]]:
    """Steps, each with the seconds that passed before it."""
    return st.lists(st.tuples(st.floats(0, most_s), STEPS), max_size=15)


def perform(fleet: Fleet, step: Step, now: float) -> list[Change]:
    """One step, and all the changes told by then."""
    word, *arguments = step
    if word == "finished":
        fleet.finished(*arguments)
        return fleet.tick(now)
    if word == "judged":
        vm, ok, slowness = arguments
        fleet.judged(vm, now, ok=ok, slowness=slowness)
        return fleet.tick(now)
    told = getattr(fleet, word)(*arguments, now) or []
    return [*told, *fleet.tick(now)]


@given(histories(most_s=LOST_AFTER_S))
def test_no_vm_is_alive_after_its_silence_and_figures_stay_in_range(history: list[tuple[float, Step]]) -> None:
    fleet, now = Fleet(RULES), 0.0
    for passed, step in history:
        perform(fleet, step, now)
        now += passed
        for view in fleet.views(now).values():
            assert view.state == "lost" or view.age_s(now) <= LOST_AFTER_S
            assert 0 <= view.load <= 100
            assert view.load >= view.cpu_percent - 1e-9
            assert 0 <= view.sent_since_beat <= len(view.held) <= 4
            assert 0 <= view.free_slots <= view.room <= view.capacity <= 3
            assert len(view.held) == view.held_slots
            assert 0 < view.share <= 1


@given(histories(most_s=LOST_AFTER_S))
def test_the_changes_told_end_in_the_state_seen(history: list[tuple[float, Step]]) -> None:
    """Only between ready and busy may a view be ahead of what was told, until the next beat."""
    fleet, now, told = Fleet(RULES), 0.0, dict[str, str]()
    for passed, step in history:
        now += passed
        told |= {change.vm: change.state for change in perform(fleet, step, now)}
        seen = {name: view.state for name, view in fleet.views(now).items()}
        either = {"busy": "ready"}
        assert {name: either.get(state, state) for name, state in told.items()} == {
            name: either.get(state, state) for name, state in seen.items()
        }


@given(histories(most_s=2 * LOST_AFTER_S))
def test_of_too_many_none_is_forgotten_but_the_lost_that_hold_nothing(history: list[tuple[float, Step]]) -> None:
    fleet, now = Fleet(RULES), 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("telemetry.fleet.MOST_VMS", 1)
        for passed, step in history:
            now += passed
            before = dict(fleet.views(now))
            perform(fleet, step, now)
            forgotten = [before[name] for name in before.keys() - fleet.views(now).keys()]
            assert len(fleet.views(now)) <= 1
            assert all(vm.state == "lost" and not vm.held for vm in forgotten)


@given(histories(most_s=0.1), st.lists(st.integers(0, 30), max_size=3))
def test_stale_beats_change_nothing_whenever_they_come(history: list[tuple[float, Step]], seqs: list[int]) -> None:
    calm, noisy, now = Fleet(RULES), Fleet(RULES), 0.0
    newest = dict[str, Heartbeat]()
    for passed, step in history:
        now += passed
        perform(calm, step, now)
        perform(noisy, step, now)
        newest |= {name: vm.beat for name, vm in calm._vms.items()}
        for stale in (each for beat in newest.values() for seq in seqs for each in stale_beats(beat, seq)):
            assert noisy.heard(stale, now) == []
        assert dict(noisy.views(now)) == dict(calm.views(now))


def stale_beats(newest: Heartbeat, seq: int) -> list[Heartbeat]:
    """A beat of the same session that was overtaken, and one of a session that ended."""
    other = {"cpu_percent": 99.0, "held": ("x", "y"), "worker": "draining"}
    return [
        newest.model_copy(update={**other, "seq": min(seq, newest.seq)}),
        newest.model_copy(update={**other, "seq": seq, "session": "zero", "started_ms": 1}),
    ]


@given(histories(most_s=1.0), VMS, JOBS)
def test_an_end_told_twice_is_one_end_and_frees_no_other_job(
    history: list[tuple[float, Step]], vm: str, job: str
) -> None:
    fleet, now = Fleet(RULES), 0.0
    for passed, step in history:
        now += passed
        perform(fleet, step, now)
    before = {name: view.held for name, view in fleet.views(now).items()}
    fleet.finished(vm, job)
    once = dict(fleet.views(now))
    fleet.finished(vm, job)

    assert dict(fleet.views(now)) == once
    assert {name: view.held for name, view in once.items()} == before | {
        name: held - {job} for name, held in before.items() if name == vm
    }


@given(histories(most_s=LOST_AFTER_S))
def test_what_is_asked_agrees_with_the_views(history: list[tuple[float, Step]]) -> None:
    fleet, now = Fleet(RULES), 0.0
    for passed, step in history:
        now += passed
        perform(fleet, step, now)
        views = fleet.views(now).values()
        taking = [view for view in views if view.takes_jobs]

        assert fleet.stranded == {view.name for view in views if not view.takes_jobs}
        assert fleet.served == {operation for view in taking for operation in view.operations}
        assert fleet.slots == sum(view.slots for view in taking)
        for operation in ("sketch", "caption", "swim"):
            serving = {view.name: view for view in taking if operation in view.operations}
            assert {view.name: view for view in fleet.serving(operation)} == serving
            assert {view.name: view for view in fleet.open(operation)} == {
                name: view for name, view in serving.items() if view.room > 0
            }
