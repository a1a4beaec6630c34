from itertools import permutations

import pytest

from bus.events import JobEvent
from producers.flight.credible import LONGEST_LAIN_MS
from producers.flight.jobs import Told, jobs_of
from producers.flight.recording import RecordedJob
from tests.producers.flight.steps import NOON, in_cloud, on_vm, routed, step

KEY = ("ada", "j1", "sketch")


def made_of(*events: JobEvent) -> list[RecordedJob]:
    """The jobs of one key, with times that count from noon."""
    told = Told()
    for event in events:
        told.add(event)
    return [since_noon(job) for job in jobs_of(KEY, told)]


def since_noon(job: RecordedJob) -> RecordedJob:
    columns = {name: getattr(job, name) for name in RecordedJob.__slots__}
    for name in ("arrived_ms", "began_ms", "ended_ms", "routed_ms"):
        columns[name] = None if columns[name] is None else columns[name] - NOON
    return RecordedJob(**columns)


def the(*events: JobEvent) -> RecordedJob:
    (job,) = made_of(*events)
    return job


USUAL = (
    routed(100, waited_ms=40, priority=5, site="local"),
    on_vm("running", 130, waited_ms=70),
    on_vm("done", 630, waited_ms=70, ran_ms=490, pixels=2_100_000),
)


def test_a_job_on_a_vm_in_whatever_order_it_is_told() -> None:
    told = RecordedJob(
        id="j1",
        user="ada",
        operation="sketch",
        arrived_ms=60,
        megapixels=2.1,
        bytes=900_000,
        priority=5,
        site="local",
        route="vm",
        vm="vm1",
        began_ms=130,
        ended_ms=630,
        ran_ms=490,
        attempts=1,
        end="done",
        policy="threshold",
        routed_ms=100,
    )
    for order in permutations([*USUAL, USUAL[2]]):
        assert made_of(*order) == [told]


def test_a_job_in_the_cloud_began_when_the_answer_says_and_cost_what_the_bridge_says() -> None:
    job = the(
        routed(10, route="cloud", vm=None),
        in_cloud("sent", 40, cost=0.001),
        in_cloud("done", 4_000, vm="rev-7", waited_ms=900, ran_ms=2_500, cost=0.0002),
    )
    assert (job.route, job.vm, job.began_ms, job.ended_ms, job.cost) == ("cloud", "rev-7", 910, 4_000, 0.0002)


def test_a_job_that_is_on_its_way_has_no_end() -> None:
    assert (the(*USUAL[:1]).end, the(*USUAL[:1]).began_ms) == (None, None)
    assert (the(*USUAL[:2]).end, the(*USUAL[:2]).began_ms) == (None, 130)
    waiting = the(step("waiting", 500, waited_ms=300))
    assert (waiting.arrived_ms, waiting.route, waiting.attempts, waiting.end) == (200, None, 0, None)


def test_the_estimate_of_a_job_that_is_sent_stands_until_it_ends() -> None:
    assert the(in_cloud("sent", 40, cost=0.001)).cost == 0.001


def test_a_second_attempt_is_the_same_job() -> None:
    job = the(
        routed(0),
        on_vm("running", 20),
        on_vm("retried", 50, problem="operation-failed", ran_ms=20),
        step("waiting", 100, placement="p1", attempt=2, waited_ms=100),
        routed(200, placement="p2", vm="vm2", attempt=2, waited_ms=200),
        on_vm("running", 210, placement="p2", vm="vm2", attempt=2, waited_ms=210),
        on_vm("failed", 400, placement="p2", vm="vm2", attempt=2, ran_ms=180, problem="timed-out"),
    )
    assert (job.arrived_ms, job.routed_ms, job.began_ms, job.ended_ms) == (0, 200, 210, 400)
    assert (job.vm, job.attempts, job.end, job.problem) == ("vm2", 2, "failed", "timed-out")


def test_another_routers_clock_makes_no_second_job() -> None:
    job = the(routed(5_000), on_vm("retried", 5_100), routed(4_900, placement="p2", attempt=2, vm="vm2"))
    assert (job.arrived_ms, job.attempts, job.vm) == (5_000, 2, "vm2")


def test_a_job_that_came_home_ran_on_a_vm_in_the_end() -> None:
    job = the(
        routed(0, route="cloud", vm=None),
        in_cloud("retried", 900, reason="the cloud is full"),
        routed(1_000, placement="p2", waited_ms=1_000),
        on_vm("running", 1_020, placement="p2"),
        on_vm("done", 1_500, placement="p2", ran_ms=470),
    )
    assert (job.route, job.vm, job.arrived_ms, job.attempts, job.cost) == ("vm", "vm1", 0, 1, None)


def test_of_two_vms_that_did_it_the_first_answer_counts() -> None:
    lost, second = on_vm("done", 9_000, ran_ms=8_900), on_vm("done", 5_000, placement="p2", vm="vm2", ran_ms=900)
    job = the(routed(0), routed(4_000, placement="p2", vm="vm2", attempt=2, waited_ms=4_000), lost, second)
    assert (job.vm, job.ended_ms, job.ran_ms) == ("vm2", 5_000, 900)


def test_a_refused_job_was_nowhere() -> None:
    job = the(step("failed", 700, problem="expired", attempt=1))
    assert (job.arrived_ms, job.ended_ms, job.end, job.problem) == (700, 700, "failed", "expired")
    assert (job.route, job.vm, job.attempts, job.ran_ms) == (None, None, 0, None)


def test_a_job_cancelled_in_line_waited_there() -> None:
    job = the(step("waiting", 100, waited_ms=100), step("failed", 700, problem="cancelled", attempt=1))
    assert (job.arrived_ms, job.ended_ms, job.problem) == (0, 700, "cancelled")


def test_a_job_given_up_after_attempts_names_the_last() -> None:
    job = the(routed(0), on_vm("retried", 50), step("failed", 90, problem="too-many-attempts", attempt=2))
    assert (job.vm, job.attempts, job.end, job.ended_ms, job.routed_ms) == ("vm1", 1, "failed", 90, 0)


def test_a_frozen_vm_that_ends_what_was_given_up_changes_nothing() -> None:
    job = the(routed(0), step("failed", 90, problem="too-many-attempts", attempt=4), on_vm("done", 5_000, ran_ms=4_000))
    assert (job.end, job.ended_ms) == ("failed", 90)


def test_a_refusal_before_it_came_is_another_message_with_that_id() -> None:
    refused, done = made_of(step("failed", 0, problem="bad-field"), routed(100), on_vm("done", 500, ran_ms=300))
    assert {(refused.arrived_ms, refused.end), (done.arrived_ms, done.end)} == {(0, "failed"), (100, "done")}


def test_a_repeat_is_a_job_of_its_own_that_does_not_run() -> None:
    first, repeat = made_of(*USUAL, routed(10_000, placement="p2"), on_vm("done", 10_050, placement="p2"))
    assert (first.began_ms, first.ran_ms) == (130, 490)
    assert (repeat.arrived_ms, repeat.began_ms, repeat.ended_ms, repeat.ran_ms) == (10_000, None, 10_050, None)


def test_a_repeat_whose_first_run_was_before_the_recording() -> None:
    repeat = the(routed(0), on_vm("done", 20))
    assert (repeat.end, repeat.ran_ms, repeat.began_ms, repeat.ended_ms) == ("done", None, None, 20)


def test_a_repeat_that_came_while_the_first_ran_is_answered_with_it() -> None:
    _, repeat = made_of(*USUAL, routed(110, placement="p2"), on_vm("done", 640, placement="p2"))
    assert (repeat.arrived_ms, repeat.ended_ms, repeat.ran_ms) == (110, 640, None)


def test_a_run_whose_beginning_nobody_told_is_one_all_the_same() -> None:
    _, later = made_of(*USUAL, routed(700, placement="p2"), on_vm("done", 1_300, placement="p2", ran_ms=490))
    assert (later.began_ms, later.ended_ms, later.ran_ms) == (810, 1_300, 490)


def test_a_job_whose_routing_was_not_seen_arrived_when_its_answer_says() -> None:
    job = the(on_vm("done", 1_000, waited_ms=200, ran_ms=300))
    assert (job.arrived_ms, job.began_ms, job.ended_ms, job.routed_ms) == (500, 700, 1_000, None)


def test_a_job_without_any_times_began_when_it_ended() -> None:
    job = the(on_vm("done", 1_000, ran_ms=0))
    assert (job.arrived_ms, job.began_ms, job.ended_ms) == (1_000, 1_000, 1_000)


def test_a_job_put_straight_into_a_vms_queue_has_no_placement() -> None:
    job = the(on_vm("running", 20, placement=None), on_vm("done", 90, placement=None, ran_ms=60))
    assert (job.vm, job.began_ms, job.end) == ("vm1", 20, "done")


def test_a_vms_word_is_the_job_that_had_arrived_by_then() -> None:
    first, second = made_of(
        step("waiting", 100, waited_ms=100), on_vm("running", 150), step("waiting", 900, waited_ms=100)
    )
    assert (first.arrived_ms, first.began_ms, second.arrived_ms, second.began_ms) == (0, 150, 800, None)


def test_a_vm_whose_clock_is_late_still_began_after_it_was_asked_and_ran_as_long() -> None:
    job = the(routed(10_000), on_vm("running", 4_000), on_vm("done", 4_500, ran_ms=480))
    assert (job.began_ms, job.ran_ms) == (10_000, 480)
    assert job.ended_ms == 10_480


def test_a_vm_whose_clock_is_late_and_hears_before_anyone_is_still_that_job() -> None:
    assert the(step("waiting", 10_100, waited_ms=100), on_vm("running", 4_000)).arrived_ms == 10_000


@pytest.mark.parametrize(
    ("sent_ms", "lain_ms"),
    [(None, None), (-4_900, 3_900), (-2_001, 1_001), (-2_000, 0), (0, 0), (1_000, 0), (1_001, None), (90_000, None)],
)
def test_a_job_had_lain_in_its_lane_since_the_second_in_which_it_was_sent(
    sent_ms: int | None, lain_ms: int | None
) -> None:
    told = routed(40, waited_ms=40, sent_ms=None if sent_ms is None else NOON + sent_ms)
    assert the(told, on_vm("done", 500, ran_ms=400)).lain_ms == lain_ms


def test_a_clock_that_nobody_can_believe_says_nothing() -> None:
    assert the(routed(0, sent_ms=0)).lain_ms is None
    assert the(routed(0, sent_ms=NOON - LONGEST_LAIN_MS - 1_000)).lain_ms == LONGEST_LAIN_MS


def test_only_the_first_to_place_a_job_need_tell_when_it_was_sent() -> None:
    first = routed(5_000, waited_ms=1_000, sent_ms=NOON)
    again = routed(9_000, placement="p2", attempt=2, waited_ms=5_000)
    for order in permutations([first, on_vm("retried", 6_000), again]):
        assert (the(*order).arrived_ms, the(*order).lain_ms) == (4_000, 3_000)


def test_what_an_operator_does_with_a_dead_job_is_no_step_of_it() -> None:
    assert made_of(step("replayed", 5)) == []
    assert len(Told()) == 0
