import gzip
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from producers.flight.files import Recorder, read, write
from producers.flight.lines import BadRecording
from producers.flight.recording import Header, RecordedJob, RecordedState, Recording, recording

HEADER = Header(0, 100_000)
JOBS = tuple(RecordedJob(f"job {n}", "ada", "sketch", n * 10, ended_ms=n * 10 + 5, end="done") for n in range(2_000))
STATE = RecordedState("vm1", 700, "lost")


@pytest.fixture
def whole() -> Recording:
    return recording(HEADER, [*JOBS, STATE])


@pytest.mark.parametrize("name", ["day.jsonl.gz", "day.jsonl"])
def test_what_was_written_is_read(tmp_path: Path, whole: Recording, name: str) -> None:
    path = tmp_path / name
    write(path, whole)
    assert read(path) == whole
    assert (path.read_bytes()[:2] == b"\x1f\x8b") is name.endswith(".gz")


def test_it_is_written_in_order_of_time(tmp_path: Path, whole: Recording) -> None:
    path = tmp_path / "day.jsonl"
    write(path, whole)
    kinds = [json.loads(line)[0] for line in path.read_text().splitlines()[1:-1]]
    assert kinds.index("state") == 70


def test_any_tool_can_unpack_it(tmp_path: Path, whole: Recording) -> None:
    path = tmp_path / "day.jsonl.gz"
    write(path, whole)
    first, *lines, end = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert (first["overspill"], len(lines), end["complete"]) == ("recording", 2_001, True)


@pytest.mark.parametrize("compressed", [True, False])
def test_what_was_flushed_can_be_read_whatever_becomes_of_the_recorder(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "day"
    with path.open("wb") as file:
        recorder = Recorder(file, HEADER, compressed=compressed)
        recorder.write(JOBS[:500])
        recorder.flush()
        flushed = path.read_bytes()
        recorder.write(JOBS[500:])
    path.write_bytes(flushed)
    cut = read(path)
    assert cut.jobs == JOBS[:500]
    assert cut.header == Header(
        0, 4_995, complete=False, missing=("the end: the recorder was stopped before it could write it",)
    )


@pytest.mark.parametrize("name", ["day.jsonl.gz", "day.jsonl"])
def test_wherever_it_is_cut_off_what_came_before_is_used(tmp_path: Path, whole: Recording, name: str) -> None:
    path = tmp_path / name
    write(path, whole)
    data = path.read_bytes()
    found = []
    for part in range(9, 1, -1):
        path.write_bytes(data[: len(data) * part // 10])
        cut = read(path)
        assert cut.jobs == JOBS[: len(cut.jobs)]
        assert not cut.header.complete
        found.append(len(cut.jobs))
    assert found == sorted(found, reverse=True)
    assert found[0] > 1_000


def test_damage_in_the_middle_is_told(tmp_path: Path, whole: Recording) -> None:
    path = tmp_path / "day.jsonl.gz"
    write(path, whole)
    data = path.read_bytes()
    path.write_bytes(data[:-8] + bytes(8))  # the checksum
    told = read(path)
    assert told.jobs == JOBS
    assert "the compressed data is damaged" in told.header.missing[0]


def test_a_recorder_that_fails_says_that_it_is_not_complete() -> None:
    def fails() -> None:
        with Recorder(file, HEADER) as recorder:
            recorder.header = replace(HEADER, to_ms=50, missing=("the first hour",))
            raise RuntimeError

    file = io.BytesIO()
    with pytest.raises(RuntimeError):
        fails()
    end = json.loads(gzip.decompress(file.getvalue()).splitlines()[-1])
    assert end == {"to_ms": 50, "complete": False, "missing": ["the first hour"]}


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n", gzip.compress(b"", mtime=0), gzip.compress(b"hello\n", mtime=0), b"\x1f\x8b"]
)
def test_what_is_no_recording_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "holiday.png"
    path.write_bytes(content)
    with pytest.raises(BadRecording, match=r"holiday\.png: This is not a recording"):
        read(path)


@pytest.mark.parametrize("content", [b'{"overspill":"recording"', bytes(2**24 + 1), gzip.compress(bytes(2**24 + 1))])
def test_a_first_line_without_an_end_is_not_called_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "zeros"
    path.write_bytes(content)
    with pytest.raises(BadRecording, match=r"zeros: This is not a recording: its first line has no end\."):
        read(path)


def test_a_file_that_is_not_there_is_the_callers_to_tell(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing.jsonl.gz")
