from bus.events import CloudSeen
from producers.placement.choices import Decision, Overflow, nobody_fits
from tests.producers.placement.scenes import CLOSED, OPEN, asked, offer


def test_a_job_fits_where_there_is_room_for_all_its_slots() -> None:
    assert offer(held=2).fits(1)
    assert not offer(held=3).fits(1)
    assert offer(held=1).fits(2)
    assert not offer(held=2).fits(2)


def test_a_big_job_takes_all_slots_of_a_small_vm_and_fits_only_when_they_are_free() -> None:
    assert offer(slots=2).needed(5) == 2
    assert offer(slots=2, held=1).fits(5)
    assert not offer(slots=2, held=2).fits(5)


def test_a_big_job_fits_on_an_empty_vm_whose_capacity_was_cut() -> None:
    assert offer(slots=4, room=1).fits(4)
    assert not offer(slots=4, held=1, room=0).fits(4)
    assert not offer(slots=4, held=0, room=0).fits(4)


def test_filled_counts_the_job_itself() -> None:
    assert offer(slots=4, held=1).filled(1) == 0.5
    assert offer(slots=2, held=2).filled(1) == 1.5
    assert offer(slots=2).filled(5) == 1.0


def test_where_no_vm_has_room_the_cloud_takes_it_or_it_waits() -> None:
    full = [offer(held=3)]
    assert nobody_fits(asked(OPEN), full) == Decision("cloud", "no VM has room", full)
    assert nobody_fits(asked(CLOSED), full) == Decision(None, "every slot is taken", full)


def test_an_overflow_tells_the_cloud_as_it_was_seen() -> None:
    cloud = CloudSeen(open=True, cost=0.01)
    assert Overflow("no VM has room", (), {"cloud": cloud}).cloud == cloud
