"""What is counted, and from when."""

import pytest

from ui.bench.figures import Seen, figures_of
from ui.bench.schedule import Due
from ui.bench.tally import LOST, Reply, Tally

VM, CLOUD = Reply("vm"), Reply("cloud", cost=0.5)


def due(at_s: float, user: str = "anna", operation: str = "sketch") -> Due:
    return Due(0, at_s, operation, user, 0)


def job(tally: Tally, at_s: float, ended_s: float, reply: Reply = VM, sent_s: float | None = None) -> None:
    sent_s = at_s if sent_s is None else sent_s
    tally.send(due(at_s), sent_s)
    tally.end(due(at_s), sent_s, reply, ended_s)


def test_latency_counts_from_when_a_job_was_due_service_from_when_it_was_sent() -> None:
    tally = Tally()
    job(tally, 1.0, 4.0, sent_s=3.0)
    pair = tally.pairs["sketch", "vm"]
    assert pair.latency.longest == pytest.approx(3.0, rel=0.001)
    assert pair.service.longest == pytest.approx(1.0, rel=0.001)
    assert tally.lag.longest == pytest.approx(2.0, rel=0.001)


def test_the_warm_up_is_left_out_but_its_late_answers_show_the_pace() -> None:
    tally = Tally(warm_up_s=5.0)
    job(tally, 1.0, 2.0)
    job(tally, 4.9, 5.5)
    job(tally, 5.0, 6.0)
    assert (tally.sent, tally.offered, len(tally.pairs["sketch", "vm"].latency)) == (3, 1, 1)
    assert tally.arrived == 2


def test_answers_after_the_end_of_sending_are_counted_but_not_as_pace() -> None:
    tally = Tally()
    tally.send(due(1.0), 1.0)
    tally.stop(2.0)
    assert (tally.under_way, tally.window_s) == (1, 2.0)
    tally.end(due(1.0), 1.0, VM, 3.0)
    assert (tally.under_way, tally.arrived, len(tally.pairs["sketch", "vm"].latency)) == (0, 0, 1)


def test_a_lost_job_counts_as_long_as_it_was_waited_for() -> None:
    tally = Tally()
    job(tally, 0.0, 63.0, Reply(problem=LOST))
    assert tally.pairs["sketch", "lost"].latency.longest == pytest.approx(63, rel=0.001)
    assert tally.problems == {LOST: 1}


def test_an_expired_job_counts_as_long_as_it_was_waited_for_too() -> None:
    tally = Tally()
    job(tally, 0.0, 60.0, Reply(problem="expired"))
    assert tally.pairs["sketch", "expired"].latency.longest == pytest.approx(60, rel=0.001)
    assert (tally.problems, tally.arrived) == ({"expired": 1}, 0)


def test_a_refused_job_is_no_quick_answer() -> None:
    tally = Tally()
    job(tally, 0.0, 0.001, Reply(problem="too-many-jobs"))
    assert (tally.pairs, tally.problems, tally.arrived) == ({}, {"too-many-jobs": 1}, 0)


def test_problems_of_the_warm_up_are_not_told() -> None:
    tally = Tally(warm_up_s=1.0)
    job(tally, 0.0, 2.0, Reply(problem="expired"))
    assert tally.problems == {}


def test_users_and_costs_are_counted() -> None:
    tally = Tally()
    job(tally, 0.0, 1.0, CLOUD)
    job(tally, 0.0, 3.0)
    job(tally, 0.0, 3.0, Reply(problem="too-fast"))
    anna = tally.people["anna"]
    assert (anna.asked, anna.good, anna.waited_s, tally.cost) == (3, 2, 4.0, 0.5)
    assert set(tally.pairs) == {("sketch", "cloud"), ("sketch", "vm")}


def test_an_answer_that_does_not_tell_its_place_counts_as_a_vm_s() -> None:
    tally = Tally()
    job(tally, 0.0, 1.0, Reply())
    assert set(tally.pairs) == {("sketch", "vm")}


def test_before_sending_ends_there_is_no_window() -> None:
    assert Tally(5.0).window_s == 0.0


def test_a_server_that_stalls_for_a_second_shows_in_the_percentiles_of_all_who_came_meanwhile() -> None:
    """Coordinated omission: who waits to send until the stalled job is answered sees one slow job in four hundred."""
    honest, fooled = Tally(), Tally()
    free_s = 0.0
    for number in range(400):  # a hundred a second; each takes 1 ms, and the server stands still from 1 s to 2 s
        at_s = number / 100
        begins_s = max(at_s, free_s)
        ended_s = (2.0 if 1.0 <= begins_s < 2.0 else begins_s) + 0.001
        free_s = ended_s
        job(honest, at_s, ended_s)
        job(fooled, begins_s, ended_s)  # counted from when it could be sent
    for tally in (honest, fooled):
        tally.stop(4.0)
    true, told = (figures_of(tally, Seen()).rows[0].latency for tally in (honest, fooled))

    assert told["p99"] < 0.002
    assert true["p99"] == pytest.approx(0.97, abs=0.02)
    assert true["p90"] == pytest.approx(0.64, abs=0.03)
    assert true["p50"] < 0.002


def test_of_a_core_counts_what_sending_took_of_it() -> None:
    tally = Tally()
    assert tally.cpu == 0.0
    tally.stop(10.0, 9.5)
    assert tally.cpu == 0.95
