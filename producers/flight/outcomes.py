"""What became of the jobs of a day, recorded or played, as figures that can be laid side by side. Pure.

Times are seconds; percentiles are of jobs that were answered with a result, and that the recording knows the end of.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, nan
from typing import Final, Literal

from producers.flight.recording import RecordedJob, Recording
from producers.simulation.log import Log
from producers.simulation.tasks import Task

WAITED_S: Final = 1.0
"""From so long a wait on a job counts as one that waited."""
FEWEST_OF_A_USER: Final = 5
"""Jobs of a user from which their mean counts for fairness."""

Place = Literal["vm", "cloud"]


@dataclass(frozen=True, slots=True)
class Ended:
    """One job with a result. `took_s` is from its arrival to its answer, `waited_s` to its beginning."""

    number: int
    arrived_s: float
    user: str
    operation: str
    place: Place
    took_s: float
    waited_s: float
    ran_s: float
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Day:
    """One run of the day: `ended` in the order of arrival, and how many jobs came to something else.

    `slot_s` is what the VMs had to give: their slots times the seconds they took jobs.
    """

    ended: tuple[Ended, ...]
    refused: int
    unanswered: int
    slot_s: float
    span_s: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """The day as it was, played unchanged, and, where something was to be different, so."""

    recorded: Day
    unchanged: Day
    hypothetical: Day | None


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles of a time, seconds; not a number where there is none."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Times":
        """The nearest-rank percentiles."""
        found = sorted(seconds)
        return cls(*(_percentile(found, percent) for percent in (50, 95, 99)))


@dataclass(frozen=True, slots=True)
class Figures:
    """A day in numbers. Shares are 0 to 1, `cost` US dollars.

    `fairness` is Jain's index (Jain, Chiu and Hawe 1984) of the users' mean stretch, which is a job's time to its
    answer over its run: 1 when everybody waits alike for what they ask.
    """

    jobs: int
    refused: int
    unanswered: int
    answer: Times
    by_operation: dict[str, Times]
    overflow: float
    cost: float
    utilisation: float
    fairness: float
    wait: Times
    waited: float
    """Share of jobs that waited for over a second."""


def figures(day: Day) -> Figures:
    """Sum a day up."""
    took: dict[str, list[float]] = defaultdict(list)
    for job in day.ended:
        took[job.operation].append(job.took_s)
    jobs = len(day.ended)
    busy_s = sum(job.ran_s for job in day.ended if job.place == "vm")
    return Figures(
        jobs=jobs,
        refused=day.refused,
        unanswered=day.unanswered,
        answer=Times.of(job.took_s for job in day.ended),
        by_operation={name: Times.of(took[name]) for name in sorted(took)},
        overflow=sum(job.place == "cloud" for job in day.ended) / jobs if jobs else nan,
        cost=sum(job.cost for job in day.ended),
        utilisation=busy_s / day.slot_s if day.slot_s else nan,
        fairness=jain(_stretches(day.ended)),
        wait=Times.of(job.waited_s for job in day.ended),
        waited=sum(job.waited_s > WAITED_S for job in day.ended) / jobs if jobs else nan,
    )


def jain(shares: Sequence[float]) -> float:
    """Jain's index: 1 when all are equal, 1/n when one has everything; not a number of nobody."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else nan


def _stretches(ended: Iterable[Ended]) -> list[float]:
    users: dict[str, list[float]] = defaultdict(list)
    for job in ended:
        users[job.user].append(job.took_s / max(job.ran_s, 0.001))
    return [sum(each) / len(each) for each in users.values() if len(each) >= FEWEST_OF_A_USER]


def _percentile(found: Sequence[float], percent: float) -> float:
    return found[max(0, ceil(len(found) * percent / 100) - 1)] if found else nan


def recorded(recording: Recording, slot_s: float) -> Day:
    """The day as it was."""
    begins_ms = recording.header.from_ms
    ended = tuple(_as_recorded(number, job, begins_ms) for number, job in enumerate(recording.jobs) if counts(job))
    refused = sum(job.end in {"failed", "unanswerable"} for job in recording.jobs)
    unanswered = len(recording.jobs) - refused - len(ended)
    return Day(ended, refused, unanswered, slot_s, (recording.header.to_ms - begins_ms) / 1000)


def counts(job: RecordedJob) -> bool:
    """Whether a job was answered with a result, and it is known when."""
    return job.end == "done" and job.ended_ms is not None


def _as_recorded(number: int, job: RecordedJob, begins_ms: int) -> Ended:
    took_s = max(0.0, ((job.ended_ms or 0) - job.arrived_ms) / 1000)
    ran_s = ran_for_s(job) or 0.0
    return Ended(
        number=number,
        arrived_s=(job.arrived_ms - begins_ms) / 1000,
        user=job.user,
        operation=job.operation,
        place="cloud" if job.route == "cloud" else "vm",
        took_s=took_s,
        waited_s=max(0.0, took_s - ran_s),
        ran_s=ran_s,
        cost=job.cost or 0.0,
    )


def ran_for_s(job: RecordedJob) -> float | None:
    """How long a job kept its slot, or the cloud, busy: seconds; None where its run was not seen.

    On a VM from its beginning to its answer where both were told, else what it computed. In the cloud from when it was
    sent to its answer: how much of that it computed tells nothing of when the next one will be back.
    """
    if job.ended_ms is not None:
        since_ms = job.routed_ms if job.route == "cloud" else job.began_ms
        if since_ms is not None and job.ended_ms >= since_ms:
            return max(job.ended_ms - since_ms, job.ran_ms or 0, 1) / 1000
    return None if job.ran_ms is None else max(job.ran_ms, 1) / 1000


def played(log: Log, tasks: Sequence[Task], numbers: Sequence[int], known: Iterable[int], day: Day) -> Day:
    """The day as it was played: of the jobs that the recording knows the end of, those that were answered.

    Args:
        log: What became of each task.
        tasks: In the order of the log.
        numbers: The recorded job that each task is.
        known: Recorded jobs whose end is known, in order.
        day: Has the slots' seconds and the span.
    """
    compared = sorted(known)
    places = {"done": "vm", "cloud": "cloud"}
    ended = tuple(
        _as_played(log, task, index, number, "cloud" if places[log.end[index]] == "cloud" else "vm")
        for index, (task, number) in enumerate(zip(tasks, numbers, strict=True))
        if log.end[index] in places and _has(compared, number)
    )
    return Day(ended, log.end.count("refused"), log.open, day.slot_s, day.span_s)


def _as_played(log: Log, task: Task, index: int, number: int, place: Place) -> Ended:
    took_s = log.ended_s[index] - task.arrival_s
    ran_s = log.ran_s[index]
    return Ended(
        number=number,
        arrived_s=task.arrival_s,
        user=task.user,
        operation=task.operation,
        place=place,
        took_s=took_s,
        waited_s=max(0.0, took_s - ran_s),
        ran_s=ran_s,
        cost=log.costs[index],
    )


def _has(found: Sequence[int], number: int) -> bool:
    place = bisect_left(found, number)
    return place < len(found) and found[place] == number
