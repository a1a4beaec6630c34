"""What `overspill status` tells of the bridges."""

from typing import Any

from bus.events import BridgeStatus
from ui.commands.bridge_view import bridge_lines


def bridge(name: str = "bridge a 1", **said: Any) -> BridgeStatus:
    return BridgeStatus.model_validate({"bridge": name, "state": "ready", "at_ms": 0, **said})


def test_without_a_bridge_there_is_nothing_to_tell() -> None:
    assert bridge_lines([]) == []


def test_a_bridge_that_works_with_its_caps() -> None:
    working = bridge(
        in_flight=3, capacity=32, sent_last_minute=12, jobs_per_minute=60, spent_today=0.0123, money_per_day=5,
        answered=41, gone=2, late=1, seconds={"sketch": 1.2, "caption": 4}, operations=("sketch", "caption"),
    )  # fmt: skip
    assert bridge_lines([bridge("bridge b 2", active=False), working]) == [
        (
            "Bridge: bridge a 1, ready, 3 of 32 jobs in the cloud, 12 of 60 sent in the last minute, "
            "$0.012 of $5.00 spent in 24 hours, 41 answered, 2 for callers who were gone, 1 came late or twice"
        ),
        "In the cloud: serves sketch, caption; an answer takes caption 4.00 s, sketch 1.20 s",
        "Bridges standing by: bridge b 2",
    ]


def test_a_bridge_without_caps_that_has_done_nothing_yet() -> None:
    assert bridge_lines([bridge()]) == [
        "Bridge: bridge a 1, ready, 0 jobs in the cloud, 0 sent in the last minute, $0.00 spent in 24 hours, 0 answered"
    ]


def test_why_a_bridge_holds_back_is_told() -> None:
    (line,) = bridge_lines([bridge(state="broken", reason="5 of 6 jobs failed")])
    assert line.startswith("Bridge: bridge a 1, broken: 5 of 6 jobs failed, 0 jobs")
