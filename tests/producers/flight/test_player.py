"""A recorded day, played again: as it was, and as it might have been."""

from dataclasses import replace

import pytest

from producers.flight.known import NotPlayable
from producers.flight.outcomes import Day, figures
from producers.flight.player import as_recorded, configured, play, rules
from producers.flight.recording import RecordedRouter
from producers.flight.trust import Errors, warnings
from producers.flight.what_if import WhatIf
from tests.producers.flight.days import BACKLOG, BEGINS_MS, SMALL, drawn, job, told, truly, unsaid, vm

P95_OFF = 0.1


def took(day: Day) -> list[float]:
    return [round(each.took_s, 2) for each in day.ended]


def test_a_day_played_unchanged_comes_out_as_it_was() -> None:
    recording = drawn(SMALL)
    was, unchanged = figures(as_recorded(recording)), figures(play(recording, WhatIf()))
    errors = Errors.of(unchanged, was)
    assert abs(errors.p95) < P95_OFF
    assert abs(errors.p50) < P95_OFF
    assert abs(errors.overflow) < 0.03
    assert unchanged.jobs == was.jobs
    assert unchanged.refused == was.refused > 0
    assert unchanged.cost == pytest.approx(was.cost, rel=0.2)
    assert unchanged.utilisation == pytest.approx(was.utilisation, rel=0.1)


def test_the_same_file_gives_the_same_figures() -> None:
    recording = drawn(SMALL)
    assert play(recording, WhatIf(policy="p2c")) == play(recording, WhatIf(policy="p2c"))


def test_a_vm_more_makes_nothing_worse() -> None:
    recording = drawn(SMALL)
    fewer, more = (figures(play(recording, WhatIf(add_vms=added, cloud=False))) for added in (0, 2))
    assert more.answer.p95 <= 1.05 * fewer.answer.p95
    assert more.utilisation < fewer.utilisation


def test_a_vm_less_sends_more_to_the_cloud() -> None:
    recording = drawn(SMALL)
    before, after = (figures(play(recording, WhatIf(remove_vms=gone))) for gone in ((), ("vm0", "vm2")))
    assert after.overflow > before.overflow
    assert after.cost > before.cost


def test_a_threshold_of_0_sends_all_to_the_cloud() -> None:
    jobs = [job(number, 10 + number, 2.0, site="local" if number == 3 else "any") for number in range(9)]
    day = play(told(*jobs), WhatIf(cpu_threshold=0.0, cloud=True))
    assert [each.number for each in day.ended if each.place == "vm"] == [3]
    assert figures(play(drawn(SMALL), WhatIf(cpu_threshold=0.0))).overflow > 0.9


def test_where_nobody_is_known_to_do_jobs_it_is_refused_at_once() -> None:
    nobody = told(job(1, 10, 2.0), vms=(vm(slots=0),))
    for asked in (WhatIf(), WhatIf(policy="predictive")):
        with pytest.raises(NotPlayable, match="record some time in which they run"):
            play(nobody, asked)
    assert took(play(nobody, WhatIf(cloud=True)))


def test_how_much_of_the_day_is_over_is_told_meanwhile() -> None:
    watched: list[float] = []
    recording = told(job(1, 10, 2.0), job(2, 95, 2.0))
    assert play(recording, WhatIf(), watched.append) == play(recording, WhatIf())
    assert watched[:2] == [0.005, 0.01]
    assert watched == sorted(watched)
    assert 0.9 < watched[-1] <= 1


def test_without_the_cloud_nothing_overflows() -> None:
    figured = figures(play(drawn(SMALL), WhatIf(cloud=False)))
    assert figured.overflow == figured.cost == 0.0


def test_a_cap_on_money_holds() -> None:
    recording = drawn(SMALL)
    spent = figures(play(recording, WhatIf(money_per_day=0.001))).cost
    assert 0 <= spent < 0.002 < figures(play(recording, WhatIf())).cost


# -- a line longer than the router looks ahead


def test_a_long_line_is_played_from_when_it_was_sent() -> None:
    recording = drawn(BACKLOG)
    was, unchanged = as_recorded(recording), play(recording, WhatIf())
    p95 = truly(BACKLOG).p95
    assert figures(was).answer.p95 == pytest.approx(p95, rel=0.03)
    assert figures(unchanged).answer.p95 == pytest.approx(p95, rel=P95_OFF)
    for day in (was, unchanged):
        assert [each.arrived_s for each in day.ended] == sorted(each.arrived_s for each in day.ended)


def test_a_vm_more_does_for_a_long_line_what_it_would_have_done() -> None:
    recording, more = drawn(BACKLOG), WhatIf(add_vms=1)
    p95 = truly(replace(BACKLOG, added=1)).p95
    assert figures(play(recording, more)).answer.p95 == pytest.approx(p95, rel=P95_OFF)
    assert figures(play(unsaid(recording), more)).answer.p95 < p95 / 2, "a router saw the least of it"


def test_only_what_nobody_said_speaks_against_a_long_line() -> None:
    recording = drawn(BACKLOG)
    exact = Errors(0.0, 0.0, 0.0, 0.0)
    (short,) = warnings(recording, exact, WhatIf())
    assert short.startswith("The recording is short")
    assert warnings(unsaid(recording), exact, WhatIf())[1].endswith("better than they would be, fewer worse.")


# -- days told by hand


def test_one_vm_runs_its_jobs_as_it_did() -> None:
    day = play(told(job(1, 10, 2.0), job(2, 20, 3.0)), WhatIf())
    assert took(day) == [2.0, 3.0]
    assert [each.place for each in day.ended] == ["vm", "vm"]


def test_jobs_that_came_together_wait_for_a_slot() -> None:
    jobs = [job(number, 10, 2.0, user=f"u{number}") for number in range(1, 4)]
    assert sorted(took(play(told(*jobs, vms=(vm(slots=1),)), WhatIf()))) == pytest.approx([2, 4, 6], abs=0.1)
    assert sorted(took(play(told(*jobs, vms=(vm(slots=1),)), WhatIf(add_vms=2)))) == pytest.approx([2, 2, 2], abs=0.1)


def test_a_fast_vm_does_in_less_what_a_slow_one_did() -> None:
    jobs = [job(number, 5 + number * 10, 4.0 if number % 2 else 1.0, vm=f"vm{1 + number % 2}") for number in range(40)]
    recording = told(*jobs, seconds=400, vms=(vm("vm1"), vm("vm2")))
    assert set(took(play(recording, WhatIf(remove_vms=("vm2",))))) == {1.0}


def test_a_job_that_never_ended_is_sent_and_not_compared() -> None:
    lost = job(2, 12, end=None, ended_ms=None, ran_ms=None, began_ms=None)
    recording = told(job(1, 10, 2.0), lost)
    day = play(recording, WhatIf())
    assert [each.number for each in day.ended] == [0]
    assert as_recorded(recording).unanswered == 1
    assert day.unanswered == 0


def test_a_job_of_bad_input_is_refused_again_at_once() -> None:
    bad = job(2, 12, end="failed", problem="broken-image", ran_ms=None, began_ms=None)
    day = play(told(job(1, 10), bad), WhatIf())
    assert (len(day.ended), day.refused) == (1, 1)


def test_a_job_that_was_cancelled_in_line_is_not_sent() -> None:
    gone = job(2, 10, end="failed", problem="cancelled", ran_ms=None, began_ms=None)
    day = play(told(job(1, 10, 2.0), gone, vms=(vm(slots=1),)), WhatIf())
    assert took(day) == [2.0]
    assert day.refused == 0


def test_what_nobody_is_there_for_is_never_answered() -> None:
    day = play(told(job(1, 10)), WhatIf(remove_vms=("vm1",)))
    assert (day.ended, day.unanswered) == ((), 1)


def test_a_cloud_that_was_not_there_takes_what_the_vms_cannot() -> None:
    jobs = [job(number, 10, 30.0, user=f"u{number}") for number in range(8)]
    day = play(told(*jobs, vms=(vm(slots=1),)), WhatIf(cloud=True))
    assert {each.place for each in day.ended} == {"vm", "cloud"}


# -- what is asked for


def test_a_recording_without_jobs_cannot_be_played() -> None:
    with pytest.raises(NotPlayable, match="overspill record"):
        play(told(), WhatIf())


def test_a_vm_that_was_not_there_cannot_be_taken_away() -> None:
    with pytest.raises(NotPlayable, match=r"No VM vm7 was recorded; there are vm1\."):
        play(told(job(1, 10)), WhatIf(remove_vms=("vm7",)))


def test_without_any_vm_it_is_not_known_what_one_more_would_be() -> None:
    with pytest.raises(NotPlayable, match="No VM was recorded"):
        play(told(job(1, 10, route="cloud", vm="rev-1"), vms=()), WhatIf(add_vms=1, cloud=True))


def test_the_rule_is_the_one_that_was_in_force_for_longest() -> None:
    recording = replace(
        told(job(1, 10)),
        routers=(
            RecordedRouter(BEGINS_MS, "threshold"),
            RecordedRouter(BEGINS_MS + 1, "threshold", {"cpu": 60.0, "ram": 80.0}),
            RecordedRouter(BEGINS_MS + 90_000, "p2c", {"slots": 1.0}),
        ),
    )
    assert rules(recording, WhatIf()) == rules(recording, WhatIf(cpu_threshold=60.0))
    assert rules(recording, WhatIf()).cpu_threshold == 60.0
    changed = rules(recording, WhatIf(policy="predictive", ram_threshold=50.0))
    assert (changed.policy, changed.cpu_threshold, changed.ram_threshold) == ("predictive", 60.0, 50.0)


def test_without_a_word_of_a_router_the_default_rule_holds() -> None:
    assert rules(replace(told(job(1, 10)), routers=()), WhatIf()).policy == "threshold"


def test_a_policy_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(NotPlayable, match=r"no policy 'best'; there are .*predictive"):
        rules(told(job(1, 10)), WhatIf(policy="best"))


def test_weights_reach_the_router() -> None:
    assert configured(told(job(1, 10)), WhatIf(user_weights={"anna": 2.0}), None).user_weights == {"anna": 2.0}
