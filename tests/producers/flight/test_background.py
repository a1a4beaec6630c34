"""Readings of CPU taken apart into jobs and the rest."""

import pytest

from producers.flight.background import background
from producers.flight.recording import NO_READING, RecordedLoad


def load(*cpu: int, at_s: int = 0, ram: int = 30) -> RecordedLoad:
    return RecordedLoad("vm1", at_s * 1000, cpu, (ram,) * len(cpu), (0,) * len(cpu))


def test_what_rises_with_the_jobs_is_theirs() -> None:
    runs = [(10.0, 20.0), (10.0, 20.0), (30.0, 40.0)]
    cpu = [60 if 10 <= second < 20 else 35 if 30 <= second < 40 else 10 for second in range(50)]
    found = background([load(*cpu)], runs, 0, cores=4)
    assert found.a_slot == pytest.approx(25)
    assert found.others == pytest.approx([10] * 50)
    assert found.ram_percent == 30


def test_a_reading_tells_of_the_second_before_it() -> None:
    cpu = [60 if 11 <= second < 21 else 10 for second in range(50)]
    found = background([load(*cpu)], [(10.0, 20.0)], 0, cores=4)
    assert found.a_slot == pytest.approx(50)
    assert found.others == pytest.approx([10] * 50)


def test_jobs_begin_and_end_within_a_second() -> None:
    cpu = [20 if second % 4 == 0 else 0 for second in range(40)]
    runs = [(second + 0.25, second + 0.75) for second in range(0, 40, 4)]
    assert background([load(*cpu)], runs, 0, cores=4).a_slot == pytest.approx(40, rel=0.1)


def test_without_a_reading_it_is_as_it_was() -> None:
    found = background([load(7, NO_READING, NO_READING, 9), load(5, at_s=6)], [], 0, cores=2)
    assert found.others == [7, 7, 7, 9, 9, 9, 5]


def test_of_a_vm_without_jobs_one_takes_a_processor() -> None:
    assert background([load(5, 5, 5, 5)], [], 0, cores=4).a_slot == 25
    assert background([load(5)], [], 0, cores=4).a_slot == 25


def test_without_readings_there_is_no_other_work() -> None:
    found = background([], [(1.0, 2.0)], 0, cores=2)
    assert (list(found.others), found.a_slot, found.ram_percent) == ([], 50, 0)


def test_what_was_read_before_the_recording_began_is_left_out() -> None:
    assert background([load(1, 2, 3)], [], 1000, cores=1).others == [2, 3]
