"""Queues that nobody serves, and when somebody does again."""

from hypothesis import given
from hypothesis import strategies as st

from producers.commands import Collect
from producers.stranded import SWEEP_S, Stranded, Sweep

NONE: frozenset[str] = frozenset()
VM1 = frozenset({"vm1"})
SKETCH = frozenset({"sketch"})


def plan(
    stranded: Stranded, vms: frozenset[str] = NONE, served: frozenset[str] = NONE, *, overflow: bool = False
) -> list[Collect]:
    return list(stranded.plan(vms, served, overflow=overflow))


def test_what_was_parked_is_taken_once_somebody_serves_it() -> None:
    stranded = Stranded()
    assert plan(stranded) == []
    assert plan(stranded, served=SKETCH) == [Collect("parked.sketch")]


def test_a_lost_vm_is_emptied_until_it_is_back() -> None:
    stranded = Stranded()
    plan(stranded, served=SKETCH)
    assert plan(stranded, VM1) == [Collect("vm.vm1"), Collect("parked.sketch", stop=True)]
    assert stranded.collects("vm.vm1")
    assert Collect("vm.vm1", stop=True) in plan(stranded, served=SKETCH)


def test_nothing_changed_is_nothing_to_do() -> None:
    stranded = Stranded()
    assert plan(stranded, VM1, SKETCH)
    assert plan(stranded, VM1, SKETCH) == []


def test_the_overflow_is_taken_back_while_no_bridge_is_alive() -> None:
    stranded = Stranded()
    assert plan(stranded, overflow=True) == [Collect("overflow")]
    assert plan(stranded) == [Collect("overflow", stop=True)]


def test_a_queue_that_was_not_there_is_asked_for_again() -> None:
    stranded = Stranded()
    plan(stranded, overflow=True)
    stranded.missing("overflow")
    assert plan(stranded, overflow=True) == [Collect("overflow")]


def test_parked_jobs_are_looked_through_for_a_while_from_when_the_cloud_serves_them() -> None:
    sweep = Sweep()
    assert sweep.now([], 0) == NONE
    assert sweep.now(["sketch"], 1) == SKETCH
    assert sweep.now(["sketch", "caption"], SWEEP_S) == {"sketch", "caption"}
    assert sweep.now(["sketch", "caption"], 1 + SWEEP_S) == {"caption"}
    assert sweep.now(["caption"], 20) == NONE
    assert sweep.now(["sketch"], 21) == SKETCH  # it serves them anew


@given(st.lists(st.tuples(st.frozensets(st.sampled_from("abc")), st.booleans()), max_size=20))
def test_what_is_collected_is_always_what_nobody_else_serves(steps: list[tuple[frozenset[str], bool]]) -> None:
    stranded, collected = Stranded(), set[str]()
    for vms, overflow in steps:
        for command in plan(stranded, vms, overflow=overflow):
            assert (command.queue in collected) == command.stop
            collected ^= {command.queue}
        assert collected == {f"vm.{name}" for name in vms} | ({"overflow"} if overflow else set())
