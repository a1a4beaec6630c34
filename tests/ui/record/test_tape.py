from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from bus.events import AnyEvent
from producers.flight.files import read
from producers.flight.recording import Recording
from tests.producers.flight.steps import NOON, beat, on_vm, routed, router
from ui.record.span import Span
from ui.record.tape import Tape

HOUR = 3_600_000
USUAL: list[AnyEvent] = [
    router(0),
    beat(0),
    routed(100),
    on_vm("running", 120),
    on_vm("done", 600, ran_ms=470),
    router(1_000),
]
Opener = Callable[[], AbstractContextManager[IO[bytes]]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "day.jsonl"


def hear(tape: Tape, *events: AnyEvent) -> None:
    for event in events:
        tape.hear(event.model_dump_json().encode(), NOON + 2_000)


def taped(path: Path, span: Span, *events: AnyEvent, salt: bytes | None = None) -> Recording:
    with Tape(lambda: path.open("xb"), span, compressed=False, salt=salt) as tape:
        hear(tape, *events)
    assert len(read(path).jobs) == tape.summary.all.jobs
    return read(path)


def test_events_become_a_recording(path: Path) -> None:
    made = taped(path, Span(NOON, NOON + 900, from_now=False), *USUAL)
    assert (made.header.from_ms, made.header.to_ms, made.header.complete) == (NOON, NOON + 900, True)
    assert [(job.id, job.end) for job in made.jobs] == [("j1", "done")]
    assert [len(lines) for lines in (made.vms, made.loads, made.routers)] == [1, 1, 2]


def test_what_the_history_no_longer_has_is_told(path: Path) -> None:
    made = taped(path, Span(NOON - 3 * HOUR, NOON, from_now=False), *USUAL)
    assert made.header.from_ms == NOON
    assert made.header.missing[0].startswith("the first 3 h 0 min: nothing is known of them")


def test_all_that_there_is_lacks_nothing(path: Path) -> None:
    header = taped(path, Span(0, NOON + 900, from_now=False), *USUAL).header
    assert (header.from_ms, header.to_ms, header.missing) == (NOON, NOON + 900, ())


def test_from_now_on_nothing_is_missed_while_nobody_speaks(path: Path) -> None:
    made = taped(path, Span(NOON - 60_000, None, from_now=True), *USUAL)
    assert (made.header.from_ms, made.header.to_ms, made.header.missing) == (NOON - 60_000, NOON + 1_000, ())


def test_without_a_router_time_is_that_of_the_last_word(path: Path) -> None:
    assert taped(path, Span(NOON, None, from_now=True), beat(0), beat(5_000)).header.to_ms == NOON + 5_000


def test_a_vm_whose_clock_is_wrong_does_not_say_when_it_began(path: Path) -> None:
    made = taped(path, Span(NOON, None, from_now=False), beat(86_400_000), *USUAL)
    assert made.header.from_ms == NOON + 2_000


def test_names_can_be_hidden(path: Path) -> None:
    made = taped(path, Span(NOON, None, from_now=True), *USUAL, salt=b"s" * 32)
    assert made.header.anonymous
    assert "ada" not in path.read_text()


def test_garbage_and_gaps_are_told(path: Path) -> None:
    with Tape(lambda: path.open("xb"), Span(NOON, None, from_now=True), compressed=False) as tape:
        hear(tape, *USUAL)
        tape.hear(b"hello", NOON)
        tape.gap(1_200)
    assert read(path).header.missing == (
        "about 1,200 events that the history dropped before they were read",
        "messages that are no events: 1",
    )


def test_it_is_over_when_a_router_says_so_whatever_a_vm_says(path: Path) -> None:
    with Tape(lambda: path.open("xb"), Span(NOON, NOON + 5_000, from_now=True), compressed=False) as tape:
        hear(tape, router(0), beat(60_000))
        assert (tape.is_over, tape.span_ms) == (False, 0)
        hear(tape, router(5_000))
        assert (tape.is_over, tape.span_ms) == (True, 5_000)


def test_nothing_told_leaves_no_file_and_no_other_is_touched(path: Path) -> None:
    path.write_text("yesterday's")
    with Tape(lambda: path.open("wb"), Span(NOON, None, from_now=True), compressed=False) as tape:
        tape.flush(0.0)
    assert (tape.heard, path.read_text()) == (0, "yesterday's")


def test_what_was_flushed_is_there_before_the_end(path: Path) -> None:
    with Tape(lambda: path.open("xb"), Span(NOON, None, from_now=True), compressed=True) as tape:
        hear(tape, *USUAL, router(30_000))
        tape.flush(100.0)
        assert [job.id for job in read(path).jobs] == ["j1"]
        hear(tape, routed(31_000, "j2", "p2"), on_vm("done", 31_100, "j2", "p2"), router(60_000))
        tape.flush(101.0)  # so soon it is not worth its bytes
        assert len(read(path).jobs) == 1
        tape.flush(105.0)
        assert len(read(path).jobs) == 2


def test_an_error_leaves_a_recording_that_is_not_complete(path: Path) -> None:
    def fails() -> None:
        with Tape(lambda: path.open("xb"), Span(NOON, None, from_now=True), compressed=False) as tape:
            hear(tape, *USUAL)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fails()
    assert read(path).header == replace(read(path).header, complete=False)
    assert len(read(path).jobs) == 1


@pytest.mark.parametrize("at_ms", [0, 2**53])
def test_a_word_from_another_age_does_not_set_the_time(path: Path, at_ms: int) -> None:
    false = router(0).model_copy(update={"at_ms": at_ms})
    made = taped(path, Span(0, NOON + 900, from_now=False), false, *USUAL)
    assert (made.header.from_ms, made.header.to_ms) == (NOON, NOON + 900)
    assert [(job.id, job.end) for job in made.jobs] == [("j1", "done")]
    assert made.header.missing == ("events told with a time that can't be true: 1",)
