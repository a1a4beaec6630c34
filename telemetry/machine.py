"""How busy this machine is: the figures of the container or control group we are in, else of the whole machine.

Inside a container psutil shows the host. A limit on us is what a job will feel, so where there is one it is measured.
"""

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from telemetry.cgroup import CpuLimit, MemoryLimit, cpu_limits, memory_limits

LEAST_WINDOW_S = 0.1
"""Processor time is counted in ticks of 10 ms; over less than ten of them a percentage means nothing."""

_WHOLE_MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Reading:
    """The machine's figures over the time since the reading before.

    `cpu_percent` and `ram_percent` are 0 to 100 of what this process may use; `cores` is how many processors that is,
    a fraction under a quota.
    """

    cpu_percent: float
    ram_percent: float
    cores: float


@dataclass(frozen=True, slots=True)
class Meter:
    """CPU-seconds used so far where `cores` may be used."""

    cores: float
    used_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """All meters over this process at the moment `at` (monotonic seconds)."""

    at: float
    cores: float
    meters: Mapping[str, Meter]


def cpu_sample(limits: Collection[CpuLimit], processors: int, busy_s: float, at: float) -> Sample:
    """A sample from the quotas over us, or of the machine's `processors` and their `busy_s` where none is tighter."""
    tight = [limit for limit in limits if limit.cores < processors]
    cores = min((limit.cores for limit in tight), default=float(processors))
    meters = {limit.group: Meter(limit.cores, limit.used_s) for limit in tight if limit.used_s is not None}
    return Sample(at, cores, meters or {_WHOLE_MACHINE: Meter(float(processors), busy_s)})


def cpu_percent(before: Sample, after: Sample) -> float | None:
    """Percent used between two samples, by the meter nearest to its limit; None when they have no meter in common."""
    elapsed_s = after.at - before.at
    shares = [
        (meter.used_s - before.meters[group].used_s) / (elapsed_s * meter.cores)
        for group, meter in after.meters.items()
        if group in before.meters
    ]
    return None if not shares else min(100.0, max(0.0, 100.0 * max(shares)))


def ram_percent(limits: Collection[MemoryLimit], total_bytes: int, machine_percent: float) -> float:
    """Percent used of the limit nearest to full; `machine_percent` where no limit is below the machine's total."""
    tight = [100.0 * limit.used_bytes / limit.limit_bytes for limit in limits if limit.limit_bytes < total_bytes]
    return min(100.0, max(tight, default=machine_percent))


def memory_bytes(limits: Collection[MemoryLimit], total_bytes: int) -> int:
    """How much memory may be used: the tightest limit, or the machine's total."""
    return min([total_bytes, *(limit.limit_bytes for limit in limits)])


class Machine:
    """Measures the machine from one `read` to the next.

    Args:
        root: where the file system begins; another than `/` only in tests.
        clock: monotonic seconds.
    """

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._before = self._sample()
        self._latest: Reading | None = None

    @property
    def cores(self) -> float:
        """How many processors this process may use; a fraction under a quota."""
        return self._before.cores

    @property
    def memory_bytes(self) -> int:
        """How much memory this process may use."""
        return memory_bytes(memory_limits(self._text), psutil.virtual_memory().total)

    def read(self) -> Reading | None:
        """The figures since the last `read`.

        A percentage needs two samples some time apart: None until there are, and the reading before when asked again
        within `LEAST_WINDOW_S`.
        """
        if self._clock() - self._before.at < LEAST_WINDOW_S:
            return self._latest
        before, self._before = self._before, self._sample()
        cpu = cpu_percent(before, self._before)
        # No meter in common: we were moved to another group meanwhile, and measure anew from here.
        self._latest = None if cpu is None else Reading(cpu, self._ram_percent(), self._before.cores)
        return self._latest

    def _sample(self) -> Sample:
        usable = _usable_processors()
        return cpu_sample(cpu_limits(self._text), len(usable), _busy_s(usable), self._clock())

    def _ram_percent(self) -> float:
        memory = psutil.virtual_memory()
        return ram_percent(memory_limits(self._text), memory.total, memory.percent)

    def _text(self, path: str) -> str | None:
        try:
            return (self._root / path.lstrip("/")).read_text(encoding="utf-8", errors="replace")
        except OSError:  # no such file on this kernel, or the group was removed meanwhile
            return None


def _usable_processors() -> Collection[int]:
    """The processors we may run on: containers are often pinned to some."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(psutil.cpu_count() or 1)


def _busy_s(processors: Collection[int]) -> float:
    """Seconds these processors have been busy since boot.

    Not `psutil.cpu_percent`: that keeps its previous sample per thread, and its first answer in each is 0.0.
    """
    times = [each for number, each in enumerate(psutil.cpu_times(percpu=True)) if number in processors]
    return sum(_busy_of(each._asdict()) for each in times)


def _busy_of(times: Mapping[str, float]) -> float:
    # Linux counts a guest's time in user time as well, and waiting for a disk leaves the processor free.
    counted_elsewhere = {"idle", "iowait", "guest", "guest_nice"}
    return sum(seconds for name, seconds in times.items() if name not in counted_elsewhere)
