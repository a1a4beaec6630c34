"""How far a replay can be believed: the day played unchanged against the day as it was. Pure."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, nan
from typing import Final

from producers.flight.arrivals import IN_LINE, as_sent
from producers.flight.known import rule, settled
from producers.flight.outcomes import Figures
from producers.flight.recording import NO_READING, RecordedJob, Recording
from producers.flight.what_if import WhatIf
from producers.placement.policies import reads

LARGE: Final = 0.1
"""Of a percentile: the error from which what is played says little of what would be."""
LARGE_SHARE: Final = 0.05
FEW_JOBS: Final = 1000
SHORT_MS: Final = 3_600_000
MUCH_UNSEEN: Final = 0.02
"""Of the jobs."""
FOLLOWS_MS: Final = 100
"""A job that comes so soon after another of its user's was placed has come in its room."""


@dataclass(frozen=True, slots=True)
class Errors:
    """By how much the unchanged replay is off: of percentiles as shares of them, of the overflow as it stands."""

    p50: float
    p95: float
    p99: float
    overflow: float

    @classmethod
    def of(cls, played: Figures, recorded: Figures) -> "Errors":
        """What is too long, or too much, is above 0."""
        one, other = played.answer, recorded.answer
        overflow = played.overflow - recorded.overflow
        return cls(_off(one.p50, other.p50), _off(one.p95, other.p95), _off(one.p99, other.p99), overflow)

    @property
    def large(self) -> tuple[str, ...]:
        """Those that are too large, in words."""
        names = {"median": self.p50, "95th percentile": self.p95, "99th percentile": self.p99}
        said = [f"the {name} by {error:+.0%}" for name, error in names.items() if _over(error, LARGE)]
        overflow = f"the overflow by {100 * self.overflow:+.1f} points"
        return (*said, overflow) if _over(self.overflow, LARGE_SHARE) else tuple(said)


def _off(played: float, recorded: float) -> float:
    return played / recorded - 1 if recorded else nan


def _over(error: float, most: float) -> bool:
    return not isfinite(error) or abs(error) > most


def warnings(recording: Recording, errors: Errors, what_if: WhatIf) -> list[str]:
    """Why not to believe what was played, the gravest first; empty where nothing speaks against it."""
    large = errors.large
    said = [f"Played unchanged, the day comes out differently: {', '.join(large)}."] if large else []
    return [*said, *_of_the_file(recording), *_of_the_rule(recording), *_of_the_question(recording, what_if)]


def _of_the_file(recording: Recording) -> list[str]:
    header, jobs = recording.header, recording.jobs
    lasts_ms = header.to_ms - header.from_ms
    unended = sum(job.end is None for job in jobs)
    said = [f"The recording is incomplete: {what}." for what in header.missing]
    if not header.complete and not header.missing:
        said.append("The recording is incomplete.")
    if len(jobs) < FEW_JOBS or lasts_ms < SHORT_MS:
        said.append(f"The recording is short: {len(jobs):,} jobs in {lasts_ms / 3_600_000:.1f} h.")
    if unended > MUCH_UNSEEN * len(jobs):
        said.append(f"The end of {unended:,} of {len(jobs):,} jobs was not seen.")
    unsized = sum(job.megapixels is None for job in jobs)
    if unsized > MUCH_UNSEEN * len(jobs):
        said.append(f"The size of {unsized:,} of {len(jobs):,} pictures is not known: they count as of 4 megapixels.")
    return [*said, *_of_the_lanes(as_sent(recording).jobs)]


def _of_the_lanes(jobs: tuple[RecordedJob, ...]) -> list[str]:
    """Whether jobs seem to have lain where no router looked: they came at the pace at which others were placed.

    Those count whose callers did not say when they sent them, or can't be believed.
    """
    lines: dict[str, list[RecordedJob]] = defaultdict(list)
    for job in jobs:
        lines[job.user].append(job)
    behind = [follows for line in lines.values() for follows in _behind_others(line)]
    if sum(behind) <= max(MUCH_UNSEEN * len(jobs), len(behind) / 2):
        return []
    said = f"{sum(behind):,} of {len(jobs):,} jobs were taken up as others of their user were placed: they had lain in"
    return [f"{said} their lane before, unseen. More VMs or a cloud look better than they would be, fewer worse."]


def _behind_others(line: list[RecordedJob]) -> Iterator[bool]:
    """Of a user's jobs that came while there was a line, from when is not known: whether each came as another left."""
    left_ms = sorted(job.routed_ms or job.ended_ms or job.arrived_ms for job in line)
    for before, job in enumerate(line):
        gone = bisect_left(left_ms, job.arrived_ms + 1)
        if job.end is not None and job.lain_ms != 0 and before - gone >= IN_LINE - 1:
            yield gone > 0 and job.arrived_ms - left_ms[gone - 1] <= FOLLOWS_MS


def _of_the_rule(recording: Recording) -> list[str]:
    said = []
    told, rules = rule(recording), {(each.policy, *sorted(each.limits.items())) for each in settled(recording)}
    if told is None:
        said.append("No router told of its rule: played under the default one.")
    elif len(rules) > 1:
        said.append(f"The rule was changed while it was recorded: played under one, {told.policy}.")
    if any(router.paused for router in recording.routers):
        said.append("Operations were paused while it was recorded: played as if they were not.")
    slots = {(vm.vm, vm.slots) for vm in recording.vms if vm.slots}
    changed = sorted(vm for vm, times in Counter(vm for vm, _ in slots).items() if times > 1)
    if changed:
        said.append(f"The slots of {', '.join(changed)} were changed while it was recorded: played with the last ones.")
    if recording.vms and not any(reading != NO_READING for load in recording.loads for reading in load.cpu):
        said.append("There are no heartbeats in it: the VMs are taken to do nothing but their jobs.")
    return said


def _of_the_question(recording: Recording, what_if: WhatIf) -> list[str]:
    said = []
    if what_if.cloud and not any(cloud.state for cloud in recording.clouds):
        said.append("No cloud was recorded: its times and prices are what overspill takes before it knows better.")
    elif recording.clouds and what_if.cloud is not False and not _was_used(recording):
        said.append("No job was answered by the cloud: its times and prices are what its bridge told, or a guess.")
    asked = {"cpu": what_if.cpu_threshold, "ram": what_if.ram_threshold}
    policy = what_if.policy or ("threshold" if (told := rule(recording)) is None else told.policy)
    unread = [name.upper() for name, asked_for in asked.items() if asked_for is not None and not reads(policy, name)]
    if unread:
        said.append(f"The policy {policy} looks at no threshold of {' or '.join(unread)}: that changes nothing.")
    absent = sorted(set(what_if.user_weights) - {job.user for job in recording.jobs})
    if absent:
        said.append(f"Nobody of the name {', '.join(absent)} sent a job.")
    return said


def _was_used(recording: Recording) -> bool:
    return any(job.route == "cloud" and job.end == "done" for job in recording.jobs)
