"""What a recording tells of how things run, gathered once for all parts of a scenario. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bus.errors import OverspillError
from producers.flight.outcomes import ran_for_s
from producers.flight.recording import RecordedRouter, RecordedVm, Recording
from producers.flight.spans import Presence, presence
from producers.flight.speeds import Run, Speeds
from producers.simulation.clouds import PRICES

CLOUD: Final = "the cloud"
MOST_VMS: Final = 1000
"""Of more, a replay would take longer than anybody waits."""


class NotPlayable(OverspillError):
    """The recording, or what is asked of it, leaves nothing to be played."""


Fleet = tuple[tuple[RecordedVm, Presence], ...]
"""Each VM as it was at last, and when it was there."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the recording tells of how things run, asked by all parts of the scenario."""

    recording: Recording
    speeds: Speeds
    cloud: Speeds
    cloud_second: float
    """US dollars that a second from sending to answer came to."""
    fleet: Fleet


def fleet_of(recording: Recording) -> Fleet:
    """The VMs of the recording. Raises NotPlayable when there are no jobs in it, or more VMs than can be played."""
    if not recording.jobs:
        raise NotPlayable("There are no jobs in this recording. Record while some are sent: overspill record FILE.")
    latest = _latest(recording.vms)
    if len(latest) > MOST_VMS:
        few = f"{MOST_VMS:,} can be played"
        raise NotPlayable(f"There are {len(latest):,} VMs in this recording, and {few}: record a time with fewer.")
    return tuple((vm, presence(recording, vm.vm)) for vm in latest)


def slots_s(fleet: Fleet, span_s: float) -> float:
    """What VMs had to give over a recording of so many seconds, in seconds of slots."""
    return sum(vm.slots * there.up_s(span_s) for vm, there in fleet)


def known(recording: Recording) -> Known:
    """Learn from the recording. Raises NotPlayable as `fleet_of`."""
    fleet = fleet_of(recording)
    runs: dict[bool, list[Run]] = {False: [], True: []}
    for job in recording.jobs:
        seconds = ran_for_s(job)
        if seconds is not None and job.end == "done" and job.route is not None:
            where = job.vm or CLOUD if job.route == "vm" else CLOUD
            runs[job.route == "cloud"].append(Run(job.operation, job.megapixels, where, seconds))
    spent = sum(job.cost or 0.0 for job in recording.jobs)
    busy_s = sum(run.seconds for run in runs[True])
    second = spent / busy_s if busy_s else PRICES.second
    return Known(recording, Speeds(runs[False]), Speeds(runs[True]), second, fleet)


def _latest(vms: Iterable[RecordedVm]) -> list[RecordedVm]:
    """Each VM as it was at last; one that never offered slots is left out."""
    latest = {vm.vm: vm for vm in vms if vm.slots}
    return [latest[name] for name in sorted(latest)]


def rule(recording: Recording) -> RecordedRouter | None:
    """The rule that was in force for longest; None when no router told of one."""
    told = settled(recording)
    ends = [*(router.at_ms for router in told[1:]), recording.header.to_ms]
    lasted = [(end - router.at_ms, -router.at_ms, router) for router, end in zip(told, ends, strict=False)]
    return max(lasted, key=lambda each: each[:2])[2] if lasted else None


def settled(recording: Recording) -> list[RecordedRouter]:
    """The rules in force, those left out of which the settings were not told yet: a router's first placement does."""
    return [router for router in recording.routers if router.limits] or list(recording.routers)


def intervals(recording: Recording) -> dict[str, list[tuple[float, float]]]:
    """When each VM ran something, seconds since the recording began."""
    runs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    begins_ms = recording.header.from_ms
    for job in recording.jobs:
        ran_s = ran_for_s(job)
        if job.route == "vm" and job.vm is not None and job.ended_ms is not None and ran_s is not None:
            ended_s = (job.ended_ms - begins_ms) / 1000
            runs[job.vm].append((ended_s - ran_s, ended_s))
    return runs
