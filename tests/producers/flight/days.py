"""Recordings to play: a drawn day as a recorder would write it, and days told by hand."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from producers.flight.files import read
from producers.flight.outcomes import Times
from producers.flight.recording import Header, RecordedJob, RecordedRouter, RecordedVm, Recording
from tests.simulation.day import DaySpec, record, run_day, scenario

BEGINS_MS = 1_800_000_000_000


@cache
def drawn(spec: DaySpec) -> Recording:
    """What a recorder that listened to a drawn day has written; the same for all tests of a process."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "day.jsonl.gz"
        record(spec, path)
        return read(path)


SMALL = DaySpec(jobs=800, seconds=345.6)
BACKLOG = DaySpec(jobs=400, seconds=345.6, cloud=False, mishaps=False, backlog=500)
"""A router looks ahead at 128 jobs of a lane."""


@cache
def truly(spec: DaySpec) -> Times:
    """From when jobs were sent to their answers, seconds, as it was in a drawn day, and not as it was recorded."""
    log, tasks = run_day(spec), scenario(spec).tasks
    ended = enumerate(zip(log.end, log.ended_s, strict=True))
    return Times.of(ended_s - tasks[number].arrival_s for number, (end, ended_s) in ended if end == "done")


def unsaid(recording: Recording) -> Recording:
    """The same, where no caller says when a job was sent."""
    return replace(recording, jobs=tuple(replace(job, lain_ms=None) for job in recording.jobs))


def job(number: int, at_s: float, took_s: float = 1.0, **more: object) -> RecordedJob:
    """A sketch that ran on `vm1` as soon as it came, unless told otherwise."""
    arrived = BEGINS_MS + int(at_s * 1000)
    told: dict[str, object] = {
        "id": str(number),
        "user": "anna",
        "operation": "sketch",
        "arrived_ms": arrived,
        "megapixels": 2.0,
        "bytes": 500_000,
        "route": "vm",
        "vm": "vm1",
        "routed_ms": arrived,
        "began_ms": arrived,
        "ended_ms": arrived + int(took_s * 1000),
        "ran_ms": int(took_s * 1000),
        "attempts": 1,
        "end": "done",
    }
    return RecordedJob(**{**told, **more})  # type: ignore[arg-type]


def vm(name: str = "vm1", slots: int = 2, at_s: float = 0.0) -> RecordedVm:
    """A VM that serves sketches and captions."""
    return RecordedVm(name, BEGINS_MS + int(at_s * 1000), slots, 1, 4.0, ("sketch", "caption"))


def told(*jobs: RecordedJob, seconds: float = 100.0, vms: tuple[RecordedVm, ...] | None = None) -> Recording:
    """A recording of these jobs under the 40 % rule."""
    return Recording(
        header=Header(BEGINS_MS, BEGINS_MS + int(seconds * 1000)),
        jobs=jobs,
        vms=(vm(),) if vms is None else vms,
        routers=(RecordedRouter(BEGINS_MS, "threshold", {"cpu": 40.0, "ram": 90.0}),),
    )
