"""Figures of a day."""

from math import isnan

import pytest

from producers.flight.outcomes import Day, Ended, Times, figures, jain, ran_for_s, recorded
from tests.producers.flight.days import job, told


def ended(number: int, took_s: float, **more: object) -> Ended:
    base: dict[str, object] = {"arrived_s": float(number), "user": "anna", "operation": "sketch", "place": "vm"}
    base |= {"took_s": took_s, "waited_s": took_s - 1.0, "ran_s": 1.0, "number": number}
    return Ended(**{**base, **more})  # type: ignore[arg-type]


def test_percentiles_are_times_that_occurred() -> None:
    assert Times.of(range(1, 101)) == Times(50, 95, 99)
    assert Times.of([7.0]) == Times(7, 7, 7)
    assert isnan(Times.of([]).p50)


def test_a_day_is_summed_up() -> None:
    jobs = (ended(0, 1.0), ended(1, 3.0), ended(2, 5.0, place="cloud", cost=0.25, operation="caption"))
    found = figures(Day(jobs, refused=2, unanswered=1, slot_s=8.0, span_s=4.0))
    assert (found.jobs, found.refused, found.unanswered) == (3, 2, 1)
    assert found.answer == Times(3, 5, 5)
    assert found.by_operation == {"caption": Times(5, 5, 5), "sketch": Times(1, 3, 3)}
    assert found.overflow == pytest.approx(1 / 3)
    assert found.cost == 0.25
    assert found.utilisation == 2 / 8
    assert found.wait == Times(2, 4, 4)
    assert found.waited == pytest.approx(2 / 3)


def test_a_day_without_jobs_has_no_figures() -> None:
    found = figures(Day((), 0, 0, 0.0, 0.0))
    assert all(map(isnan, (found.answer.p95, found.overflow, found.utilisation, found.fairness, found.waited)))


def test_fairness_is_of_users_who_sent_enough() -> None:
    even = [ended(n, 2.0, user=f"u{n % 2}") for n in range(20)]
    uneven = [ended(n, 2.0 if n % 2 else 20.0, user=f"u{n % 2}") for n in range(20)]
    few = [ended(n, 500.0, user="once") for n in range(4)]
    assert figures(Day((*even, *few), 0, 0, 1.0, 1.0)).fairness == pytest.approx(1.0)
    assert figures(Day(tuple(uneven), 0, 0, 1.0, 1.0)).fairness == pytest.approx(22**2 / (2 * 404))


def test_jain_is_the_share_of_users_who_have_all() -> None:
    assert jain([1, 0, 0, 0]) == 0.25
    assert isnan(jain([]))


def test_the_recorded_day_has_the_jobs_that_ended_well() -> None:
    day = recorded(told(job(1, 10, 2.0), job(2, 20, end="failed"), job(3, 30, end=None)), slot_s=5.0)
    (only,) = day.ended
    assert (only.number, only.arrived_s, only.took_s, only.ran_s, only.waited_s) == (0, 10.0, 2.0, 2.0, 0.0)
    assert (day.refused, day.unanswered, day.slot_s, day.span_s) == (1, 1, 5.0, 100.0)


def test_a_run_lasts_from_its_beginning_to_its_answer() -> None:
    assert ran_for_s(job(1, 10, 2.0, ran_ms=1500)) == 2.0
    assert ran_for_s(job(1, 10, 2.0, began_ms=None, ran_ms=1500)) == 1.5
    assert ran_for_s(job(1, 10, 2.0, began_ms=None, ran_ms=None)) is None
    assert ran_for_s(job(1, 10, 2.0, ended_ms=None, ran_ms=0)) == 0.001


def test_in_the_cloud_it_lasts_from_when_it_was_sent() -> None:
    assert ran_for_s(job(1, 10, 5.0, route="cloud", began_ms=None, ran_ms=1000)) == 5.0
