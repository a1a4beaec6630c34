"""What of a recording can't be true: anybody may publish on `events`, and any file may be given. Pure.

Played, one job in the year 292278 would take as long as the years until then, and a VM of a billion slots all memory.
"""

import re
from itertools import chain
from math import isfinite
from typing import Final

from bus.events import MOST_SLOTS
from bus.topology import VM_NAME
from bus.wire import MOST
from producers.flight.recording import (
    NO_READING,
    SECONDS_A_LINE,
    Line,
    RecordedCloud,
    RecordedJob,
    RecordedLoad,
    RecordedRouter,
    RecordedState,
    RecordedVm,
)

_DAY_MS: Final = 86_400_000
LONGEST_MS: Final = 31 * _DAY_MS
"""The longest recording; the history keeps a day."""
AHEAD_MS: Final = 3_600_000
"""By how much the clock of a router or bridge may be ahead of ours."""
LONGEST_LAIN_MS: Final = _DAY_MS
"""The longest that a job is believed to have lain in its lane, if its caller's clock says so."""
_MOST_MEGAPIXELS: Final = 1e6
_MOST_CORES: Final = 65_536
_MOST_OPERATIONS: Final = 64
_MOST_MONEY: Final = 1e9


def is_of_now(at_ms: int, now_ms: int, *, exact: bool) -> bool:
    """Whether an event can have been told at `at_ms` and heard by `now_ms`, both milliseconds since the epoch.

    `exact` is one whose teller's clock should be right.
    """
    return now_ms - LONGEST_MS <= at_ms <= now_ms + (AHEAD_MS if exact else LONGEST_MS)


def is_credible(line: Line, from_ms: int) -> bool:
    """Whether a line can be true in a recording that begins at `from_ms`."""
    match line:
        case RecordedJob():
            return _job(line, from_ms)
        case RecordedVm():
            return _in_time(from_ms, line.at_ms) and _vm(line)
        case RecordedLoad():
            return _in_time(from_ms, line.at_ms) and _load(line)
        case RecordedRouter():
            return _in_time(from_ms, line.at_ms) and all(map(isfinite, line.limits.values()))
        case RecordedCloud():
            return _in_time(from_ms, line.at_ms) and _cloud(line)
        case RecordedState():
            return _in_time(from_ms, line.at_ms)


def _in_time(from_ms: int, *moments_ms: int | None) -> bool:
    # A job that was answered at the beginning came before it, and clocks differ.
    return all(at_ms is None or from_ms - LONGEST_MS <= at_ms <= from_ms + LONGEST_MS for at_ms in moments_ms)


def _within(most: float, *figures: float | None) -> bool:
    """Whether all that are told lie between 0 and `most`; what is no number does not."""
    return all(figure is None or 0 <= figure <= most for figure in figures)


def _job(job: RecordedJob, from_ms: int) -> bool:
    in_time = _in_time(from_ms, job.arrived_ms, job.began_ms, job.ended_ms, job.routed_ms)
    return (
        in_time
        and _within(_MOST_MEGAPIXELS, job.megapixels)
        and _within(LONGEST_MS, job.ran_ms)
        and _within(LONGEST_LAIN_MS, job.lain_ms)
        and _within(MOST, job.bytes, job.attempts)
        and _within(_MOST_MONEY, job.cost)
    )


def _vm(vm: RecordedVm) -> bool:
    return (
        re.fullmatch(VM_NAME, vm.vm) is not None
        and _within(MOST_SLOTS, vm.slots, vm.look_ahead)
        and 0 < vm.cores <= _MOST_CORES
        and len(vm.operations) <= _MOST_OPERATIONS
    )


def _load(load: RecordedLoad) -> bool:
    return (
        len(load.cpu) == len(load.ram) == len(load.running) <= SECONDS_A_LINE
        and all(NO_READING <= reading <= 100 for reading in chain(load.cpu, load.ram))
        and all(NO_READING <= reading <= MOST_SLOTS for reading in load.running)
    )


def _cloud(cloud: RecordedCloud) -> bool:
    return (
        _within(_MOST_MONEY, cloud.money_per_day, cloud.spent_today)
        and _within(MOST, cloud.capacity, cloud.jobs_per_minute, cloud.largest_bytes)
        and _within(LONGEST_MS / 1000, *cloud.seconds.values())
        and len(cloud.operations) <= _MOST_OPERATIONS
    )
