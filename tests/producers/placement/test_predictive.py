import pytest

from bus.events import CloudSeen
from producers.estimates import Estimates
from producers.placement.choices import Offer, Overflow, ToVm, Wait
from producers.placement.predictive import ASKED, choose
from producers.placement.scene import LOOKED_AT, Known
from producers.work import Work
from tests.producers.placement import scenes
from tests.producers.placement.scenes import CLOSED, asked, beat, fill, fleet, known, offer, runs


def cloud(end_s: float) -> CloudSeen:
    return CloudSeen(open=True, end_s=end_s)


def chosen(*offers: Offer, end_s: float | None = None, behind_s: float = 0.0, enough_s: float = 0.0) -> str | None:
    seen = CLOSED if end_s is None else cloud(end_s)
    decision = choose(asked(seen, behind_s=behind_s, enough_s=enough_s), offers)
    return decision.shown[0].vm if decision.route == "vm" else decision.route


def test_the_job_goes_where_it_ends_soonest() -> None:
    decision = choose(asked(), [offer("vm1", end_s=3.0), offer("vm2", end_s=2.0, held=2, load=99.0)])
    assert (decision.shown[0].vm, decision.reason) == ("vm2", "the soonest end where there is room, in 2 s")


def test_of_ends_within_five_percent_the_least_filled_vm_wins() -> None:
    decision = choose(asked(), [offer("vm1", end_s=2.0, held=1), offer("vm2", end_s=2.1), offer("vm3", end_s=2.11)])
    assert (decision.shown[0].vm, decision.reason) == ("vm2", "the least filled of 2 that should end it soonest")
    assert [told.vm for told in decision.shown] == ["vm2", "vm1", "vm3"]


def test_a_full_vm_that_ends_it_clearly_sooner_is_waited_for() -> None:
    decision = choose(asked(), [offer("slow", end_s=8.0), offer("fast", end_s=2.0, held=3)])
    assert decision.route is None
    assert decision.reason == "fast is full, but should end it in 2 s, and slow in 8 s"


def test_a_full_vm_that_is_only_a_little_sooner_is_not_waited_for() -> None:
    assert chosen(offer("slow", end_s=2.1), offer("fast", end_s=2.0, held=3)) == "slow"


def test_with_a_line_behind_it_the_job_does_not_leave_a_slow_vm_idle() -> None:
    offers = offer("slow", end_s=8.0), offer("fast", end_s=2.0, held=3)
    assert chosen(*offers, behind_s=1.1) is None
    assert chosen(*offers, behind_s=1.2) == "slow"


def test_the_cloud_takes_it_when_it_is_sooner_than_every_vm() -> None:
    decision = choose(asked(cloud(1.9)), [offer("vm1", end_s=3.0), offer("vm2", end_s=2.0)])
    assert (decision.route, decision.reason) == ("cloud", "the cloud should end it in 1.9 s, a VM in 2 s")
    assert chosen(offer("vm1", end_s=2.0), end_s=2.0) == "vm1"


def test_a_full_vm_that_is_sooner_than_the_cloud_keeps_the_job_at_home() -> None:
    offers = offer("slow", end_s=1.88), offer("fast", end_s=1.8, held=3)
    assert chosen(*offers, end_s=1.85) == "slow"
    assert chosen(*offers, end_s=1.7) == "cloud"
    assert chosen(offer("fast", end_s=1.8, held=3), end_s=2.0) is None


def test_a_long_line_makes_the_cloud_the_sooner_one() -> None:
    full = offer("vm1", end_s=2.0, held=3)
    assert chosen(full, end_s=5.0) is None
    decision = choose(asked(cloud(5.0), behind_s=500.0), [full])
    said = "the cloud should end it in 5 s, a VM, with the jobs behind it, in 502 s"
    assert (decision.route, decision.reason) == ("cloud", said)


def test_where_nothing_is_known_of_any_vm_the_cloud_takes_it_or_it_waits() -> None:
    assert choose(asked(cloud(5.0)), []).reason == "no VM has room, and the cloud should end it in 5 s"
    assert choose(asked(CLOSED), []) == (None, "every slot is taken", [])


def test_what_was_weighed_against_the_chosen_vm_is_never_left_out() -> None:
    many = [offer(f"vm{n}", end_s=1.85 + n / 100) for n in range(5)]
    full = offer("full", end_s=1.8, held=3)
    assert [told.vm for told in choose(asked(), [*many, full]).shown] == ["vm0", "full", "vm1", "vm2"]


# -- short jobs


def test_a_short_job_takes_the_slowest_vm_that_ends_it_soon_enough() -> None:
    offers = offer("slow", end_s=2.2), offer("middle", end_s=1.9), offer("fast", end_s=0.5)
    decision = choose(asked(enough_s=2.0), offers)
    assert [told.vm for told in decision.shown] == ["middle", "fast"]
    assert decision.reason == "soon enough, in 1.9 s; faster VMs are kept for longer jobs"
    assert chosen(*offers) == "fast"


def test_of_vms_about_as_slow_a_short_job_takes_the_least_filled() -> None:
    decision = choose(asked(enough_s=2.0), [offer("vm1", end_s=1.0, held=1), offer("vm2", end_s=0.96)])
    assert (decision.shown[0].vm, decision.reason) == ("vm2", "soon enough, in 0.96 s")


def test_a_short_job_does_not_line_up_to_be_soon_enough() -> None:
    assert chosen(offer("vm1", end_s=1.0, held=2), offer("vm2", end_s=0.5), enough_s=2.0) == "vm2"
    assert chosen(offer("vm1", end_s=1.0, held=2), offer("vm2", end_s=0.9, held=2), enough_s=2.0) == "vm2"


def test_what_the_cloud_would_end_sooner_is_not_soon_enough() -> None:
    offers = offer("slow", end_s=1.9), offer("fast", end_s=0.5)
    assert chosen(*offers, enough_s=2.0, end_s=1.95) == "slow"
    assert chosen(*offers, enough_s=2.0, end_s=1.0) == "fast"
    assert chosen(*offers, enough_s=2.0, end_s=0.4) == "cloud"


# -- on a real fleet


def unequal() -> Known:
    vms = known(beat("slow"), beat("fast"))
    for _ in range(50):
        vms.estimates.observe("sketch", 2.0, "slow", 8.0)
        vms.estimates.observe("sketch", 2.0, "fast", 1.0)
    return vms


def with_captions(*speeds: tuple[str, float]) -> Known:
    """VMs that are known for how long a caption takes there, and that take a tenth of it for a sketch."""
    vms = known(*(beat(vm) for vm, _ in speeds))
    for _ in range(100):
        for vm, seconds in speeds:
            vms.estimates.observe("caption", 2.0, vm, seconds)
            vms.estimates.observe("sketch", 2.0, vm, seconds / 10)
    return vms


def test_the_fastest_slots_are_kept_for_long_jobs() -> None:
    vms = with_captions(*((f"vm{n}", 1.0 + n / 4) for n in range(10)))
    went = []
    for _ in range(20):
        went.append(where(vms))
        fill(vms, went[-1], went.count(went[-1]))
    others = [f"vm{n}" for n in range(1, 10) for _ in range(2)]
    assert went == ["vm0", *others, "vm0"], "one slot of twenty, while there are others"


def test_a_short_job_stands_in_line_at_a_slow_vm_while_it_ends_soon_enough_there() -> None:
    vms = with_captions(("vm1", 1.0), ("vm2", 1.1), *((f"vm{n}", 2.0) for n in range(3, 3 + ASKED)))
    for view in list(vms.fleet.serving("sketch")):
        fill(vms, view.name, 2)
    assert where(vms) not in {"vm1", "vm2"}


def test_a_slow_vm_is_spared_a_short_job_while_there_are_faster_ones_to_spare() -> None:
    vms = with_captions(("vm1", 1.0), ("vm2", 1.5), ("vm3", 60.0))
    fill(vms, "vm1", 2)
    fill(vms, "vm2", 1)
    assert where(vms) == "vm2", "a sketch on vm3 would take longer than most captions do elsewhere"


def where(vms: Known, behind_s: float = 0.0) -> str:
    choice = scenes.choose(vms, "predictive", behind_s=behind_s)
    return choice.vm if isinstance(choice, ToVm) else choice.reason


def test_it_takes_the_fast_vm_even_behind_another_job_then_waits_for_it() -> None:
    vms = unequal()
    assert where(vms) == "fast"
    fill(vms, "fast", 2)
    assert where(vms) == "fast"
    fill(vms, "fast", 3)
    assert where(vms).startswith("fast is full, but should end it in ")
    assert where(vms, behind_s=100.0) == "slow"


def test_a_fast_vms_line_is_not_asked_for_when_no_wait_could_be_made_up_for() -> None:
    vms = known(beat("vm1"), beat("vm2"))
    fill(vms, "vm1", 2)
    choice = scenes.choose(vms, "predictive")
    assert isinstance(choice, ToVm)
    assert [told.vm for told in choice.candidates] == ["vm2"]


def test_on_equal_vms_the_jobs_go_round() -> None:
    vms = known(*(beat(f"vm{n}") for n in range(7)))
    went = []
    for _ in range(7):
        went.append(where(vms))
        fill(vms, went[-1], 1)
    assert sorted(went) == [f"vm{n}" for n in range(7)]


def test_where_every_vm_is_full_the_cloud_is_measured_against_the_wait() -> None:
    vms = unequal()
    fill(vms, "fast", 3)
    fill(vms, "slow", 3)
    assert isinstance(scenes.choose(vms, "predictive", cloud(0.5)), Overflow)
    wait = scenes.choose(vms, "predictive", cloud(60.0))
    assert isinstance(wait, Wait)
    assert wait.reason == "every slot is taken"


def test_fast_vms_that_are_full_do_not_hide_a_slow_one_that_has_room() -> None:
    fast = [f"fast{n}" for n in range(ASKED + 2)]
    vms = known(beat("slow"), *map(beat, fast))
    runs(vms, "slow", 8.0)
    for name in fast:
        runs(vms, name, 1.0)
        fill(vms, name, 3)
    fill(vms, "slow", 2)
    assert where(vms, behind_s=1e6) == "slow"


class Asking(Work):
    """Work that counts how often it is asked for a wait."""

    asked = 0

    def wait_s(self, vm: str, slots: int, now: float) -> float:
        self.asked += 1
        return super().wait_s(vm, slots, now)


@pytest.mark.parametrize(("jobs", "expected"), [(2, ToVm), (3, Wait)])
def test_of_many_vms_without_an_idle_slot_few_are_asked_for_their_wait(jobs: int, expected: type) -> None:
    names = [f"vm{n}" for n in range(LOOKED_AT)]
    work = Asking()
    vms = Known(fleet(*map(beat, names)), Estimates(), work)
    for name in names:
        fill(vms, name, jobs)
    assert isinstance(scenes.choose(vms, "predictive", cloud(60.0)), expected)
    assert work.asked == ASKED
