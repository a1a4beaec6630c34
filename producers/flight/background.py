"""What a VM's CPU readings were made of: the jobs it ran, and its other work. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from producers.flight.recording import NO_READING, RecordedLoad

LAGS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How much of a reading may be of the second before: a beat tells of the time since the last one."""
LEAST_SPREAD: Final = 1e-3
"""Of the busy slots, below which nothing can be told of what a job takes."""

Interval = tuple[float, float]
"""When a job ran: seconds since the recording began, from when to when."""


@dataclass(frozen=True, slots=True)
class Background:
    """CPU percents, second by second, that were not its jobs'; `a_slot` is the percent that one job takes.

    Readings stray, so that some of `others` are less than 0.
    """

    others: Sequence[float]
    a_slot: float
    ram_percent: float


def background(loads: Sequence[RecordedLoad], runs: Iterable[Interval], begins_ms: int, cores: float) -> Background:
    """Take a VM's readings apart, by how many of its slots were busy in each second (least squares)."""
    cpu = _readings(loads, begins_ms)
    busy = _busy(runs, len(cpu))
    told = [second for second in range(1, len(cpu)) if cpu[second] != NO_READING]
    fits = [_fit(cpu, busy, told, lag) for lag in LAGS]
    best = max(fits, key=lambda fit: fit.explains)
    a_slot = min(max(0.0, best.slope), 100.0) if best.explains else 100.0 / cores
    return Background(_others(cpu, busy, a_slot, best.lag), a_slot, _ram(loads))


@dataclass(frozen=True, slots=True)
class _Fit:
    lag: float
    slope: float
    explains: float


def _readings(loads: Sequence[RecordedLoad], begins_ms: int) -> list[int]:
    """One a second; the seconds before the first line, and between lines, are without."""
    ends = ((load.at_ms - begins_ms) // 1000 + len(load.cpu) for load in loads)
    cpu = [NO_READING] * max(0, max(ends, default=0))
    for load in loads:
        first = (load.at_ms - begins_ms) // 1000
        for second, reading in enumerate(load.cpu, first):
            if second >= 0:
                cpu[second] = reading
    return cpu


def _busy(runs: Iterable[Interval], seconds: int) -> list[float]:
    """How many slots were busy in each second, on average."""
    busy = [0.0] * seconds
    for began_s, ended_s in runs:
        for second in range(max(0, int(began_s)), min(int(ended_s) + 1, seconds)):
            busy[second] += max(0.0, min(ended_s, second + 1) - max(began_s, second))
    return busy


def _own(busy: Sequence[float], second: int, lag: float) -> float:
    return busy[second] * (1 - lag) + busy[second - 1] * lag


def _fit(cpu: Sequence[int], busy: Sequence[float], told: Sequence[int], lag: float) -> _Fit:
    n = len(told)
    if n < 2:
        return _Fit(lag, 0.0, 0.0)
    own = [_own(busy, second, lag) for second in told]
    mean_own, mean_cpu = sum(own) / n, sum(cpu[second] for second in told) / n
    both = sum((x - mean_own) * (cpu[second] - mean_cpu) for x, second in zip(own, told, strict=True))
    spread = sum((x - mean_own) ** 2 for x in own)
    if spread / n < LEAST_SPREAD or both <= 0:
        return _Fit(lag, 0.0, 0.0)
    return _Fit(lag, both / spread, both * both / spread)


def _others(cpu: Sequence[int], busy: Sequence[float], a_slot: float, lag: float) -> list[float]:
    """Where there is no reading, what it was before."""
    others, last = [], 0.0
    for second, reading in enumerate(cpu):
        if reading != NO_READING:
            last = reading - a_slot * _own(busy, second, lag if second else 0.0)
        others.append(last)
    return others


def _ram(loads: Iterable[RecordedLoad]) -> float:
    told = [reading for load in loads for reading in load.ram if reading != NO_READING]
    return float(median(told)) if told else 0.0
