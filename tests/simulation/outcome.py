"""What to read out of a run."""

from dataclasses import dataclass

import numpy as np

from producers.simulation.log import Log
from tests.simulation.workloads import Floats, Ints, Workload

WARM_UP = 0.1
"""Share of jobs, the first, that are left out of a run's figures: nothing is known of the VMs yet."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A run in numbers; seconds."""

    p50: float
    p95: float
    p99: float
    worst: float
    utilisation: float
    """Share of the time in which a VM's slots were computing, mean over the fleet."""
    overflow: float
    retried: float
    coverage: float
    """Share of the ranges told to waiting jobs that held."""


def completion_s(log: Log, load: Workload) -> Floats:
    """Seconds from a job's arrival to its answer, the warm-up left out."""
    return (np.array(log.ended_s) - load.arrival_s)[int(len(load) * WARM_UP) :]


def figures(log: Log, load: Workload, slots: int) -> Figures:
    """Sum a run up; `slots` are the whole fleet's."""
    times = completion_s(log, load)
    p50, p95, p99 = (float(np.percentile(times, percent)) for percent in (50, 95, 99))
    span = float(load.arrival_s[-1] - load.arrival_s[0])
    within = np.clip(np.array(log.ended_s), None, load.arrival_s[-1])
    busy = np.clip(within - np.array(log.began_s), 0, None)
    ends = np.array(log.end)
    return Figures(
        p50=p50,
        p95=p95,
        p99=p99,
        worst=float(times.max()),
        utilisation=float(np.nansum(np.where(ends == "done", busy, 0))) / (span * slots),
        overflow=float(np.mean(ends == "cloud")),
        retried=float(np.mean(np.array(log.placements) > 1)),
        coverage=coverage(log),
    )


def coverage(log: Log) -> float:
    """Share of waiting jobs whose end fell into the range they were told; not a number when none was told."""
    held = [told + early <= log.ended_s[job] <= told + late for job, (told, early, late) in log.forecasts.items()]
    return sum(held) / len(held) if held else float("nan")


def jain(shares: Floats) -> float:
    """Jain's index of fairness: 1 when all are equal, 1/n when one has everything (Jain, Chiu and Hawe 1984)."""
    return float(shares.sum() ** 2 / (len(shares) * (shares**2).sum()))


def seconds_by_user(log: Log, load: Workload, until_s: float) -> Floats:
    """Computing seconds that each user had by `until_s`."""
    ran = np.where(np.array(log.ended_s) <= until_s, np.array(log.ran_s), 0.0)
    return np.asarray(np.bincount(load.user, weights=ran, minlength=int(load.user.max()) + 1), np.float64)


def sent_between_beats(log: Log, vms: int, beat_s: float = 1.0) -> Ints:
    """How many jobs each VM was sent in each second: seconds x VMs."""
    placed = np.array(log.placed_s)
    seconds = (placed[~np.isnan(placed)] / beat_s).astype(np.int64)
    counts = np.zeros((int(seconds.max()) + 1, vms), np.int64)
    np.add.at(counts, (seconds, np.array(log.vm)[~np.isnan(placed)]), 1)
    return counts


def herding(sent: Ints) -> float:
    """The most jobs any VM was sent in a second over the mean, averaged over the seconds with a job a VM or more."""
    means = sent.mean(axis=1)
    crowded = means >= 1
    return float(np.mean(sent.max(axis=1)[crowded] / means[crowded])) if crowded.any() else float("nan")
