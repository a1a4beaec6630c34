from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from ui.bench.mix import mix_of, users_of
from ui.bench.schedule import Load, schedule

LOAD = Load(10, "constant", mix_of("sketch=3,caption=1"), users_of(5, "equal"), pictures=8, for_s=2.0)


def test_constant_arrivals_come_in_equal_steps_from_the_beginning() -> None:
    assert [due.at_s for due in schedule(LOAD, Random(1).random)] == pytest.approx([n / 10 for n in range(20)])


def test_strangers_come_at_the_rate_with_gaps_that_are_exponential() -> None:
    dues = list(schedule(replace(LOAD, arrivals="poisson", for_s=1000.0), Random(1).random))
    gaps = [b.at_s - a.at_s for a, b in pairwise(dues)]
    mean = sum(gaps) / len(gaps)

    assert mean == pytest.approx(0.1, rel=0.05)
    assert sum((gap - mean) ** 2 for gap in gaps) / len(gaps) == pytest.approx(mean**2, rel=0.1)  # an exponential's
    assert all(gap >= 0 for gap in gaps)
    assert dues[-1].at_s < 1000


def test_a_number_of_jobs_ends_it_too_and_the_sooner_end_counts() -> None:
    assert len(list(schedule(replace(LOAD, jobs=7), Random(1).random))) == 7
    assert len(list(schedule(replace(LOAD, jobs=700), Random(1).random))) == 20
    assert len(list(schedule(replace(LOAD, jobs=700, for_s=None), Random(1).random))) == 700


def test_jobs_are_numbered_and_draw_from_all_there_is() -> None:
    dues = list(schedule(replace(LOAD, for_s=100.0), Random(1).random))
    assert [due.number for due in dues] == list(range(1000))
    assert {due.picture for due in dues} == set(range(8))
    assert {due.user for due in dues} == set(LOAD.users.names)
    assert {due.operation for due in dues} == {"sketch", "caption"}


def test_the_same_numbers_give_the_same_schedule() -> None:
    poisson = replace(LOAD, arrivals="poisson")
    assert list(schedule(poisson, Random(4).random)) == list(schedule(poisson, Random(4).random))
    assert list(schedule(poisson, Random(4).random)) != list(schedule(poisson, Random(5).random))
