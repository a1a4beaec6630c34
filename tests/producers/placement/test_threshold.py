from bus.events import CloudSeen
from producers.placement.choices import Offer, Rules, ToVm
from producers.placement.scene import LOOKED_AT
from producers.placement.threshold import choose, verdict
from tests.producers.placement import scenes
from tests.producers.placement.scenes import CLOSED, OPEN, asked, beat, fill, known, offer


def chosen(*offers: Offer, cloud: CloudSeen = OPEN) -> str | None:
    decision = choose(asked(cloud), offers)
    return decision.shown[0].vm if decision.route == "vm" else decision.route


def test_a_vm_under_the_threshold_takes_the_job() -> None:
    assert chosen(offer("vm1", load=80.0), offer("vm2", load=39.9)) == "vm2"


def test_all_over_the_threshold_means_overflow() -> None:
    decision = choose(asked(OPEN), [offer("vm1", load=95.0), offer("vm2", load=40.0)])
    assert (decision.route, decision.reason) == ("cloud", "every VM with room is over the thresholds")
    assert [told.vm for told in decision.shown] == ["vm2", "vm1"]


def test_ram_has_a_ceiling_of_its_own() -> None:
    assert chosen(offer(ram=90.0)) == "cloud"
    assert chosen(offer(ram=89.9)) == "vm1"


def test_a_full_vm_is_as_good_as_a_loaded_one() -> None:
    assert chosen(offer(held=3)) == "cloud"
    assert chosen(offer("vm1", held=3), offer("vm2", load=95.0)) == "cloud"


def test_without_a_cloud_a_loaded_vm_with_room_works_on() -> None:
    decision = choose(asked(CLOSED), [offer("vm1", load=95.0, held=1), offer("vm2", load=99.0)])
    assert decision.shown[0].vm == "vm2"  # nothing on its slots yet
    said = "every VM with room is over the thresholds, and the cloud is not open: no bridge is alive"
    assert decision.reason == said


def test_a_cloud_that_is_closed_without_a_word_is_told_so() -> None:
    assert choose(asked(CloudSeen(open=False)), [offer(load=95.0)]).reason.endswith("not open: no reason was given")


def test_without_a_cloud_a_loaded_vm_is_still_the_last_to_be_asked() -> None:
    assert chosen(offer("vm1", load=95.0), offer("vm2", load=39.0, held=2), cloud=CLOSED) == "vm2"


def test_the_emptiest_is_chosen_then_the_least_loaded_then_by_name() -> None:
    assert chosen(offer("vm1", load=5.0, held=1), offer("vm2", load=30.0), offer("vm3", load=20.0)) == "vm3"
    assert chosen(offer("vm2"), offer("vm1")) == "vm1"
    # One of three is less than one of two.
    assert chosen(offer("vm1", held=1, room=1), offer("vm2", held=1, room=2)) == "vm2"


def test_the_receipt_shows_the_best_four_those_under_first() -> None:
    fleet = [offer(f"vm{n}", load=float(n)) for n in range(100)]
    assert [told.vm for told in choose(asked(), fleet).shown[:4]] == ["vm0", "vm1", "vm2", "vm3"]
    assert [told.vm for told in choose(asked(), fleet[39:50]).shown][:3] == ["vm39", "vm40", "vm41"]


def test_no_room_anywhere_waits_when_there_is_no_cloud() -> None:
    decision = choose(asked(CLOSED), [offer(held=3)])
    assert (decision.route, decision.reason) == (None, "every slot is taken")


def test_the_verdict_says_which_threshold_a_vm_is_over() -> None:
    assert verdict(offer(), Rules()) == "can take it"
    assert verdict(offer(load=40.0), Rules()) == "CPU over 40 %"
    assert verdict(offer(ram=95.0), Rules()) == "RAM over 90 %"


def test_it_overflows_only_when_none_of_all_vms_is_under_the_thresholds() -> None:
    loaded = [beat(f"vm{n}", cpu_percent=90) for n in range(LOOKED_AT + 20)]
    assert not isinstance(scenes.choose(known(*loaded), cloud=OPEN), ToVm)
    choice = scenes.choose(known(*loaded, beat("quiet")), cloud=OPEN)
    assert isinstance(choice, ToVm)
    assert choice.vm == "quiet"


def test_jobs_of_one_second_do_not_herd_onto_the_vm_whose_last_beat_was_idle() -> None:
    vms = known(beat("vm1", cpu_percent=2), beat("vm2", cpu_percent=12), beat("vm3", cpu_percent=22))
    went: list[str] = []
    for number in range(6):
        choice = scenes.choose(vms)
        assert isinstance(choice, ToVm)
        went.append(choice.vm)
        vms.fleet.placed(choice.vm, f"p{number}", 100.5)
    assert went == ["vm1", "vm2", "vm3", "vm1", "vm2", "vm3"]


def test_jobs_sent_since_the_beat_push_a_vm_over_the_threshold() -> None:
    vms = known(beat("vm1", cpu_percent=10, cores=2))
    assert isinstance(scenes.choose(vms, cloud=OPEN), ToVm)
    fill(vms, "vm1", 1)  # a job is half of its two processors
    assert not isinstance(scenes.choose(vms, cloud=OPEN), ToVm)
