import pytest
from hypothesis import given

from bus.events import CloudSeen
from producers.placement.choices import SHOWN, Overflow, Park, Rules, ToVm, Wait, Wish
from producers.placement.decide import place
from producers.placement.policies import POLICIES
from producers.placement.receipts import replay
from producers.placement.scene import Known
from tests.producers.placement.scenes import (
    CLOSED,
    NOW,
    OPEN,
    beat,
    choose,
    clouds,
    fill,
    fleets,
    known,
    policies,
    routed,
    wishes,
)

every_policy = pytest.mark.parametrize("policy", sorted(POLICIES))


@every_policy
def test_the_choice_carries_what_it_rests_on(policy: str) -> None:
    choice = choose(known(*(beat(f"vm{n}", cpu_percent=n) for n in range(9))), policy)
    assert isinstance(choice, ToVm)
    assert 2 <= len(choice.candidates) <= SHOWN
    first = choice.candidates[0]
    assert (first.vm, first.age_s, first.ram, first.held, first.slots, first.room) == (choice.vm, 0.5, 50.0, 0, 2, 3)
    assert 0 < first.end_s < first.late_s
    assert first.verdict == "can take it"
    assert choice.inputs["policy"] == policy
    assert choice.inputs["limits"]["slots"] == 1
    assert choice.inputs["cloud"] == CLOSED


def test_only_what_a_policy_reads_is_recorded_as_its_limits() -> None:
    limits = {
        name: choice.inputs["limits"]
        for name in POLICIES
        if isinstance(choice := choose(known(beat()), name, behind_s=5.0), ToVm)
    }
    assert limits == {
        "threshold": {"cpu": 40.0, "ram": 90.0, "slots": 1},
        "least-loaded": {"slots": 1},
        "p2c": {"slots": 1},
        "predictive": {"slots": 1, "behind_s": 2.5},  # two slots work at it
    }


@every_policy
def test_a_big_job_takes_all_slots_of_a_vm_that_has_fewer(policy: str) -> None:
    choice = choose(known(beat(slots=2)), policy, slots=5)
    assert isinstance(choice, ToVm)
    assert choice.slots == 2
    assert isinstance(choose(known(beat(slots=8)), policy, slots=5), ToVm)


@every_policy
def test_a_big_job_waits_for_all_its_slots(policy: str) -> None:
    vms = known(beat(slots=2))
    fill(vms, "vm1", 2)
    assert isinstance(choose(vms, policy), ToVm)
    waits = choose(vms, policy, slots=2)
    assert isinstance(waits, Wait)
    assert waits.reason == "every slot is taken"


@every_policy
def test_a_local_job_never_overflows(policy: str) -> None:
    vms = known(beat(cpu_percent=95))
    choice = choose(vms, policy, CloudSeen(open=True), local=True)
    assert isinstance(choice, ToVm)
    assert choice.inputs["cloud"].why == "the job is local"
    fill(vms, "vm1", 3)
    assert choose(vms, policy, CloudSeen(open=True), local=True) == Wait("every slot is taken")


@every_policy
def test_no_room_anywhere_overflows_or_waits(policy: str) -> None:
    vms = known(beat())
    fill(vms, "vm1", 3)
    choice = choose(vms, policy, CloudSeen(open=True, end_s=0.001, cost=0.5))
    assert isinstance(choice, Overflow)
    assert choice.cloud.cost == 0.5
    assert [told.verdict for told in choice.candidates] == ["no free slot"]
    assert choose(vms, policy) == Wait("every slot is taken")


@every_policy
def test_the_vm_where_it_failed_is_avoided(policy: str) -> None:
    vms = known(beat("vm1"), beat("vm2", cpu_percent=30))
    fill(vms, "vm2", 1)
    choice = choose(vms, policy, avoid="vm1")
    assert isinstance(choice, ToVm)
    assert choice.vm == "vm2"
    assert "vm1" not in {told.vm for told in choice.candidates}


@every_policy
def test_the_vm_where_it_failed_is_tried_again_where_no_other_has_room(policy: str) -> None:
    vms = known(beat("vm1"), beat("vm2"))
    fill(vms, "vm2", 3)
    choice = choose(vms, policy, avoid="vm1")
    assert isinstance(choice, ToVm)
    assert choice.vm == "vm1"
    assert isinstance(choose(vms, policy, CloudSeen(open=True, end_s=0.001), avoid="vm1"), Overflow)


def test_a_big_job_finds_its_room_past_many_vms_with_too_little() -> None:
    vms = known(*(beat(f"vm{n}") for n in range(80)), beat("roomy"))
    for n in range(80):
        fill(vms, f"vm{n}", 2)
    vms.fleet.heard(beat("roomy", seq=1), 100.2)  # changed last of all
    choice = choose(vms, slots=2)
    assert isinstance(choice, ToVm)
    assert choice.vm == "roomy"


def test_no_vm_ever_heard_waits_and_says_so() -> None:
    assert choose(known()) == Wait("no VM is alive (none was ever heard)")
    assert choose(known(), cloud=OPEN, local=True) == Wait("no VM is alive (none was ever heard)")


@every_policy
def test_what_no_vm_can_do_the_cloud_does_while_it_is_open(policy: str) -> None:
    lost = choose(known(), policy, OPEN)
    assert isinstance(lost, Overflow)
    assert (lost.reason, lost.candidates, lost.cloud) == ("no VM is alive (none was ever heard)", (), OPEN)
    unserved = choose(known(beat()), policy, OPEN, operation="caption")
    assert isinstance(unserved, Overflow)
    assert unserved.reason == "no VM serves caption (vm1: not offered)"
    assert replay(routed(lost)) == replay(routed(unserved)) == "cloud"


def test_vms_that_take_no_jobs_are_named_in_the_reason() -> None:
    vms = known(beat("vm1", worker="starting"), beat("vm2", worker="draining"), beat("vm3"))
    vms.fleet.unreachable("vm3", 100.0)
    assert choose(vms) == Wait("no VM is alive (vm1 is joined; vm2 is draining; vm3 is lost)")


def test_a_vm_that_has_fallen_silent_since_is_lost() -> None:
    vms = known(beat("vm1"))
    assert isinstance(place(Wish("sketch"), vms, Rules(), CLOSED, 103.0), ToVm)
    assert place(Wish("sketch"), vms, Rules(), CLOSED, 103.1) == Wait("no VM is alive (vm1 is lost)")


def test_an_operation_nobody_serves_is_parked_with_the_reason() -> None:
    vms = known(beat("vm1", not_served={"caption": "no weights: run `overspill models pull`"}), beat("vm2"))
    why = "vm1: no weights: run `overspill models pull`; vm2: not offered"
    assert choose(vms, operation="caption") == Park(f"no VM serves caption ({why})")
    assert isinstance(choose(vms, cloud=OPEN, operation="caption", local=True), Park)


def test_of_many_vms_that_do_not_serve_it_few_are_named() -> None:
    parked = choose(known(*(beat(f"vm{n}") for n in range(100))), operation="caption")
    assert isinstance(parked, Park)
    assert parked.reason == "no VM serves caption (vm0, vm1, vm2, vm3: not offered; and others)"


def test_a_policy_that_there_is_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        choose(known(beat()), "fastest")


@given(fleets(), wishes, policies, clouds)
def test_every_choice_is_sound(vms: Known, wish: Wish, policy: str, cloud: CloudSeen) -> None:
    choice = place(wish, vms, Rules(policy), cloud, NOW)
    assert choice == place(wish, vms, Rules(policy), cloud, NOW)
    views = vms.fleet.views(NOW)
    able = [view for view in views.values() if view.takes_jobs and wish.operation in view.operations]
    match choice:
        case ToVm(vm):
            view = views[vm]
            assert view in able
            assert view.state in {"ready", "busy"}
            assert not view.drained
            assert view.age_s(NOW) <= vms.fleet.rules.lost_after_s
            assert choice.slots == min(wish.slots, view.slots, view.capacity)
            assert choice.slots <= view.room
            assert vm != wish.avoid or not any(
                other.room >= min(wish.slots, other.slots, other.capacity) > 0 for other in able if other is not view
            )
        case Overflow():
            assert cloud.open
            assert not wish.local
        case Park():
            assert not able
            assert wish.local or not cloud.open
        case Wait():
            assert policy == "predictive" or not any(
                view.room >= min(wish.slots, view.slots, view.capacity) > 0 for view in able
            )


@given(fleets(), wishes, clouds)
def test_a_job_waits_for_a_faster_vm_only_while_no_line_is_behind_it(vms: Known, wish: Wish, cloud: CloudSeen) -> None:
    wish = Wish(wish.operation, wish.megapixels, behind_s=1e9)
    choice = place(wish, vms, Rules("predictive"), cloud, NOW)
    if vms.fleet.open(wish.operation):
        assert isinstance(choice, ToVm | Overflow)
