"""Patterns of topic exchanges: as a real one matches them, and which of them can match an event at all."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import BridgeStatus, JobEvent, JobState, RouterStatus, VmEvent, VmState, heartbeat_key
from ui.tail.patterns import QUIET, can_match, matcher, matches, nearest

WORDS = st.lists(st.sampled_from(["job", "vm", "a", "", "done"]), max_size=4)
PATTERN = st.lists(st.sampled_from(["job", "vm", "a", "", "*", "#", "done"]), max_size=5).map(".".join)
KEY = WORDS.map(".".join)

KNOWN = [
    *(JobEvent(state=state, job="1", operation="sketch", at_ms=1).key for state in get_args(JobState)),
    *(VmEvent(state=state, vm="vm-1", at_ms=1).key for state in get_args(VmState)),
    *(
        BridgeStatus(bridge="b", state=state, at_ms=1).key
        for state in get_args(BridgeStatus.model_fields["state"].annotation)
    ),
    RouterStatus(router="r", at_ms=1, routed=1).key,
    heartbeat_key("vm1"),
]


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("job.#", "job.done.sketch", True),
        ("job.#", "job", True),
        ("job.*", "job", False),
        ("job.*", "job.", True),
        ("*.heartbeat.*", "vm.heartbeat.vm1", True),
        ("#", "", True),
        ("*", "", False),
        ("", "", True),
        ("#.sketch", "job.done.sketch", True),
        ("#.#.#.done.#", "job.done.sketch", True),
        ("job.done", "job.done.sketch", False),
        ("JOB.#", "job.done.sketch", False),
    ],
)
def test_a_pattern_matches_as_amqp_has_it(pattern: str, key: str, *, expected: bool) -> None:
    assert matches(pattern, key) is expected


@given(patterns=st.lists(PATTERN, max_size=3), key=KEY)
def test_several_patterns_match_what_one_of_them_does(patterns: list[str], key: str) -> None:
    assert matcher(patterns)(key) is any(matches(pattern, key) for pattern in patterns)


def test_what_is_said_once_a_second_is_left_out_unless_it_is_asked_for() -> None:
    left_out = [key for key in KNOWN if not matcher(QUIET)(key)]
    assert left_out == [
        "bridge.ready",
        "bridge.full",
        "bridge.broken",
        "bridge.draining",
        "router.status",
        "vm.heartbeat.vm1",
    ]


@given(key=st.sampled_from(KNOWN), data=st.data())
def test_a_pattern_that_matches_an_event_can_match(key: str, data: st.DataObject) -> None:
    words = [data.draw(st.sampled_from([word, "*", "#"])) for word in key.split(".")]
    pattern = ".".join(words)
    assert matches(pattern, key)
    assert can_match(pattern)


def test_an_operation_may_have_dots_in_its_name() -> None:
    assert can_match("job.unanswerable.no.such.operation")


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("job.done", "job.done.*"),
        ("jobs.#", "job.*.*"),
        ("job.finished.sketch", "job.*.sketch"),
        ("jobs.dome.sketch", "job.done.sketch"),
        ("vm1", "vm.*.*"),
        ("vm.vm1", "vm.*.*"),
        ("vm.heartbea.vm1", "vm.heartbeat.vm1"),
        ("vm.lost.vm.1", "vm.lost.vm"),
        ("router", "router.status"),
        ("bridges.*", "bridge.*"),
        ("", "vm.*.*"),
    ],
)
def test_a_pattern_that_no_event_can_have_gets_one_that_it_can(pattern: str, meant: str) -> None:
    assert not can_match(pattern)
    assert nearest(pattern) == meant
    assert can_match(meant)


@given(PATTERN)
def test_what_is_proposed_can_always_match(pattern: str) -> None:
    assert can_match(nearest(pattern))
