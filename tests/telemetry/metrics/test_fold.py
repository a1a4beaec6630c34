from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from bus.events import AnyEvent, BridgeStatus, JobEvent, RouterStatus, UserBacklog, VmEvent
from telemetry.metrics.board import Board
from telemetry.metrics.fold import MOST_VMS, Fold, VmSeen
from telemetry.metrics.labels import JOB_PROBLEMS, RUN_PROBLEMS
from tests.telemetry.beats import beat
from tests.telemetry.metrics.pages import values


class Told:
    """A fold, and what its page says of it."""

    def __init__(self, program: str, *events: AnyEvent, **weights: float) -> None:
        self.board = Board(program)
        self.fold = Fold(self.board, weights)
        for event in events:
            self.fold.told(event)

    @property
    def page(self) -> dict[str, float]:
        return values(generate_latest(self.board.registry).decode())

    def some(self, *names: str) -> dict[str, float]:
        """The samples that begin so, by what follows `overspill_`, buckets left out."""
        return {
            name.removeprefix("overspill_"): value
            for name, value in self.page.items()
            if name.startswith(tuple(f"overspill_{each}" for each in names)) and "_bucket" not in name
        }


def job(state: Any, **more: Any) -> JobEvent:
    fields: dict[str, Any] = {"state": state, "job": "a", "operation": "sketch", "at_ms": 0}
    return JobEvent(**(fields | more))


def router(**more: Any) -> RouterStatus:
    fields: dict[str, Any] = {"router": "router", "at_ms": 0, "routed": 0}
    return RouterStatus(**(fields | more))


def bridge(**more: Any) -> BridgeStatus:
    fields: dict[str, Any] = {"bridge": "bridge", "state": "ready", "at_ms": 0}
    return BridgeStatus(**(fields | more))


# -- jobs


def test_a_job_that_is_done_is_counted_once_with_its_waiting_and_its_run() -> None:
    told = Told("vm", job("running", route="vm", waited_ms=30), job("done", route="vm", waited_ms=30, ran_ms=500))
    labels = 'operation="sketch",place="vm"'
    assert told.some("job") == {
        f'jobs_total{{{labels},state="running"}}': 1,
        f'jobs_total{{{labels},state="done"}}': 1,
        f"job_queue_seconds_count{{{labels}}}": 1,
        f"job_queue_seconds_sum{{{labels}}}": 0.03,
        f"job_run_seconds_count{{{labels}}}": 1,
        f"job_run_seconds_sum{{{labels}}}": 0.5,
    }


def test_a_failure_is_told_by_its_problem_and_a_retry_too() -> None:
    told = Told(
        "vm",
        job("retried", route="vm", problem="operation-failed", ran_ms=10),
        job("retried", route="vm"),
        job("failed", route="vm", problem="timed-out", ran_ms=60_000),
        job("failed", route="vm", problem="a slug of nobody's"),
    )
    assert told.some("job_failures", "job_retries", "job_run_seconds_count") == {
        'job_run_seconds_count{operation="sketch",place="vm"}': 2,
        'job_failures_total{operation="sketch",problem="timed-out"}': 1,
        'job_failures_total{operation="sketch",problem="other"}': 1,
        'job_retries_total{operation="sketch",place="vm",problem="operation-failed"}': 1,
        'job_retries_total{operation="sketch",place="vm",problem="none"}': 1,
    }


def test_a_routed_job_tells_its_time_in_line_and_its_estimated_price_is_not_spent() -> None:
    told = Told("router", job("routed", route="cloud", waited_ms=2000, cost=0.1))
    assert told.some("job_line", "cloud") == {
        'job_line_seconds_count{operation="sketch",place="cloud"}': 1,
        'job_line_seconds_sum{operation="sketch",place="cloud"}': 2,
    }


def test_repeated_words_of_waiting_are_not_counted() -> None:
    assert Told("router", job("waiting"), job("waiting")).some("jobs_total") == {}


def test_a_job_that_nobody_placed_has_no_place() -> None:
    told = Told("router", job("failed", problem="unknown-operation", operation="x" * 200))
    assert told.some("jobs") == {'jobs_total{operation="other",place="none",state="failed"}': 1}


def test_what_the_cloud_cost_is_summed_up_when_it_has_answered() -> None:
    told = Told(
        "bridge",
        job("sent", route="cloud"),
        job("done", route="cloud", cost=0.25, waited_ms=5, ran_ms=7),
        job("unanswerable", route="cloud", cost=0.5),
        job("failed", route="cloud", cost=0.25, problem="timed-out"),
    )
    assert told.some("cloud_spent_dollars") == {"cloud_spent_dollars_total": 1.0}


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=30))
def test_whatever_jobs_strangers_send_series_stay_few(sent: list[tuple[str, str]]) -> None:
    told = Told("router", *(job("failed", operation=operation, problem=problem) for operation, problem in sent))
    assert len(told.some("job")) <= 2


# -- VMs


def test_a_vm_tells_its_own_load() -> None:
    told = Told("vm", beat(1, cpu_percent=25.0, running=1, held=("a", "b"), oldest_running_s=3.5), beat(2))
    assert told.some("vm") == {
        'vm_heartbeats_total{vm="vm1"}': 2,
        'vm_cpu_ratio{vm="vm1"}': 0.1,
        'vm_ram_ratio{vm="vm1"}': 0.5,
        'vm_slots{vm="vm1"}': 2,
        'vm_running_jobs{vm="vm1"}': 0,
        'vm_held_jobs{vm="vm1"}': 0,
        'vm_oldest_running_seconds{vm="vm1"}': 0,
    }


# -- the router


def seen(*vms: tuple[str, str]) -> Iterable[VmSeen]:
    return [VmSeen(vm, state, 0.5) for vm, state in vms]


def test_the_active_router_tells_how_the_vms_are() -> None:
    told = Told("router")
    told.fold.fleet = lambda: seen(("vm1", "ready"), ("vm2", "lost"))
    told.fold.told(router())
    assert {name for name, value in told.some("vm").items() if value} == {
        'vms{state="ready"}',
        'vms{state="lost"}',
        'vm_state{state="ready",vm="vm1"}',
        'vm_state{state="lost",vm="vm2"}',
        'vm_heartbeat_age_seconds{vm="vm1"}',
        'vm_heartbeat_age_seconds{vm="vm2"}',
    }
    told.fold.fleet = lambda: seen(("vm1", "busy"))
    told.fold.told(router())
    assert told.some("vm_state") == {'vm_state{state="busy",vm="vm1"}': 1}


def test_one_that_stands_by_leaves_that_to_the_active_one() -> None:
    told = Told("router")
    told.fold.fleet = lambda: seen(("vm1", "ready"))
    told.fold.told(router(waiting={"sketch": "no VM serves it"}))
    told.fold.queues({"dead": 3})
    assert told.some("router_active", 'operation_waiting{operation="sketch', "queue") == {
        "router_active": 1,
        'operation_waiting{operation="sketch"}': 1,
        'queue_messages{queue="dead"}': 3,
    }
    told.fold.told(router(active=False, waiting={"sketch": "no VM serves it"}))
    assert told.some("router_active", "vm", 'operation_waiting{operation="sketch', "queue") == {
        "router_active": 0,
        'operation_waiting{operation="sketch"}': 0,
    }


def test_a_thousand_vms_are_told_by_name_and_all_are_counted() -> None:
    told = Told("router")
    told.fold.fleet = lambda: seen(*((f"vm{number}", "ready") for number in range(MOST_VMS + 1)))
    told.fold.told(router())
    assert len(told.some("vm_state")) == MOST_VMS
    assert told.some("vms")['vms{state="ready"}'] == MOST_VMS + 1


def test_a_router_tells_who_waits_and_how_evenly_they_are_served() -> None:
    told = Told("router", anna=1.0)
    users = tuple(UserBacklog(user=user, queued=1, seconds=1) for user in ("anna", "ben"))
    for second in range(40):
        told.fold.told(router(at_ms=second * 1000, queued=2, users=users, paused=("caption",)))
        told.fold.heard(job("done", user="anna", vm="vm1", ran_ms=1000), second * 1000)
    assert told.some("router", "fairness", "operation_paused") == {
        "router_active": 1,
        "router_window_jobs": 2,
        "router_waiting_users": 2,
        "fairness_ratio": 0.5,
        "fairness_users": 2,
        'operation_paused{operation="sketch"}': 0,
        'operation_paused{operation="remove-background"}': 0,
        'operation_paused{operation="caption"}': 1,
    }


def test_what_is_heard_was_counted_by_whoever_told_it_but_tells_its_age() -> None:
    told = Told("router")
    told.fold.heard(job("done", at_ms=1000), 1250)
    told.fold.heard(beat(1, at_ms=5000), 4000)
    assert told.some("job", "vm", "event_lag") == {
        'event_lag_seconds_count{kind="job"}': 1,
        'event_lag_seconds_sum{kind="job"}': 0.25,
        'event_lag_seconds_count{kind="heartbeat"}': 1,
        'event_lag_seconds_sum{kind="heartbeat"}': 0,
    }


def test_of_several_routers_the_active_one_counts_what_became_of_dead_jobs() -> None:
    told = Told("router")
    told.fold.heard(job("replayed"), 0)
    told.fold.told(router())
    told.fold.heard(job("replayed"), 0)
    told.fold.heard(job("purged"), 0)
    assert told.some("dead_handled") == {
        'dead_handled_total{how="replayed"}': 1,
        'dead_handled_total{how="purged"}': 1,
    }


# -- the cloud


def test_a_bridge_tells_what_the_cloud_costs_and_its_caps() -> None:
    told = Told("bridge", bridge(state="full", in_flight=3, capacity=4, spent_today=1.5, money_per_day=2.0))
    assert {name: value for name, value in told.some("cloud", "bridge").items() if value} == {
        "bridge_active": 1,
        'cloud_state{state="full"}': 1,
        "cloud_in_flight_jobs": 3,
        "cloud_capacity_jobs": 4,
        "cloud_spent_today_dollars": 1.5,
        "cloud_budget_dollars": 2.0,
        "cloud_sendable_jobs": float("inf"),
    }


def test_a_bridge_that_stands_by_has_no_state_of_the_cloud() -> None:
    told = Told("bridge", bridge(active=False, state="broken", capacity=4, spent_today=1.0, jobs_per_minute=10))
    assert {name: value for name, value in told.some("cloud", "bridge").items() if value} == {
        'cloud_state{state="standby"}': 1,
        "cloud_budget_dollars": float("inf"),
        "cloud_sendable_jobs": 10,
    }


def test_answers_are_counted_as_they_come() -> None:
    told = Told("bridge", bridge(answered=2), bridge(answered=5, gone=1), bridge(answered=5, gone=1, late=2))
    assert told.some("cloud_answers") == {
        'cloud_answers_total{outcome="delivered"}': 5,
        'cloud_answers_total{outcome="gone"}': 1,
        'cloud_answers_total{outcome="late"}': 2,
    }


# -- at first


def test_what_has_not_happened_yet_is_told_as_zero() -> None:
    told = Told("bridge")
    told.fold.begin("bridge")
    assert told.some('jobs_total{operation="sketch"') == {
        f'jobs_total{{operation="sketch",place="cloud",state="{state}"}}': 0
        for state in ("sent", "retried", "done", "failed", "unanswerable")
    }


@pytest.mark.parametrize("program", ["router", "vm", "bridge"])
def test_the_first_burst_of_failures_has_a_count_to_rise_from(program: str) -> None:
    told = Told(program)
    told.fold.begin(program)
    before = told.some("job_failures", "job_retries", "dead_handled")
    for problem in JOB_PROBLEMS:
        told.fold.told(job("failed", problem=problem))
    if program == "vm":
        for problem in (None, *RUN_PROBLEMS):
            told.fold.told(job("retried", route="vm", problem=problem))
    if program == "bridge":
        told.fold.told(job("retried", route="cloud"))
    if program == "router":
        told.fold.told(router())
        told.fold.heard(job("replayed"), 0)
        told.fold.heard(job("purged"), 0)
    after = told.some("job_failures", "job_retries", "dead_handled")
    assert set(before.values()) == {0}
    assert before.keys() == after.keys()


def test_a_cloud_service_begins_with_no_runs_of_any_outcome() -> None:
    told = Told("cloud-service")
    told.fold.begin("cloud-service")
    assert told.some('service_runs_total{operation="caption"') == {
        f'service_runs_total{{operation="caption",outcome="{outcome}"}}': 0 for outcome in ("done", "failed", "crashed")
    }


def test_a_change_of_a_vm_is_told_and_counted_nowhere_for_its_state_is_looked_at() -> None:
    told = Told("router")
    told.fold.begin("router")
    before = told.page
    told.fold.told(VmEvent(state="lost", vm="vm1", at_ms=0))
    assert told.page == before
