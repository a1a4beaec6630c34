import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.bench.histogram import Times


def times(*seconds: float) -> Times:
    made = Times()
    for each in seconds:
        made.add(each)
    return made


def test_percentiles_are_those_of_the_times() -> None:
    told = times(*(n / 1000 for n in range(1, 1001))).percentiles()
    assert told == pytest.approx(
        {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999, "max": 1.0}, rel=0.002
    )


def test_nothing_has_no_percentiles() -> None:
    assert (times().percentiles(), len(times()), times().longest) == ({}, 0, 0.0)


def test_what_is_out_of_range_counts_at_its_end() -> None:
    assert times(-1.0, 7200.0).percentiles() == pytest.approx({**dict.fromkeys(
        ("p90", "p95", "p99", "p99_9", "max"), 3600.0), "p50": 0.0}, rel=0.002)  # fmt: skip


@given(st.lists(st.floats(0, 3000), min_size=1, max_size=100))
def test_percentiles_rise_and_a_thousandth_is_all_that_is_lost(seconds: list[float]) -> None:
    told = list(times(*seconds).percentiles().values())
    assert told == sorted(told)
    assert told[-1] == pytest.approx(max(seconds), rel=0.001, abs=1e-5)


def test_sums_count_all_and_leave_the_parts_alone() -> None:
    a, b, none = times(0.1, 0.2), times(0.3), times()
    assert Times.together([a, none, b]).percentiles()["max"] == pytest.approx(0.3, rel=0.001)
    assert (len(Times.together([a, none, b])), len(a), len(b)) == (3, 2, 1)


def test_the_plotter_s_file_has_the_library_s_own_lines_in_milliseconds() -> None:
    made = times(*(n / 100 for n in range(1, 300)))
    theirs: Any = io.BytesIO()
    made._counts.output_percentile_distribution(theirs, 100)  # hundredths of a millisecond

    def table(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith("#")]

    assert table(made.hgrm()) == table(theirs.getvalue().decode())
    notes = made.hgrm().splitlines()[-3:]
    assert [note[:10] for note in notes] == ["#[Mean    ", "#[Max     ", "#[Buckets "]
    deviation = float(notes[0].split("=")[2].strip(" ]"))
    assert deviation == pytest.approx(863.1, rel=0.002)  # (3000 - 10) ms of even steps over the root of 12


def test_of_nothing_the_plotter_s_file_has_no_lines() -> None:
    assert [line for line in times().hgrm().splitlines() if line and line[0] not in "#V "] == []
