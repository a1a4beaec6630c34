"""When jobs were sent, as far as their callers' clocks can be believed. Pure.

A router knows when it took a job up. One that had lain in its lane behind others, where no router looked, was sent
before, and only its caller says when. That clock may be wrong, so not all is believed:

- what every job of a user's seems to have lain at the least may be a clock that is late, and is left out;
- a lane keeps its order: a job was not sent before another of its user's that was taken up earlier;
- behind a look-ahead that is not full lies nothing: while nobody was in line, no job lay in a lane.

What is not believed is as if nobody had told it: the job comes when the router takes it up.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Final

from bus.messages import INTERACTIVE
from producers.flight.notes import FORGOTTEN_MS
from producers.flight.recording import RecordedJob, Recording

IN_LINE: Final = 4
"""Jobs of a lane that a router looks at to begin with: where fewer are in line, none lies behind them."""
UNSURE_MS: Final = 2000
"""By how much jobs may seem to be sent out of their order: callers tell whole seconds, and what lay in a lane for no
longer than one is recorded as if it had not."""
BREAK_MS: Final = 1000
"""A line that is gone for no longer is the same line: a router takes jobs up after it has placed some."""


def as_sent(recording: Recording) -> Recording:
    """The recording with its jobs arriving when they were sent; one that was there before it begins comes as it begins.

    What is left of a job's `lain_ms` is not believed.
    """
    begins_ms, jobs = recording.header.from_ms, recording.jobs
    if not any(job.lain_ms or job.arrived_ms < begins_ms for job in jobs):
        return recording
    sent_ms = _sent_ms(jobs, _Lines.of(jobs, recording.header.to_ms))
    moved = [(max(at_ms, begins_ms), _moved(job, at_ms, begins_ms)) for job, at_ms in zip(jobs, sent_ms, strict=True)]
    return replace(recording, jobs=tuple(job for _, job in sorted(moved, key=itemgetter(0))))


def _moved(job: RecordedJob, sent_ms: int, begins_ms: int) -> RecordedJob:
    if begins_ms <= sent_ms == job.arrived_ms:
        return job
    rest_ms = None if job.lain_ms is None else job.lain_ms - (job.arrived_ms - sent_ms)
    return replace(job, arrived_ms=max(sent_ms, begins_ms), lain_ms=rest_ms)


@dataclass(frozen=True, slots=True)
class _Lines:
    """When there was a line of jobs, whoever's: from when to when, milliseconds."""

    began: Sequence[int]
    ended: Sequence[int]

    @classmethod
    def of(cls, jobs: Iterable[RecordedJob], until_ms: int) -> "_Lines":
        spans: list[tuple[int, int]] = []
        for began_ms, ended_ms in _full(jobs, until_ms):
            if spans and began_ms - spans[-1][1] <= BREAK_MS:
                spans[-1] = (spans[-1][0], ended_ms)
            else:
                spans.append((began_ms, ended_ms))
        return cls([began for began, _ in spans], [ended for _, ended in spans])

    def since_ms(self, at_ms: int) -> int:
        """Since when there had been a line at a moment; since then where there was none."""
        last = bisect_right(self.began, at_ms) - 1
        return self.began[last] if last >= 0 and at_ms <= self.ended[last] + BREAK_MS else at_ms


def _full(jobs: Iterable[RecordedJob], until_ms: int) -> Iterator[tuple[int, int]]:
    """When so many were in line that there may have been more behind them: all but the one that takes a place."""
    changes = sorted(change for job in jobs for change in ((job.arrived_ms, 1), (_left_ms(job, until_ms), -1)))
    in_line, since_ms = 0, 0
    for at_ms, change in changes:
        in_line += change
        if change > 0 and in_line == IN_LINE - 1:
            since_ms = at_ms
        elif change < 0 and in_line == IN_LINE - 2:
            yield since_ms, at_ms


def _left_ms(job: RecordedJob, until_ms: int) -> int:
    """When a job left the line: as it was placed or refused; one of which neither was heard was in it for a while."""
    unheard_ms = min(until_ms, job.arrived_ms + FORGOTTEN_MS)
    return max(job.routed_ms or job.ended_ms or unheard_ms, job.arrived_ms)


def _sent_ms(jobs: Iterable[RecordedJob], lines: _Lines) -> Iterator[int]:
    """When each was sent, as far as it is believed."""
    least_ms = _least_ms(jobs)
    latest_ms: dict[tuple[str, bool], int] = {}
    for job in jobs:
        sent_ms = job.arrived_ms
        if job.lain_ms is not None:
            queue = (job.user, job.priority >= INTERACTIVE)  # a broker may hand out the urgent ones first
            told_ms = job.arrived_ms - (job.lain_ms - least_ms[job.user])
            before_ms = latest_ms.get(queue, told_ms)
            sent_ms = max(told_ms, before_ms - UNSURE_MS, lines.since_ms(job.arrived_ms))
            latest_ms[queue] = max(sent_ms, before_ms)
        yield sent_ms


def _least_ms(jobs: Iterable[RecordedJob]) -> dict[str, int]:
    """For how long each user's jobs seem to have lain at the least."""
    least_ms: dict[str, int] = {}
    for job in jobs:
        if job.lain_ms is not None:
            least_ms[job.user] = min(job.lain_ms, least_ms.get(job.user, job.lain_ms))
    return least_ms
