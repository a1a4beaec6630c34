"""A recorded day as a scenario: its jobs, its VMs and its cloud, or others in their place. Pure."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from bus.prices import PRIORS_S, UNKNOWN_S, Prices
from bus.problems import Kind
from bus.topology import OPERATIONS
from producers.flight.background import background
from producers.flight.known import Known, NotPlayable, intervals
from producers.flight.outcomes import ran_for_s
from producers.flight.recording import RecordedJob, RecordedVm
from producers.flight.spans import Presence, without_cloud
from producers.flight.speeds import UNKNOWN_MEGAPIXELS
from producers.flight.what_if import WhatIf
from producers.simulation.clouds import CloudSpec
from producers.simulation.pace import ToldPace
from producers.simulation.tasks import Task
from producers.simulation.vms import VmSpec

TRIED_AGAIN: Final = frozenset(
    kind.value.slug
    for kind in (
        *(Kind.EXPIRED, Kind.TIMED_OUT, Kind.TOO_MANY_ATTEMPTS, Kind.TOO_MANY_JOBS, Kind.TOO_FAST),
        *(Kind.CANCELLED, Kind.OUT_OF_MEMORY, Kind.OPERATION_FAILED, Kind.SURPRISE, Kind.NOT_READY),
    )
)
"""The problems that were not the job's own: played again, it may well be answered."""


# -- the jobs


def tasks(found: Known) -> tuple[tuple[Task, ...], tuple[int, ...]]:
    """The jobs to be sent, in order, and the recorded job that each is."""
    numbered = [(number, job) for number, job in enumerate(found.recording.jobs) if not _never_asked(job)]
    return tuple(_task(job, found) for _, job in numbered), tuple(number for number, _ in numbered)


def _never_asked(job: RecordedJob) -> bool:
    """Whether it was cancelled before anything ran: a VM never had to do with it."""
    return job.problem == Kind.CANCELLED.value.slug and job.began_ms is None


def _task(job: RecordedJob, found: Known) -> Task:
    refused = job.problem if job.end == "failed" and job.problem not in TRIED_AGAIN else None
    return Task(
        arrival_s=max(0.0, (job.arrived_ms - found.recording.header.from_ms) / 1000),
        user=job.user,
        operation=job.operation,
        megapixels=UNKNOWN_MEGAPIXELS if job.megapixels is None else job.megapixels,
        work_s=_work_s(job, found),
        priority=job.priority,
        size=job.bytes,
        local=job.site == "local",
        cloud_s=_cloud_s(job, found),
        refused=refused,
    )


def _work_s(job: RecordedJob, found: Known) -> float:
    """Seconds on a typical VM: as measured where it ran on one, else as its like took."""
    ran_s = ran_for_s(job) if job.route == "vm" and job.end == "done" else None
    if ran_s is None or job.vm is None:
        return found.speeds.work_s(job.operation, job.megapixels)
    return ran_s * found.speeds.speed(job.vm, job.operation)


def _cloud_s(job: RecordedJob, found: Known) -> float:
    ran_s = ran_for_s(job) if job.route == "cloud" and job.end == "done" else None
    if ran_s is not None:
        return ran_s
    if found.cloud.knows(job.operation):
        return found.cloud.work_s(job.operation, job.megapixels)
    return _told_s(job.operation, found)


# -- the VMs


def vms(found: Known, what_if: WhatIf) -> tuple[VmSpec, ...]:
    """The VMs as they were, without those taken away, and with typical ones added."""
    names = {vm.vm for vm, _ in found.fleet}
    if unknown := sorted(set(what_if.remove_vms) - names):
        raise NotPlayable(f"No VM {', '.join(unknown)} was recorded; there are {', '.join(sorted(names)) or 'none'}.")
    runs = intervals(found.recording)
    kept = [(vm, there) for vm, there in found.fleet if vm.vm not in what_if.remove_vms]
    specs = [_spec(vm, there, found, runs[vm.vm]) for vm, there in kept]
    return (*specs, *(_typical(number, found) for number in range(1, what_if.add_vms + 1)))


def _spec(vm: RecordedVm, there: Presence, found: Known, runs: Sequence[tuple[float, float]]) -> VmSpec:
    begins_ms = found.recording.header.from_ms
    own = background([load for load in found.recording.loads if load.vm == vm.vm], runs, begins_ms, vm.cores)
    return VmSpec(
        name=vm.vm,
        slots=vm.slots,
        look_ahead=vm.look_ahead,
        joins_s=there.joins_s,
        operations=vm.operations,
        cores=vm.cores,
        factors=found.speeds.factors(vm.vm, vm.operations),
        told=ToldPace(1.0, own.others, from_s=0.0, own=own.a_slot * vm.slots),
        ram_percent=min(100.0, own.ram_percent),
    )


def _typical(number: int, found: Known) -> VmSpec:
    """One VM more, of no other work: slots and processors as the middle of the others has them."""
    others = sorted((vm for vm, _ in found.fleet), key=lambda vm: (vm.slots, vm.vm))
    if not others:
        raise NotPlayable("No VM was recorded, so that it is not known what one more would be like.")
    like = others[len(others) // 2]
    own = 100.0 / like.cores * min(1.0, like.cores / like.slots)
    return VmSpec(
        name=f"added-{number}",
        slots=like.slots,
        look_ahead=like.look_ahead,
        operations=tuple(sorted({name for vm in others for name in vm.operations})),
        cores=like.cores,
        told=ToldPace(1.0, (), from_s=0.0, own=own * like.slots),
    )


# -- the cloud


def cloud(found: Known, what_if: WhatIf) -> CloudSpec | None:
    """The cloud as it was told of, or one at the settings' prices where none was recorded and one is asked for."""
    lines = [line for line in found.recording.clouds if line.state is not None]
    if what_if.cloud is False or (not lines and not what_if.cloud):
        return None
    prices = Prices(found.cloud_second, 0.0, 0.0)
    if not lines:
        return CloudSpec(latency_s=0.0, prices=prices, seconds=PRIORS_S, money_per_day=what_if.money_per_day)
    downs, absent = without_cloud(found.recording.clouds, found.recording.header.from_ms)
    last = lines[-1]
    return CloudSpec(
        latency_s=0.0,
        capacity=last.capacity,
        downs=downs,
        absent=absent,
        prices=prices,
        seconds={name: _told_s(name, found) for name in last.operations or OPERATIONS},
        money_per_day=last.money_per_day if what_if.money_per_day is None else what_if.money_per_day,
        jobs_per_minute=last.jobs_per_minute,
        operations=last.operations,
        largest_bytes=last.largest_bytes,
        spent_before=lines[0].spent_today,
    )


def _told_s(operation: str, found: Known) -> float:
    """What the bridge typically told that it takes."""
    told = [line.seconds[operation] for line in found.recording.clouds if operation in line.seconds]
    return median(told) if told else PRIORS_S.get(operation, UNKNOWN_S)
