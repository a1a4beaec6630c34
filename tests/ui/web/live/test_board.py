"""What is heard becomes samples and rows."""

from typing import Any

import pytest

from bus.events import BridgeStatus, Heartbeat, JobEvent, RouterStatus, UserBacklog
from bus.settings import Settings
from ui.web.live.board import Board
from ui.web.live.sample import Latency, Sample

AT_MS = 1_800_000_000_500
DEPTHS = {"lane.00": 2, "lane.03": 1, "dead": 4, "overflow": 0, "vm.vm1": 1, "parked.caption": None}


def beat_of(vm: str = "vm1", seq: int = 1, **said: Any) -> Heartbeat:
    given = {
        "session": "s", "started_ms": 0, "at_ms": 0, "cpu_percent": 12.04, "ram_percent": 50.0, "cores": 2, "slots": 2,
        "look_ahead": 1, "held": ("a", "b"), "running": 1, "operations": ("sketch",), "worker": "ready",
        "not_served": {"caption": "needs torch"}, "oldest_running_s": 0.52,
    }  # fmt: skip
    return Heartbeat(vm=vm, seq=seq, **{**given, **said})


def job(state: str, operation: str = "sketch", **said: Any) -> JobEvent:
    return JobEvent.model_validate({"state": state, "job": "j", "operation": operation, "at_ms": 0, **said})


def router(**said: Any) -> RouterStatus:
    return RouterStatus.model_validate({"router": "router a 1", "at_ms": 0, "routed": 7, **said})


def bridge(**said: Any) -> BridgeStatus:
    return BridgeStatus.model_validate({"bridge": "bridge a 1", "state": "ready", "at_ms": 0, **said})


def board_of(*events: Heartbeat | JobEvent | RouterStatus | BridgeStatus, now: float = 10.0) -> Board:
    board = Board(Settings())
    for event in events:
        board.hear(event, now)
    return board


def sample_of(board: Board, now: float = 10.5) -> Sample:
    return board.sample(AT_MS, now, DEPTHS, connected=True)


def test_a_vm_with_all_its_figures() -> None:
    board = board_of(beat_of(), beat_of(seq=2, cpu_percent=32.04))
    assert sample_of(board).vms["vm1"].model_dump(exclude_none=True) == {
        "state": "busy", "drained": False, "cpu": 32.0, "load": 22.0, "ram": 50.0, "cores": 2.0, "slots": 2,
        "look_ahead": 1, "running": 1, "held": 2, "queued": 1, "age_s": 0.5, "operations": ("sketch",),
        "not_served": {"caption": "needs torch"}, "oldest_running_s": 0.5,
    }  # fmt: skip


def test_queues_are_told_by_lane_and_in_sum_once_they_are_counted() -> None:
    told = sample_of(board_of())
    assert {name: count for name, count in told.lanes.items() if count} == {"lane.00": 2, "lane.03": 1}
    assert len(told.lanes) == 16
    assert (told.queues["lanes"], told.queues["dead"], told.queues["parked.caption"]) == (3, 4, 0)
    uncounted = board_of().sample(AT_MS, 10.5, {}, connected=False)
    assert (uncounted.lanes, uncounted.queues, uncounted.connected) == ({}, {}, False)


def test_what_the_router_says() -> None:
    users = (UserBacklog(user="anna", queued=8, seconds=12),)
    waiting = {"caption": "no VM serves caption"}
    said = router(users=users, waiting=waiting, paused=("sketch",), policy="p2c", queued=3, cloud="open")
    told = sample_of(board_of(router(router="b", active=False), said, beat_of()))
    assert told.router is not None
    assert told.router.model_dump() == {
        "name": "router a 1",
        "policy": "p2c",
        "routed": 7,
        "queued": 3,
        "cloud": "open",
    }
    assert [(user.user, user.queued, user.seconds) for user in told.users] == [("anna", 8, 12)]
    assert (told.waiting, told.paused, told.standby) == (waiting, ("sketch",), ("b",))
    assert told.why[0] == "caption: no VM serves caption"


def test_without_a_router_the_remedy_is_told() -> None:
    told = sample_of(board_of())
    assert (told.router, told.cloud, told.users) == (None, None, ())
    assert "Start one: `overspill router`" in told.why[0]


def test_what_the_bridge_says() -> None:
    said = bridge(
        in_flight=3,
        capacity=32,
        spent_today=0.25,
        money_per_day=5,
        sent_last_minute=9,
        jobs_per_minute=60,
        operations=("sketch",),
    )
    told = sample_of(board_of(bridge(bridge="b", active=False), said)).cloud
    assert told is not None
    assert told.model_dump(exclude_none=True) == {
        "name": "bridge a 1", "state": "ready", "in_flight": 3, "capacity": 32, "spent_today": 0.25,
        "money_per_day": 5.0, "sent_last_minute": 9, "jobs_per_minute": 60, "seconds": {},
        "operations": ("sketch",),
    }  # fmt: skip


def test_jobs_are_counted_in_the_second_in_which_they_were_told() -> None:
    board = board_of(job("routed", vm="vm1"), job("routed", vm="vm1"), job("routed", route="cloud"), job("failed"))
    board.hear(job("done", waited_ms=40, ran_ms=60), 10.0)
    board.hear(job("running"), 10.0)
    assert sample_of(board).done == 0
    board.roll()
    told = sample_of(board)
    assert (told.placed, told.done, told.failed) == ({"vm1": 2, "cloud": 1}, 1, 1)
    assert told.second_ms == 1_799_999_999_000
    board.roll()
    assert sample_of(board).placed == {}


def test_latencies_are_from_being_taken_up_to_the_end() -> None:
    board = board_of(job("done", waited_ms=400, ran_ms=600), job("done", ran_ms=1000), job("done"))
    told = sample_of(board).latency
    assert told.n == told.by_operation["sketch"].n == 2
    assert 990 <= (told.p50 or 0) <= 1010


def test_a_lost_vm_has_no_readings_and_says_why() -> None:
    board = board_of(beat_of())
    assert board.tick(13.2)
    assert not board.tick(13.3)
    told = sample_of(board, 14.0).vms["vm1"]
    assert (told.state, told.cpu, told.load, told.ram, told.running) == ("lost", None, None, None, 0)
    assert told.reason == "not heard from for 3.2 s"


def test_a_vm_lost_before_we_listened_is_told_in_words() -> None:
    sample = sample_of(board_of(beat_of(), router(lost={"vm2": 60.0})))
    assert list(sample.vms) == ["vm1"]
    assert any(why.startswith("vm2 is lost: its last beat was 1 min") for why in sample.why)


def test_a_vm_that_is_forgotten_is_gone() -> None:
    board = board_of(beat_of())
    assert sample_of(board, 100_000.0).vms == {}
    board.hear(beat_of(seq=2), 100_001.0)
    assert list(sample_of(board, 100_001.0).vms) == ["vm1"]


def test_of_two_machines_with_one_name_the_one_that_is_believed_is_shown() -> None:
    board = board_of(beat_of(started_ms=5, cpu_percent=10))
    assert not board.hear(beat_of(session="old", started_ms=1, cpu_percent=90), 10.1)
    assert sample_of(board).vms["vm1"].cpu == 10


def test_one_vm_more_than_are_known_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.fleet.MOST_VMS", 1)
    board = board_of(beat_of("vm1"), beat_of("forged"))
    assert sample_of(board).vms.keys() == {"vm1"}
    assert [name for name in board.row(10.5, DEPTHS) if "forged" in name] == []


def test_news_that_should_not_wait() -> None:
    board = Board(Settings())
    assert board.hear(beat_of(), 10.0)  # it joined
    assert not board.hear(beat_of(seq=2), 11.0)
    assert board.hear(beat_of(seq=3, cpu_percent=60), 12.0)  # its load jumped
    assert board.hear(router(), 12.0)
    assert not board.hear(router(routed=8), 13.0)
    assert board.hear(router(drained=("vm1",)), 13.0)
    assert board.hear(bridge(), 13.0)
    assert not board.hear(bridge(in_flight=1), 13.0)
    assert board.hear(bridge(state="broken"), 13.0)
    assert not board.hear(job("done"), 13.0)


def test_a_row_has_a_figure_for_all_that_is_drawn() -> None:
    board = board_of(
        beat_of(), beat_of("vm2"), job("routed", vm="vm1"), job("routed", route="cloud"), bridge(in_flight=2)
    )
    board.roll()
    board.hear(beat_of(seq=2), 13.5)
    row = board.row(14.0, DEPTHS)
    assert (row["vms", "vm1", "cpu"], row["vms", "vm1", "held"], row["vms", "vm2", "cpu"]) == (12.0, 2, None)
    assert (row["placed", "vm1"], row["placed", "vm2"], row["placed", "cloud"]) == (1, 0, 1)
    assert (row["queues", "lanes"], row["total", "done"], row["total", "p50"]) == (3, 0, None)
    assert (row["total", "in_flight"], row["total", "spent_today"]) == (2, 0.0)
    bare = Board(Settings()).row(14.0, {})
    assert set(bare) == {("total", name) for name in ("done", "failed", "p50", "p95", "p99")}


def test_every_queue_is_counted() -> None:
    assert {"lane.00", "dead", "vm.vm1"} <= set(board_of(beat_of()).queues(10.0))


def test_a_sample_travels_without_nulls() -> None:
    told = sample_of(board_of(beat_of())).model_dump(mode="json", exclude_none=True)
    assert "router" not in told
    assert told["latency"] == Latency(n=0).model_dump(exclude_none=True)
