from producers.flight.recording import RecordedCloud, RecordedRouter
from producers.flight.rules import GONE_MS, CloudLines, RouterLines
from tests.producers.flight.steps import NOON, bridge, on_vm, routed, router

LIMITS = {"cpu": 40.0, "ram": 90.0}


def test_the_rule_is_written_when_it_changes_and_circumstances_are_no_part_of_it() -> None:
    lines = RouterLines()
    assert lines.status(router(0, policy="threshold")) == [RecordedRouter(NOON, "threshold")]
    assert lines.routed(routed(10, limits={**LIMITS, "slots": 2, "behind_s": 7, "enough_s": 1})) == [
        RecordedRouter(NOON + 10, "threshold", LIMITS)
    ]
    assert lines.routed(routed(20, limits={**LIMITS, "slots": 1})) == []
    assert lines.status(router(1_000, policy="threshold")) == []
    assert lines.routed(routed(1_100, limits={"cpu": 60, "ram": 90})) == [
        RecordedRouter(NOON + 1_100, "threshold", {"cpu": 60, "ram": 90})
    ]
    assert lines.status(router(2_000, policy="predictive")) == [RecordedRouter(NOON + 2_000, "predictive")]


def test_what_an_operator_took_out_of_use_stays_through_placements() -> None:
    lines = RouterLines()
    lines.status(router(0, paused=("caption",), drained=("vm2",), quarantined={"vm9": "stuck", "vm3": "stuck"}))
    assert lines.routed(routed(10, limits=LIMITS)) == [
        RecordedRouter(NOON + 10, "threshold", LIMITS, ("caption",), ("vm2",), ("vm3", "vm9"))
    ]


def test_a_placement_alone_tells_the_rule_too() -> None:
    assert RouterLines().routed(routed(10, limits=LIMITS)) == [RecordedRouter(NOON + 10, "threshold", LIMITS)]


def test_who_decides_nothing_tells_nothing() -> None:
    lines = RouterLines()
    assert lines.status(router(0, active=False, policy="p2c")) == []
    assert lines.routed(routed(0, policy=None)) == []
    assert lines.routed(on_vm("done", 0, policy="p2c")) == []


def test_the_cloud_is_written_when_it_changes() -> None:
    lines = CloudLines()
    known = {"seconds": {"sketch": 2.0}, "money_per_day": 5.0, "jobs_per_minute": 60, "operations": ("sketch",)}
    assert lines.status(bridge(0, **known, largest_bytes=9_000_000, spent_today=1.5)) == [
        RecordedCloud(NOON, "ready", 32, {"sketch": 2.0}, 5.0, 60, ("sketch",), 9_000_000, 1.5)
    ]
    assert lines.status(bridge(1_000, **known, largest_bytes=9_000_000, spent_today=1.6)) == []
    assert [line.state for line in lines.status(bridge(2_000, **known, state="full"))] == ["full"]
    assert lines.status(bridge(3_000, active=False, state="ready")) == []


def test_what_a_bridge_estimates_is_written_now_and_then() -> None:
    lines = CloudLines()
    told = [bridge(second * 1_000, capacity=32 + second, seconds={"sketch": second / 10}) for second in range(31)]
    written = [line for status in told for line in lines.status(status)]
    assert [(line.at_ms - NOON) // 1_000 for line in written] == [0, 10, 20, 30]
    assert written[-1].capacity == 62


def test_a_bridge_that_is_silent_is_gone_and_is_told_of_again_when_it_is_back() -> None:
    lines = CloudLines()
    assert lines.silent(NOON) == []
    lines.status(bridge(0))
    assert lines.silent(NOON + GONE_MS - 1) == []
    assert lines.silent(NOON + 60_000) == [RecordedCloud(NOON + GONE_MS, None)]
    assert lines.silent(NOON + 61_000) == []
    assert [line.state for line in lines.status(bridge(70_000))] == ["ready"]
