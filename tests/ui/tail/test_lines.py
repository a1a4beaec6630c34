"""Events as lines: what they say, how they line up, and that no terminal obeys them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import AnyEvent, BridgeStatus, Heartbeat, JobEvent, RouterStatus, VmEvent, read_event
from ui.tail.lines import Lines, json_line

ROUTED = JobEvent(
    state="routed", job="j1", operation="sketch", user="anna", at_ms=1000, vm="vm1", route="vm", waited_ms=20
)
BEAT = Heartbeat(
    vm="vm1", session="s", started_ms=1, seq=1, at_ms=1, cpu_percent=12, ram_percent=34, cores=2, slots=2, running=1
)


def line(event: AnyEvent) -> str:
    return Lines(str).line(event).plain


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ROUTED, "1000  routed          j1  sketch of anna  to vm1, waited 0.02 s"),
        (VmEvent(state="lost", vm="vm1", at_ms=1, reason="no beat"), "1  vm lost         vm1  no beat"),
        (VmEvent(state="busy", vm="vm1", at_ms=1), "1  vm busy         vm1"),
        (BEAT, "1  heartbeat       vm1  12 % CPU, 34 % RAM, 1 of 2 slots, worker absent, 0 done"),
        (
            RouterStatus(router="r1", at_ms=1, routed=7, waiting={"caption": "no VM serves it"}),
            "1  router          r1  routes by threshold, 7 routed, 0 seen in line, caption waits: no VM serves it",
        ),
        (
            RouterStatus(router="r2", at_ms=1, routed=0, active=False),
            "1  router          r2  stands by, 0 routed, 0 seen in line",
        ),
        (
            BridgeStatus(bridge="b", state="full", at_ms=1, in_flight=2, capacity=2, spent_today=0.5, reason="enough"),
            "1  bridge full     b  2 of 2 in the cloud, $0.50 today, enough",
        ),
        (
            BridgeStatus(bridge="b", state="ready", at_ms=1, active=False),
            "1  bridge ready    b  stands by, 0 in the cloud, $0.00 today",
        ),
    ],
)
def test_each_kind_of_event_is_a_line(event: AnyEvent, expected: str) -> None:
    assert line(event) == expected


def test_of_a_long_id_as_much_is_shown_as_is_wanted() -> None:
    long = ROUTED.model_copy(update={"job": "0123456789abcdef"})
    assert "  0123456789ab  sketch" in Lines(str, id_shown=12).line(long).plain
    assert "  j1  sketch" in Lines(str, id_shown=12).line(ROUTED).plain


def test_columns_grow_and_stay() -> None:
    lines = Lines(str)
    long = ROUTED.model_copy(update={"job": "a-long-name", "user": "ben"})
    assert [lines.line(event).plain.index("to vm1") for event in (ROUTED, long, ROUTED)] == [42, 51, 51]
    endless = ROUTED.model_copy(update={"job": "x" * 200})
    assert lines.line(endless).plain.index("sketch") > 200
    assert lines.line(ROUTED).plain.index("to vm1") == 76


def test_the_end_of_a_job_has_a_colour() -> None:
    assert [span.style for span in Lines(str).line(ROUTED.model_copy(update={"state": "failed"})).spans] == ["red"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_terminal_obeys_an_id_or_a_reason(job: str, reason: str) -> None:
    shown = line(ROUTED.model_copy(update={"job": job, "reason": reason, "user": reason, "operation": job}))
    assert shown.isprintable()


@given(st.text(max_size=60))
def test_json_is_a_line_that_means_the_same_and_moves_no_cursor(reason: str) -> None:
    body = ROUTED.model_copy(update={"reason": reason}).model_dump_json(exclude_none=True).encode()
    written = json_line(body)
    assert written.isprintable()
    assert read_event(written.encode()) == read_event(body)


def test_json_of_several_lines_becomes_one_with_all_that_was_in_it() -> None:
    assert json.loads(json_line(b'{\n "kind": "vm",\n "new": 1 }')) == {"kind": "vm", "new": 1}
    assert "\n" not in json_line(b"[1,\n2]")
