from producers.placement.choices import ToVm
from producers.placement.least_loaded import choose
from tests.producers.placement import scenes
from tests.producers.placement.scenes import CLOSED, OPEN, asked, beat, known, offer


def test_the_vm_with_the_fewest_slots_taken_per_slot_takes_the_job() -> None:
    decision = choose(asked(), [offer("vm1", held=1, slots=2), offer("vm2", held=1, slots=4)])
    assert decision.shown[0].vm == "vm2"
    assert decision.reason == "the least filled, with 1 of 4 slots taken"


def test_the_jobs_own_slots_count() -> None:
    # Of two idle VMs the larger is filled less by it.
    assert choose(asked(), [offer("vm1", slots=2), offer("vm2", slots=4, load=90.0)]).shown[0].vm == "vm2"
    # A job of two slots fills a VM of two.
    offers = [offer("vm1", slots=2), offer("vm2", slots=8, held=4)]
    assert choose(asked(slots=1), offers).shown[0].vm == "vm1"
    assert choose(asked(slots=2), offers).shown[0].vm == "vm2"


def test_between_two_that_are_as_full_the_load_decides() -> None:
    assert choose(asked(), [offer("vm1", load=30.0), offer("vm2", load=20.0)]).shown[0].vm == "vm2"


def test_load_alone_makes_nothing_overflow() -> None:
    assert choose(asked(OPEN), [offer(load=100.0, ram=100.0)]).route == "vm"
    assert choose(asked(OPEN), [offer(held=3)]).route == "cloud"
    assert choose(asked(CLOSED), [offer(held=3)]).route is None


def test_jobs_of_one_second_go_round() -> None:
    vms = known(beat("vm1"), beat("vm2"))
    went: list[str] = []
    for number in range(4):
        choice = scenes.choose(vms, "least-loaded")
        assert isinstance(choice, ToVm)
        went.append(choice.vm)
        vms.fleet.placed(choice.vm, f"p{number}", 100.5)
    assert went == ["vm1", "vm2", "vm1", "vm2"]
