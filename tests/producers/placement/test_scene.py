from hypothesis import given
from hypothesis import strategies as st

from producers.placement.choices import Offer, Wish
from producers.placement.scene import LOOKED_AT, Known, Scene, has_room
from tests.producers.placement.scenes import CLOSED, NOW, OPEN, asked, beat, fill, fleets, known, runs, wishes


def scene(vms: Known, *, cloud_open: bool = False, slots: int = 1, avoid: str | None = None) -> Scene:
    wish = Wish("sketch", megapixels=2.0, slots=slots, avoid=avoid)
    return Scene(wish, asked(OPEN if cloud_open else CLOSED, slots), vms, NOW, vms.estimates.typical("sketch", 2.0))


def names(offers: list[Offer]) -> list[str]:
    return [offer.vm for offer in offers]


def test_an_offer_is_rounded_as_it_is_recorded() -> None:
    vms = known(beat("vm1", cpu_percent=39.96, ram_percent=66.649))
    assert scene(vms).first_offers() == [Offer("vm1", 40.0, 66.6, 0.5, held=0, slots=2, room=3)]


@given(st.floats(0, 100), st.floats(0, 100))
def test_rounded_figures_are_short(cpu: float, ram: float) -> None:
    (offered,) = scene(known(beat("vm1", cpu_percent=cpu, ram_percent=ram))).first_offers()
    assert all(len(repr(figure)) <= len("100.0") for figure in (offered.load, offered.ram))
    assert abs(offered.load - cpu) < 0.051


def test_open_are_vms_with_room_but_the_one_to_avoid() -> None:
    vms = known(beat("vm1"), beat("vm2"), beat("vm3"))
    fill(vms, "vm2", 3)
    assert [view.name for view in scene(vms).open()] == ["vm1", "vm3"]
    assert [view.name for view in scene(vms, avoid="vm1").open()] == ["vm3"]
    assert [view.name for view in scene(vms).full()] == ["vm2"]
    assert not list(scene(vms, avoid="vm2").full())


def test_a_vm_with_too_little_room_for_a_big_job_counts_as_full() -> None:
    vms = known(beat("vm1"), beat("vm2"))
    fill(vms, "vm2", 2)
    assert [view.name for view in scene(vms, slots=2).open()] == ["vm1"]
    assert [view.name for view in scene(vms, slots=2).full()] == ["vm2"]


@given(fleets(), wishes)
def test_a_view_has_room_exactly_if_its_offer_fits(vms: Known, wish: Wish) -> None:
    here = Scene(wish, asked(slots=wish.slots), vms, NOW, vms.estimates.typical("sketch", 2.0))
    for view in vms.fleet.serving(wish.operation):
        assert has_room(view, wish.slots) == here.offer(view).fits(wish.slots)


def test_full_vms_are_shown_only_to_explain_an_overflow() -> None:
    vms = known(beat("vm1"))
    fill(vms, "vm1", 3)
    assert scene(vms).first_offers() == []
    assert names(scene(vms, cloud_open=True).first_offers()) == ["vm1"]


def test_sixty_four_vms_are_looked_at_those_first_that_changed_least_recently() -> None:
    vms = known(*(beat(f"vm{n}") for n in range(LOOKED_AT + 10)))
    vms.fleet.placed("vm0", "p", NOW)
    assert names(scene(vms).first_offers()) == [f"vm{n}" for n in range(1, LOOKED_AT + 1)]


def test_the_end_is_the_run_where_a_slot_is_idle_and_the_wait_besides_where_none_is() -> None:
    vms = known(beat("vm1"))
    runs(vms, "vm1", 2.0)
    expected = vms.estimates.predict("sketch", 2.0, "vm1")
    here = scene(vms)
    idle = here.foreseen(here.first_offers()[0])
    assert (idle.end_s, idle.late_s) == (round(expected.p50, 3), round(expected.p90, 3))
    fill(vms, "vm1", 2)
    queued = here.foreseen(here.first_offers()[0])
    wait_s = vms.work.wait_s("vm1", 2, NOW)
    assert wait_s > 0
    assert (queued.end_s, queued.late_s) == (round(wait_s + expected.p50, 3), round(wait_s + expected.p90, 3))


def test_heartbeats_outweigh_what_was_placed() -> None:
    vms = known(beat("vm1"))
    fill(vms, "vm1", 2)
    for placement in ("vm1-0", "vm1-1"):
        vms.fleet.finished("vm1", placement)
    here = scene(vms)
    assert vms.work.wait_s("vm1", 2, NOW) > 0
    [(run_s, view)] = here.runs(here.open())
    assert (view.name, here.foreseen(here.first_offers()[0]).end_s) == ("vm1", round(run_s, 3))
