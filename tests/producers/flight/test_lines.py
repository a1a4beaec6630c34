import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.flight.credible import LONGEST_LAIN_MS, LONGEST_MS
from producers.flight.lines import BadRecording, Reading, end_text, header_text, last_ms, line_text
from producers.flight.recording import (
    Header,
    Line,
    RecordedCloud,
    RecordedJob,
    RecordedLoad,
    RecordedRouter,
    RecordedState,
    RecordedVm,
    Recording,
    recording,
)

HEADER = Header(1_000, 9_000)
JOB = RecordedJob("j1", "ada", "sketch", 2_000, 2.5, 900, 5, "local", "vm", "vm1", 2_100, 2_900, 780, 1, "done")
LINES: tuple[Line, ...] = (
    JOB,
    RecordedJob("ünder way", "bob", "caption", 3_000),
    RecordedVm("vm1", 1_500, 2, 4, 1.5, ("sketch", "caption")),
    RecordedState("vm1", 1_600, "lost", "3 beats missed"),
    RecordedLoad("vm1", 2_000, (10, -1), (40, -1), (2, -1)),
    RecordedRouter(1_000, "threshold", {"cpu": 40.0}, ("caption",), ("vm2",), ("vm3",)),
    RecordedCloud(1_200, "ready", 32, {"sketch": 2.5}, 5.0, 60, ("sketch",), 9_000_000, 0.25),
    RecordedCloud(8_000, None),
)
TEXT = [header_text(HEADER), *map(line_text, LINES), end_text(HEADER)]


def read(texts: list[str]) -> Recording:
    reading = Reading()
    for text in texts:
        if not reading.feed(text):
            break
    return reading.recording()


def test_what_was_written_is_read() -> None:
    assert read(TEXT) == recording(HEADER, LINES)


ids = st.text(max_size=8)
jobs = st.builds(
    RecordedJob,
    ids,
    ids,
    ids,
    st.integers(0, LONGEST_MS),
    st.none() | st.floats(0, 1e6),
    lain_ms=st.none() | st.integers(0, LONGEST_LAIN_MS),
)


@given(st.lists(jobs))
def test_any_job_is_read_as_it_was_written(told: list[RecordedJob]) -> None:
    assert read([header_text(HEADER), *map(line_text, told), end_text(HEADER)]) == recording(HEADER, told)


def test_a_line_is_a_short_array_that_the_first_line_explains() -> None:
    columns = json.loads(TEXT[0])["columns"]
    assert json.loads(TEXT[4]) == ["state", "vm1", 1_600, "lost", "3 beats missed"]
    assert columns["state"] == ["vm", "at_ms", "state", "reason"]


def test_what_is_missing_is_told() -> None:
    told = replace(HEADER, complete=False, missing=("the first hour",), anonymous=True)
    assert read([header_text(told), end_text(told)]).header == told


def test_without_its_end_a_recording_goes_as_far_as_it_goes() -> None:
    cut = read(TEXT[:-1])
    assert cut.jobs == recording(HEADER, LINES).jobs
    assert (cut.header.complete, cut.header.to_ms) == (False, 8_000)
    assert cut.header.missing == ("the end: the recorder was stopped before it could write it",)
    assert read(TEXT[:1]).header.to_ms == 1_000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1, 2", "line 3 can't be read (JSONDecodeError"),
        ("7", "line 3 can't be read (TypeError"),
        ("[]", "line 3 can't be read (ValueError"),
        ("[[]]", "line 3 can't be read (TypeError"),
        ('["state", "vm1"]', "line 3 can't be read (ValueError"),
        ('["state", "vm1", "soon", "lost", null]', "line 3 can't be read (at_ms: Input should be a valid integer"),
        ("[" * 100_000, "line 3 can't be read (RecursionError"),
    ],
)
def test_a_line_that_makes_no_sense_ends_the_reading_there(text: str, told: str) -> None:
    cut = read([*TEXT[:2], text, *TEXT[2:]])
    assert cut.jobs == (JOB,)
    assert cut.vms == ()
    (missing,) = cut.header.missing
    assert missing.startswith(told)
    assert missing.endswith("what came after it is left out")


def test_an_end_that_makes_no_sense_is_no_end() -> None:
    cut = read([*TEXT[:-1], '{"to_ms": "late"}'])
    assert (cut.header.complete, cut.header.missing) == (False, ("the end, which can't be read",))


def test_a_later_overspill_may_tell_more() -> None:
    told = json.loads(TEXT[0])
    told["columns"]["state"].append("by")
    told["columns"]["weather"] = ["at_ms"]
    later = read([json.dumps(told), '["state", "vm1", 1600, "lost", null, "router a"]', '["weather", 1]', TEXT[-1]])
    assert later.states == (RecordedState("vm1", 1_600, "lost"),)
    assert later.header.missing == ("lines of kinds that this overspill does not know: 1",)


def test_an_earlier_one_may_have_told_less() -> None:
    told = json.loads(TEXT[0])
    told["columns"] = {"job": ["user", "id", "operation", "arrived_ms"]}
    assert read([json.dumps(told), '["job", "ada", "j1", "sketch", 5]', TEXT[-1]]).jobs == (
        RecordedJob("j1", "ada", "sketch", 5),
    )


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], "it is empty"),
        (["PNG"], "its first line"),
        (['["job"]'], "its first line"),
        (['{"overspill": "dashboard"}'], "its first line"),
        (["[" * 100_000], "its first line"),
        (['{"overspill": "recording", "version": 1}'], "lacks the columns"),
        (['{"overspill": "recording", "version": 1, "from_ms": 0, "columns": {"job": 7}}'], "lacks the columns"),
    ],
)
def test_what_is_no_recording_is_refused(texts: list[str], told: str) -> None:
    with pytest.raises(BadRecording, match=f"{told}.*`overspill record FILE` makes one"):
        read(texts)


def test_a_recording_of_a_later_version_names_the_remedy() -> None:
    with pytest.raises(BadRecording, match=r"version 2, this overspill reads version 1\. Read it with the overspill"):
        read([TEXT[0].replace('"version":1', '"version":2')])


def test_a_column_that_an_older_recorder_did_not_know_is_as_if_nothing_was_told() -> None:
    header = json.loads(TEXT[0])
    header["columns"]["router"].remove("quarantined")
    made = read([json.dumps(header), '["router",1000,"threshold",{"cpu":40.0},["caption"],["vm2"]]', TEXT[-1]])
    assert made.routers == (RecordedRouter(1_000, "threshold", {"cpu": 40.0}, ("caption",), ("vm2",)),)
    assert made.header.complete


def test_the_last_moment_that_a_line_tells_of() -> None:
    assert [last_ms(line) for line in LINES] == [2_900, 3_000, 1_500, 1_600, 4_000, 1_000, 1_200, 8_000]
    assert last_ms(replace(JOB, ended_ms=None)) == 2_100
    assert last_ms(replace(JOB, ended_ms=None, began_ms=None, routed_ms=2_050)) == 2_050


def test_a_line_that_cant_be_true_is_left_out_and_counted() -> None:
    far = replace(JOB, arrived_ms=10**18)
    made = read([*TEXT[:-1], line_text(far), end_text(HEADER)])
    assert made.jobs == recording(HEADER, LINES).jobs
    assert made.header.missing == ("lines that can't be true, as times far off or sizes beyond all bounds: 1",)
    assert not made.header.complete


def test_an_end_that_cant_be_true_is_that_of_the_lines() -> None:
    made = read([*TEXT[:-1], end_text(replace(HEADER, to_ms=10**18))])
    assert made.header.to_ms == 8_000
    assert made.header.missing == ("the end, which can't be true",)


@pytest.mark.parametrize("from_ms", [-1, 10**400])
def test_a_beginning_that_is_no_moment_is_refused(from_ms: int) -> None:
    with pytest.raises(BadRecording, match="the moment it begins at"):
        read([header_text(replace(HEADER, from_ms=from_ms))])
