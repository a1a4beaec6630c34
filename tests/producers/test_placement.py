from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Job
from producers.placement import SHOWN, Overflow, Park, Rules, ToVm, Wait, threshold
from telemetry.fleet import State, VmView

RULES = Rules(cpu_threshold=40.0, ram_threshold=90.0)


def vm(name: str = "vm1", **changes: Any) -> VmView:
    view = VmView(
        name=name,
        session="s",
        state="ready",
        worker="ready",
        cpu_percent=10.0,
        load=10.0,
        ram_percent=50.0,
        cores=2.0,
        slots=2,
        look_ahead=1,
        held=frozenset(),
        sent_since_beat=0,
        operations=("sketch",),
        not_served={},
        oldest_running_s=None,
        heard_at=100.0,
    )
    return replace(view, **changes)


def job(operation: str = "sketch", **changes: Any) -> Job:
    return Job(id="j", operation=operation, body=b"x", **changes)


def choose(*fleet: VmView, of: Job | None = None, cloud_open: bool = False) -> object:
    return threshold(of or job(), fleet, RULES, 100.5, cloud_open=cloud_open)


def held(count: int) -> frozenset[str]:
    return frozenset(f"h{n}" for n in range(count))


def test_a_vm_under_the_threshold_takes_the_job() -> None:
    choice = choose(vm("vm1", load=80.0), vm("vm2", load=39.9), cloud_open=True)
    assert isinstance(choice, ToVm)
    assert (choice.vm, choice.reason) == ("vm2", "under 40 % load")


def test_both_over_the_threshold_means_overflow() -> None:
    choice = choose(vm("vm1", load=40.0), vm("vm2", load=95.0), cloud_open=True)
    assert isinstance(choice, Overflow)


def test_ram_has_a_ceiling_of_its_own() -> None:
    assert isinstance(choose(vm(ram_percent=90.0), cloud_open=True), Overflow)
    assert isinstance(choose(vm(ram_percent=89.9), cloud_open=True), ToVm)


def test_a_full_vm_is_as_good_as_a_loaded_one() -> None:
    assert isinstance(choose(vm(held=held(3), state="busy"), cloud_open=True), Overflow)


def test_without_a_cloud_a_loaded_vm_with_room_works_on() -> None:
    choice = choose(vm("vm1", load=95.0, held=held(1)), vm("vm2", load=99.0))
    assert isinstance(choice, ToVm)
    assert choice.vm == "vm2"  # nothing on its slots yet


def test_a_local_job_never_overflows() -> None:
    assert isinstance(choose(vm(load=95.0), of=job(site="local"), cloud_open=True), ToVm)
    full = vm(held=held(3), state="busy")
    assert choose(full, of=job(site="local"), cloud_open=True) == Wait("every slot is taken")


def test_the_emptiest_is_chosen_then_the_least_loaded() -> None:
    choice = choose(vm("vm1", load=5.0, held=held(1)), vm("vm2", load=30.0), vm("vm3", load=20.0))
    assert isinstance(choice, ToVm)
    assert choice.vm == "vm3"


def test_no_room_anywhere_waits() -> None:
    assert choose(vm(held=held(3), state="busy")) == Wait("every slot is taken")


def test_no_vm_ever_heard_waits_and_says_so() -> None:
    assert choose() == Wait("no VM is alive (none was ever heard)")
    assert choose(cloud_open=True) == Wait("no VM is alive (none was ever heard)")


@pytest.mark.parametrize("state", ["joined", "draining", "lost"])
def test_a_vm_that_takes_no_jobs_is_named_in_the_reason(state: State) -> None:
    assert choose(vm(state=state)) == Wait(f"no VM is alive (vm1 is {state})")


def test_an_operation_nobody_serves_is_parked_with_the_reason() -> None:
    choice = choose(vm(not_served={"caption": "no weights: run `overspill models pull`"}), of=job("caption"))
    assert choice == Park("no VM serves caption (vm1 does not serve caption: no weights: run `overspill models pull`)")
    assert isinstance(choose(vm(), of=job("caption"), cloud_open=True), Park)


def test_the_receipt_tells_load_age_and_verdict_of_the_likeliest() -> None:
    fleet = [vm(f"vm{n}", load=float(n)) for n in range(100)]
    choice = choose(*fleet)
    assert isinstance(choice, ToVm)
    assert len(choice.candidates) == SHOWN
    first = choice.candidates[0]
    assert (first.vm, first.load, first.age_s, first.held, first.verdict) == ("vm0", 0.0, 0.5, 0, "can take it")


views = st.builds(
    vm,
    name=st.text("abc", min_size=1, max_size=5),
    state=st.sampled_from(["joined", "ready", "busy", "draining", "lost"]),
    load=st.floats(0, 100),
    ram_percent=st.floats(0, 100),
    slots=st.integers(0, 4),
    look_ahead=st.integers(0, 2),
    held=st.integers(0, 6).map(held),
    operations=st.sampled_from([(), ("sketch",), ("sketch", "caption")]),
)


@given(
    st.lists(views, max_size=8),
    st.sampled_from(["sketch", "caption"]),
    st.booleans(),
    st.sampled_from(["any", "local"]),
)
def test_every_choice_is_sound(fleet: list[VmView], operation: str, cloud_open: bool, site: Any) -> None:
    asked = job(operation, site=site)
    choice = threshold(asked, fleet, RULES, 101.0, cloud_open=cloud_open)
    assert choice == threshold(asked, fleet, RULES, 101.0, cloud_open=cloud_open)
    by_name = [view for view in fleet if isinstance(choice, ToVm) and view.name == choice.vm]
    match choice:
        case ToVm():
            assert any(v.takes_jobs and v.room > 0 and operation in v.operations for v in by_name)
        case Overflow():
            assert cloud_open
            assert site == "any"
        case Wait() | Park():
            fits = [v for v in fleet if v.takes_jobs and v.room > 0 and operation in v.operations]
            assert not fits
