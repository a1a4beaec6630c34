"""What overspill tells of itself: each event has its key, reads back as it was, and misleads nobody."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import events
from bus.errors import BadInput
from bus.events import (
    RECEIPT_BYTES,
    BridgeStatus,
    Candidate,
    CloudSeen,
    Heartbeat,
    JobEvent,
    JobState,
    RouterStatus,
    UserBacklog,
    VmEvent,
    event_message,
    read_event,
)
from bus.messages import LONGEST_USER

BEAT = Heartbeat(
    vm="vm1", session="s", started_ms=1, seq=0, at_ms=2, cpu_percent=12.5, ram_percent=40, cores=2, slots=2
)
ROUTED = JobEvent(state="routed", job="1", operation="sketch", at_ms=1)
BRIDGE = BridgeStatus(bridge="b1", state="broken", at_ms=1, seconds={"sketch": 0.8}, reason="403 from Pub/Sub")
STATUS = RouterStatus(
    router="r",
    at_ms=1,
    routed=3,
    waiting={"caption": "no VM"},
    users=(UserBacklog(user="ada", queued=2, seconds=1.5),),
    drained=("vm2",),
)

SEEN = {"vm": "vm1", "load": 41.5, "age_s": 0.31, "held": 1, "verdict": "loaded"}

EVENTS = [
    (BEAT, events.heartbeat_key("vm1"), "vm.heartbeat.vm1"),
    (ROUTED, ROUTED.key, "job.routed.sketch"),
    *(
        (event := VmEvent(state=state, vm="vm1", at_ms=1), event.key, f"vm.{state}.vm1")
        for state in get_args(events.VmState)
    ),
    (STATUS, STATUS.key, "router.status"),
    (BRIDGE, BRIDGE.key, "bridge.broken"),
]


@pytest.mark.parametrize(("event", "key", "expected"), EVENTS)
def test_each_event_has_its_key_and_reads_back(event: events.AnyEvent, key: str, expected: str) -> None:
    message = event_message(event, key)
    assert message.routing_key == expected
    assert message.content_type == "application/json"
    assert read_event(message.body) == event


STATES = get_args(JobState)


@pytest.mark.parametrize("state", STATES)
def test_each_state_of_a_job_is_in_its_key(state: Any) -> None:
    assert ROUTED.model_copy(update={"state": state}).key == f"job.{state}.sketch"
    assert read_event(json.dumps({**ROUTED.model_dump(), "state": state}).encode()).kind == "job"


def test_the_key_of_an_event_fits_a_short_string_whatever_the_caller_called_the_operation() -> None:
    event = JobEvent(state="failed", job="1", operation="é" * 127, at_ms=1)
    assert 250 < len(event.key.encode()) <= 255
    assert event.key.startswith("job.failed.éé")


def test_what_a_caller_wrote_is_cut_in_each_event_and_in_what_is_read_of_one() -> None:
    long = dict.fromkeys(("job", "operation", "user", "vm", "reason", "problem"), "é" * 100000)
    event = ROUTED.model_validate(ROUTED.model_dump() | long)
    assert {name: len(getattr(event, name)) for name in long} == {
        "job": 127, "operation": 127, "user": 128, "vm": 127, "reason": 300, "problem": 127,
    }  # fmt: skip
    assert len(event_message(event, event.key).body) < 2_600
    assert read_event(json.dumps(ROUTED.model_dump() | long).encode()) == event


def test_a_user_is_told_whole_as_long_as_a_job_may_have_him() -> None:
    longest = "é" * LONGEST_USER
    assert ROUTED.model_validate(ROUTED.model_dump() | {"user": longest}).user == longest


def test_what_is_not_known_is_left_out() -> None:
    told = json.loads(event_message(ROUTED, ROUTED.key).body)
    assert {"vm", "place", "eta_s", "policy", "cloud", "problem"}.isdisjoint(told)


def test_a_decision_receipt_travels_with_the_event() -> None:
    seen = Candidate(
        vm="vm1", load=41.5, ram=60, age_s=0.3, held=1, slots=2, room=1, end_s=2, late_s=5, verdict="loaded"
    )
    cloud = CloudSeen(open=False, end_s=2.1, cost=0.0002, why="no bridge is alive")
    event = JobEvent(
        **ROUTED.model_dump(exclude={"candidates", "cloud", "policy", "limits"}),
        policy="threshold",
        limits={"cpu_threshold": 40.0},
        candidates=(seen,),
        cloud=cloud,
    )
    back = read_event(event_message(event, event.key).body)
    assert isinstance(back, JobEvent)
    assert (back.policy, back.limits, back.candidates, back.cloud) == (
        "threshold",
        {"cpu_threshold": 40},
        (seen,),
        cloud,
    )


def test_five_candidates_of_common_names_fit_a_receipt() -> None:
    seen = Candidate(vm="rack-3-gpu-0", load=41.5, age_s=0.31, held=1, verdict="loaded")
    event = ROUTED.model_copy(update={"candidates": (seen,) * 5, "policy": "threshold"})
    assert len(event_message(event, event.key).body) < RECEIPT_BYTES


def test_a_waiting_job_tells_its_place_and_when_it_should_end() -> None:
    event = JobEvent(state="waiting", job="1", operation="sketch", at_ms=1, place=3, eta_s=(1.5, 4.0))
    assert read_event(event_message(event, event.key).body) == event


@pytest.mark.parametrize(
    ("event", "change", "says"),
    [
        (BEAT, {"kind": "gossip"}, "kind"),
        (BEAT, {"cpu_percent": 101}, "heartbeat.cpu_percent"),
        (BEAT, {"cpu_percent": float("nan")}, "heartbeat.cpu_percent"),
        (BEAT, {"cores": float("inf")}, "heartbeat.cores"),
        (BEAT, {"cores": 0}, "heartbeat.cores"),
        (BEAT, {"seq": -1}, "heartbeat.seq"),
        (BEAT, {"vm": "Not A Name"}, "heartbeat.vm"),
        (BEAT, {"vm": "vm1\n"}, "heartbeat.vm"),
        (BEAT, {"vm": None}, "heartbeat.vm"),
        (ROUTED, {"state": "lost"}, "job.state"),
        (ROUTED, {"place": 0}, "job.place"),
        (ROUTED, {"eta_s": [1.0]}, "job.eta_s"),
        (STATUS, {"queued": -1}, "router.queued"),
        (BRIDGE, {"state": "idle"}, "bridge.state"),
        (BRIDGE, {"spent_today": -0.1}, "bridge.spent_today"),
        (BRIDGE, {"in_flight": -1}, "bridge.in_flight"),
        (BRIDGE, {"capacity": -1}, "bridge.capacity"),
        (BRIDGE, {"largest_bytes": -1}, "bridge.largest_bytes"),
        (BRIDGE, {"answered": -1}, "bridge.answered"),
        (BRIDGE, {"gone": -1}, "bridge.gone"),
        (BRIDGE, {"late": -1}, "bridge.late"),
        (BRIDGE, {"bridge": "b" * 256}, "bridge.bridge"),
        (BRIDGE, {"active": "perhaps"}, "bridge.active"),
        (BRIDGE, {"spent_by_hour": {f"{n}": 1.0 for n in range(65)}}, "bridge.spent_by_hour"),
        (BRIDGE, {"operations": ["o"] * 65}, "bridge.operations"),
        (ROUTED, {"cost": -0.1}, "job.cost"),
        (BEAT, {"at_ms": -1}, "heartbeat.at_ms"),
        (BEAT, {"started_ms": 2**62 + 1}, "heartbeat.started_ms"),
        (BEAT, {"slots": 4097}, "heartbeat.slots"),
        (BEAT, {"oldest_running_s": -0.1}, "heartbeat.oldest_running_s"),
        (BEAT, {"held": ["p"] * 4097}, "heartbeat.held"),
        (BEAT, {"held": ["p" * 256]}, "heartbeat.held"),
        (BEAT, {"operations": ["o"] * 65}, "heartbeat.operations"),
        (BEAT, {"operations": ["o" * 256]}, "heartbeat.operations"),
        (BEAT, {"not_served": {f"o{n}": "no" for n in range(65)}}, "heartbeat.not_served"),
        (BEAT, {"not_served": {"o" * 256: "no"}}, "heartbeat.not_served"),
        (ROUTED, {"at_ms": 2**62 + 1}, "job.at_ms"),
        (ROUTED, {"ran_ms": -1}, "job.ran_ms"),
        (ROUTED, {"waited_ms": 2**62 + 1}, "job.waited_ms"),
        (ROUTED, {"waited_ms": "long"}, "job.waited_ms"),
        (ROUTED, {"attempt": -1}, "job.attempt"),
        (ROUTED, {"pixels": -1}, "job.pixels"),
        (ROUTED, {"eta_s": [-1.0, 1.0]}, "job.eta_s"),
        (ROUTED, {"candidates": [SEEN] * 65}, "job.candidates"),
        (ROUTED, {"candidates": [SEEN | {"slots": -1}]}, "job.candidates"),
        (ROUTED, {"limits": {f"l{n}": 1.0 for n in range(65)}}, "job.limits"),
        (STATUS, {"paused": ["o"] * 65}, "router.paused"),
        (STATUS, {"drained": ["vm1"] * 65_537}, "router.drained"),
        (BRIDGE, {"seconds": {"sketch": -0.1}}, "bridge.seconds"),
        (BRIDGE, {"seconds": {f"o{n}": 1.0 for n in range(65)}}, "bridge.seconds"),
    ],
)
def test_what_would_mislead_is_not_believed(event: events.AnyEvent, change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_event(json.dumps(event.model_dump() | change).encode())


def test_the_most_a_vm_can_say_of_itself_is_believed() -> None:
    held = tuple("p" * 255 for _ in range(4096))
    beat = BEAT.model_copy(update={"slots": 4096, "held": held, "at_ms": 2**62, "operations": ("o" * 255,) * 64})
    assert read_event(event_message(beat, "k").body) == beat


def test_a_bridge_that_takes_over_can_read_what_was_spent_and_when() -> None:
    before = BRIDGE.model_copy(update={"active": False, "spent_by_hour": {"493256": 0.25}, "operations": ("sketch",)})
    assert read_event(event_message(before, before.key).body) == before


def test_what_a_run_in_the_cloud_cost_is_told_with_its_end() -> None:
    done = JobEvent(state="done", job="1", operation="sketch", at_ms=1, route="cloud", cost=0.00017)
    assert read_event(event_message(done, done.key).body) == done


def test_clocks_that_disagree_make_no_wait_negative() -> None:
    event = JobEvent(state="running", job="1", operation="sketch", at_ms=1, waited_ms=-40)
    assert event.waited_ms == 0


@given(st.binary(max_size=200))
def test_garbage_is_no_event(body: bytes) -> None:
    with pytest.raises(BadInput):
        read_event(body)
