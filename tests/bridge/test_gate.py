"""The gate: why a job may not go to the cloud, and a status that makes routers hold back for the very same reasons."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.breaker import Breaker
from bridge.budget import Budget
from bridge.gate import Counts, Gate, Refusal
from bus.events import BridgeStatus, read_event
from bus.prices import Prices
from bus.settings import Settings

WALL_S = 1_800_000_000.5
DOLLAR_A_SECOND = Prices(1.0, 0.0, 0.0)
MIB = 1 << 20


@dataclass
class Room:
    """A cloud as far as the gate looks at it."""

    operations: tuple[str, ...] = ("sketch", "caption")
    largest_bytes: int = 9_500_000
    room: int | None = None

    def capacity(self) -> int | None:
        return self.room


def gate(cloud: Room | None = None, *, largest_claim: int | None = None, most: int = 3, **caps: Any) -> Gate:
    """The gate of a bridge that works, to a cloud where a second costs a dollar."""
    made = Gate(
        "b1",
        cloud or Room(),
        Budget(DOLLAR_A_SECOND, **caps),
        Breaker(failures_to_open=1),
        most=most,
        largest_claim=largest_claim,
    )
    made.active = True
    return made


def why(gate: Gate, operation: str = "sketch", size: int = 0, in_flight: int = 0, now: float = 0.0) -> str | None:
    refusal = gate.refusal(operation, size, in_flight, now, WALL_S)
    return refusal and refusal.reason


def told(gate: Gate, in_flight: int = 0, now: float = 0.0) -> BridgeStatus:
    """The status, as it is read off the wire."""
    event = read_event(gate.status(in_flight, now, WALL_S, Counts()).model_dump_json().encode())
    assert isinstance(event, BridgeStatus)
    return event


def held_back(status: BridgeStatus) -> bool:
    """Whether a router that has sent nothing since would send nothing now."""
    return status.state != "ready" or status.in_flight >= status.capacity


# Open


def test_a_working_bridge_takes_jobs_and_says_so() -> None:
    status = told(gate())
    assert why(gate()) is None
    assert (status.bridge, status.state, status.reason, status.active) == ("b1", "ready", None, True)
    assert (status.at_ms, status.in_flight, status.capacity) == (1_800_000_000_500, 0, 3)
    assert (status.operations, status.largest_bytes) == (("sketch", "caption"), 9_500_000)


def test_a_status_tells_what_was_spent_learnt_and_counted() -> None:
    told_by = gate(jobs_per_minute=60, money_per_day=9.0)
    told_by.sent(1.5, 0.0, WALL_S)
    told_by.budget.learnt("sketch", 1.0)
    status = told_by.status(1, 0.0, WALL_S, Counts(answered=7, gone=2, late=1))
    assert (status.sent_last_minute, status.jobs_per_minute) == (1, 60)
    assert (status.spent_today, status.money_per_day, status.spent_by_hour) == (1.5, 9.0, {"500000": 1.5})
    assert status.seconds == {"sketch": 1.5}
    assert (status.answered, status.gone, status.late) == (7, 2, 1)


def test_settings_make_the_gate() -> None:
    settings = Settings(cloud_in_flight=7, cloud_jobs_per_minute=5, cloud_money_per_day=2.5)
    status = told(Gate.of(settings, Room(), "b2"))
    assert (status.bridge, status.active, status.capacity) == ("b2", False, 7)
    assert (status.jobs_per_minute, status.money_per_day, status.largest_bytes) == (5, 2.5, 9_500_000)


def test_the_breaker_waits_a_little_longer_for_a_trial_than_the_bridge_for_an_answer() -> None:
    made = Gate.of(Settings(cloud_timeout_s=100.0), Room(), "b")
    for _ in range(5):
        made.breaker.failed("503", 0.0)
    made.sent(0.0, 5.0, WALL_S)
    assert told(made, now=164.9).state == "full"
    assert told(made, now=165.0).state == "broken"


# Against every job


def test_one_that_stands_by_takes_nothing() -> None:
    standby = gate()
    standby.active = False
    assert why(standby) == "this bridge stands by"
    assert told(standby).active is False


def test_one_that_stops_takes_nothing() -> None:
    stopping = gate()
    stopping.draining = True
    stopping.breaker.failed("503", 0.0)
    assert why(stopping) == "draining: the bridge is stopping"
    assert (told(stopping).state, told(stopping).reason) == ("draining", "the bridge is stopping")


def test_one_that_does_not_know_what_was_spent_takes_nothing_and_says_why() -> None:
    made = gate()
    made.unsure = "the history stalled"
    assert (told(made).state, told(made).reason) == ("broken", "the history stalled")
    assert why(made) == "broken: the history stalled"


def test_a_full_cloud_takes_nothing() -> None:
    assert why(gate(), in_flight=2) is None
    assert why(gate(), in_flight=3) == "full: 3 of 3 jobs are in the cloud"
    status = told(gate(), in_flight=3)
    assert (status.state, status.reason, status.capacity) == ("full", "3 of 3 jobs are in the cloud", 3)


@pytest.mark.parametrize(
    ("room", "in_flight", "capacity", "state"),
    [(None, 2, 3, "ready"), (5, 2, 3, "ready"), (1, 0, 1, "ready"), (0, 2, 2, "full"), (0, 0, 1, "full")],
)
def test_what_the_cloud_has_room_for_counts_where_it_is_less(
    room: int | None, in_flight: int, capacity: int, state: str
) -> None:
    status = told(gate(Room(room=room)), in_flight)
    assert (status.capacity, status.state) == (capacity, state)
    assert (why(gate(Room(room=room)), in_flight=in_flight) is None) == (state == "ready")


def test_a_cloud_without_a_service_says_so() -> None:
    down = gate(Room(room=0))
    assert why(down) == "full: no service of the cloud is up"
    assert (told(down).state, told(down).reason) == ("full", "no service of the cloud is up")


def test_only_what_wants_for_nothing_but_room_may_wait_for_it() -> None:
    def passes(gate: Gate, operation: str = "sketch", size: int = 0, in_flight: int = 3) -> bool | None:
        refusal = gate.refusal(operation, size, in_flight, 0.0, WALL_S)
        return refusal and refusal.passes

    stopping, broken, spent = gate(), gate(), gate(jobs_per_minute=1)
    stopping.draining = True
    broken.breaker.failed("503", 0.0)
    spent.sent(0.0, 0.0, WALL_S)
    assert [passes(gate()), passes(gate(Room(room=0)), in_flight=1)] == [True, True]
    assert [passes(each) for each in (stopping, broken, spent)] == [False, False, False]
    assert [passes(gate(), "remove-background"), passes(gate(), size=9_500_001)] == [False, False]
    assert passes(gate(Room(room=0)), in_flight=0) is False
    assert passes(gate(money_per_day=0.0)) is False
    assert passes(gate(), in_flight=2) is None


def test_a_cloud_that_serves_nothing_takes_nothing() -> None:
    assert why(gate(Room(operations=()))) == "broken: the cloud serves no operation"
    assert told(gate(Room(operations=()))).state == "broken"


def test_a_broken_cloud_takes_nothing_and_then_one_job_on_trial() -> None:
    broken = gate()
    broken.breaker.failed("503 from Pub/Sub", 0.0)
    assert why(broken) == "broken: 503 from Pub/Sub"
    assert (told(broken).state, told(broken).reason) == ("broken", "503 from Pub/Sub")

    assert why(broken, now=5.0) is None
    assert (told(broken, now=5.0).state, told(broken, now=5.0).capacity) == ("ready", 1)
    broken.sent(0.1, 5.0, WALL_S)
    on_trial = "one job is on trial, since the cloud failed: 503 from Pub/Sub"
    assert why(broken, in_flight=1, now=6.0) == f"full: {on_trial}"
    assert (told(broken, 1, now=6.0).state, told(broken, 1, now=6.0).reason) == ("full", on_trial)

    broken.breaker.succeeded(7.0, sent=5.0)
    assert why(broken, now=7.0) is None
    assert told(broken, now=7.0).capacity == 3


def test_jobs_still_out_from_before_it_broke_do_not_keep_the_trial_out() -> None:
    broken = gate(most=32)
    broken.breaker.failed("503", 0.0)
    status = told(broken, in_flight=20, now=5.0)
    assert (status.state, status.in_flight, status.capacity) == ("ready", 20, 21)
    assert why(broken, in_flight=20, now=5.0) is None
    assert told(broken, in_flight=32, now=5.0).state == "full"


def test_a_spent_budget_takes_nothing() -> None:
    capped = gate(jobs_per_minute=1)
    capped.sent(0.0, 0.0, WALL_S)
    assert why(capped) == "full: budget spent: 1 of 1 jobs this minute"
    assert (told(capped).state, told(capped).reason) == ("full", "budget spent: 1 of 1 jobs this minute")


# Against some jobs


def test_the_last_of_the_money_is_for_cheap_jobs() -> None:
    capped = gate(money_per_day=5.0)
    assert (why(capped, "sketch"), told(capped).state) == (None, "ready")
    said = "the next job's estimated $6.00 would pass the cap: $0.00 of $5.00 a day are spent"
    assert why(capped, "caption") == said
    capped.sent(4.0, 0.0, WALL_S)
    said = "the next job's estimated $2.00 would pass the cap: $4.00 of $5.00 a day are spent"
    assert why(capped, "sketch") == f"full: {said}"
    assert told(capped).state == "full"


def test_an_operation_that_the_cloud_gave_back_is_shut_for_five_minutes() -> None:
    shut = gate()
    shut.returned("sketch", 0.0)
    assert (why(shut, "sketch", now=299.9), why(shut, "sketch", now=300.0)) == (
        "the cloud does not serve sketch",
        None,
    )
    assert why(shut, "caption") is None
    assert told(shut).operations == ("caption",)
    assert told(shut, now=300.0).operations == ("sketch", "caption")
    shut.returned("caption", 1.0)
    assert told(shut, now=1.0).state == "broken"


def test_an_operation_that_the_cloud_never_served_is_refused() -> None:
    assert why(gate(), "remove-background") == "the cloud does not serve remove-background"


def test_a_picture_too_large_for_the_cloud_goes_through_the_blob_store_if_there_is_one() -> None:
    with_store = gate(largest_claim=64 * MIB)
    assert why(gate(), size=9_500_000) is None
    assert why(gate(), size=9_500_001) == "9,500,001 bytes are more than the 9,500,000 the cloud takes"
    assert why(with_store, size=64 * MIB) is None
    assert why(with_store, size=64 * MIB + 1) == "67,108,865 bytes are more than the 67,108,864 the cloud takes"
    assert (told(gate()).largest_bytes, told(with_store).largest_bytes) == (9_500_000, 64 * MIB)


@pytest.mark.parametrize(
    ("blobs", "project", "largest"),
    [(None, None, 9_500_000), ("file:///blobs", None, 64 * MIB), ("file:///blobs", "google's", 9_500_000)],
)
def test_settings_tell_whether_there_is_a_blob_store_that_the_cloud_reads(
    blobs: str | None, project: str | None, largest: int
) -> None:
    assert Gate.of(Settings(blobs=blobs, cloud_project=project), Room(), "b").largest_bytes == largest


def test_a_picture_in_a_store_that_the_cloud_cannot_read_goes_home_and_does_not_wait() -> None:
    refusal = gate().refusal("sketch", None, 0, 0.0, WALL_S)
    assert refusal == Refusal("the picture lies in a blob store that the cloud can't read")
    assert gate(largest_claim=64 * MIB).refusal("sketch", None, 0, 0.0, WALL_S) is None


# One judgement


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    """Gates with anything against them, at the moment 0."""
    operations = draw(st.sampled_from([("sketch",), ("sketch", "caption"), ("caption",), ()]))
    made = gate(
        Room(operations, room=draw(st.none() | st.integers(0, 4))),
        most=draw(st.integers(1, 4)),
        jobs_per_minute=draw(st.none() | st.integers(0, 2)),
        money_per_day=draw(st.none() | st.floats(0, 8)),
    )
    made.draining = draw(st.booleans())
    made.unsure = draw(st.none() | st.just("what was spent is not known"))
    for ago in draw(st.lists(st.floats(0, 20), max_size=1)):
        made.breaker.failed("503", -ago)
    for cost in draw(st.lists(st.floats(0, 4), max_size=2)):
        made.sent(cost, 0.0, WALL_S)
    for operation in draw(st.sets(st.sampled_from(["sketch", "caption"]))):
        made.returned(operation, 0.0)
    return made


@given(gates(), st.integers(0, 5))
def test_a_router_holds_back_exactly_when_every_job_is_refused(made: Gate, in_flight: int) -> None:
    refused = [why(made, operation, 0, in_flight) is not None for operation in ("sketch", "caption")]
    assert held_back(told(made, in_flight)) == all(refused)


@given(gates(), st.integers(0, 5))
def test_a_status_that_is_not_ready_says_why(made: Gate, in_flight: int) -> None:
    status = told(made, in_flight)
    assert (status.state == "ready") == (status.reason is None)
    assert status.state == made.state(in_flight, 0.0, WALL_S)
    assert status.capacity >= 1
