"""The past told again becomes rows."""

import math

from bus.events import Heartbeat, JobEvent, RouterStatus, event_message
from bus.settings import Settings
from ui.web.live.board import Board
from ui.web.live.columns import Columns
from ui.web.live.past import Past, wanted

FIRST = 1000
BEAT = Heartbeat(
    vm="vm1",
    session="s",
    started_ms=0,
    seq=0,
    at_ms=0,
    cpu_percent=10,
    ram_percent=50,
    cores=1,
    slots=1,
    worker="ready",
)


def beat(second: float, vm: str = "vm1", *, ahead_ms: int = 0) -> Heartbeat:
    said = {"vm": vm, "seq": int(second * 10), "at_ms": int(second * 1000) + ahead_ms, "cpu_percent": second % 100}
    return BEAT.model_copy(update=said)


def done(second: float, ran_ms: int = 100) -> JobEvent:
    return JobEvent(state="done", job="j", operation="sketch", at_ms=int(second * 1000), ran_ms=ran_ms)


def told(*events: Heartbeat | JobEvent | RouterStatus, end: int = FIRST + 6, rows: int = 8) -> tuple[Columns, Past]:
    columns = Columns(rows)
    columns.advance(FIRST + 7)
    past = Past(Board(Settings()), columns, first=FIRST, end=end)
    for event in events:
        past.tell(event)
    past.finish()
    return columns, past


def column(columns: Columns, *name: str) -> list[float | None]:
    return [None if math.isnan(value) else value for value in columns.told()[name]]


def test_a_beat_a_second_is_a_row_a_second() -> None:
    columns, _ = told(*(beat(second + 0.5) for second in range(FIRST - 3, FIRST + 6)))
    cpu = column(columns, "vms", "vm1", "cpu")
    assert cpu == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, None, None]  # the last two seconds were heard live


def test_a_vm_that_fell_silent_is_lost_and_has_a_gap() -> None:
    columns, _ = told(
        beat(FIRST - 1), beat(FIRST + 0.5), *(beat(second + 0.5, "vm2") for second in range(FIRST, FIRST + 6))
    )
    cpu = column(columns, "vms", "vm1", "cpu")
    assert cpu[0] is not None
    assert cpu[4:6] == [None, None]


def test_jobs_are_counted_in_their_seconds() -> None:
    columns, past = told(beat(FIRST), done(FIRST + 1.2), done(FIRST + 1.3), beat(FIRST + 2.1), done(FIRST + 2.2))
    assert column(columns, "total", "done")[:4] == [0, 2, 1, 0]
    assert past.board.latencies.told.n == 3


def test_a_time_in_which_nothing_was_told_is_passed_over() -> None:
    late = [beat(FIRST + 60 + second / 10) for second in range(30)]
    columns = Columns(80)
    columns.advance(FIRST + 70)
    past = Past(Board(Settings()), columns, first=FIRST, end=FIRST + 70)
    for event in (beat(FIRST + 0.5), *late):
        past.tell(event)
    past.finish()
    heard = [
        second for second, value in enumerate(column(columns, "vms", "vm1", "cpu"), columns.oldest) if value is not None
    ]
    assert heard[0] == FIRST
    assert FIRST + 60 in heard
    assert FIRST + 30 not in heard


def test_the_little_that_was_told_after_a_silence_counts_too() -> None:
    columns, _ = told(beat(FIRST - 3), beat(FIRST + 4.5))
    assert column(columns, "vms", "vm1", "cpu")[4] == 4.5


def test_one_wrong_clock_is_outvoted() -> None:
    seconds = range(FIRST, FIRST + 6)
    honest = [event for second in seconds for event in (beat(second + 0.1, "a"), beat(second + 0.2, "b"))]
    wrong = [beat(second + 0.3, "wrong", ahead_ms=3_600_000) for second in seconds]
    mixed = [event for pair in zip(honest[::2], honest[1::2], wrong, strict=True) for event in pair]
    columns, past = told(beat(FIRST - 2, "a"), *mixed)
    assert len([value for value in column(columns, "vms", "a", "cpu") if value is not None]) == 6
    assert past.over


def test_what_was_also_heard_live_is_not_counted_twice() -> None:
    _, past = told(*(done(second) for second in range(FIRST, FIRST + 20)), end=FIRST + 2)
    assert past.over
    assert past.board.latencies.told.n < 12


def test_nothing_was_told() -> None:
    columns, past = told()
    assert past.over
    assert len(columns) == 0


def test_only_what_counts_is_parsed() -> None:
    status = RouterStatus(router="r", at_ms=0, routed=0)
    running = done(1).model_copy(update={"state": "running"})
    bodies = [event_message(event, "").body for event in (BEAT, status, done(1), running)]
    assert [wanted(body) for body in [*bodies, b"", b"garbage"]] == [True, True, True, False, False, False]
