"""The questions put to the simulator, each answered by a table and, where a picture says more, by one."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from producers.simulation.clouds import CloudSpec
from producers.simulation.faults import Fault
from producers.simulation.minds import Mind, dispatcher
from producers.simulation.scenario import Scenario, capacity
from producers.simulation.vms import VmSpec
from producers.simulation.world import run
from tests.simulation.faults import stragglers
from tests.simulation.naive import Naive
from tests.simulation.outcome import Figures, completion_s, figures, jain, seconds_by_user, sent_between_beats
from tests.simulation.workloads import Demand, Floats, Ints, Workload, unequal_vms, workload

POLICIES = ("threshold", "least-loaded", "p2c", "predictive")


@dataclass(frozen=True, slots=True)
class Measured:
    """One policy's run of one scenario. `rate` is simulated jobs a second of processor time."""

    policy: str
    load: float
    vms: int
    figures: Figures
    times: Floats
    sent: Ints
    """Jobs sent: seconds x VMs."""
    rate: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A scenario, and the jobs in it as numbers."""

    scenario: Scenario
    workload: Workload


def measure(policy: str, put: Drawn, load: float) -> Measured:
    """Run a scenario under a policy, `naive` among them."""
    minds: dict[str, Callable[[], Mind]] = {"naive": Naive}
    began = time.process_time()
    log = run(put.scenario, minds.get(policy, lambda: dispatcher(policy)))
    took = time.process_time() - began
    vms = put.scenario.vms
    return Measured(
        policy=policy,
        load=load,
        vms=len(vms),
        figures=figures(log, put.workload, sum(vm.slots for vm in vms)),
        times=completion_s(log, put.workload),
        sent=sent_between_beats(log, len(vms)),
        rate=len(put.workload) / took,
    )


def scenario(
    demand: Demand, vms: tuple[VmSpec, ...], *, faults: Iterable[Fault] = (), cloud: CloudSpec | None = None
) -> Drawn:
    """A demand drawn for a fleet."""
    drawn = workload(demand, capacity(vms))
    return Drawn(Scenario(drawn.tasks(), vms, tuple(faults), cloud, seed=demand.seed), drawn)


def straggling(demand: Demand, vms: tuple[VmSpec, ...]) -> Drawn:
    """A demand drawn for a fleet of which a fifth turns slow for a while."""
    put = scenario(demand, vms)
    slow = stragglers([vm.name for vm in vms], until_s=float(put.workload.arrival_s[-1]), seed=demand.seed)
    return replace(put, scenario=replace(put.scenario, faults=slow))


Draw = Callable[[Demand, tuple[VmSpec, ...]], Drawn]


def compare(
    demands: Sequence[Demand], vms: tuple[VmSpec, ...], policies: Sequence[str], draw: Draw = scenario
) -> list[Measured]:
    """Every policy under every demand: the same jobs, the same VMs."""
    return [measure(policy, draw(demand, vms), demand.load) for demand in demands for policy in policies]


def scale(demand: Demand, sizes: Sequence[int], policies: Sequence[str]) -> list[Measured]:
    """The same demand, in proportion, on fleets of several sizes."""
    fleets = [unequal_vms(size, seed=demand.seed) for size in sizes]
    return [measure(policy, scenario(demand, vms), demand.load) for vms in fleets for policy in policies]


@dataclass(frozen=True, slots=True)
class Shares:
    """How one policy shared an overloaded fleet: computing seconds by user while all of them had jobs in line."""

    policy: str
    seconds: Floats
    jain: float


def fairness(demand: Demand, vms: tuple[VmSpec, ...], policies: Sequence[str]) -> list[Shares]:
    """Who got how much while everybody asked for more than there was."""
    put = scenario(demand, vms)
    until_s = float(np.max(put.workload.arrival_s))
    shares = []
    for policy in policies:
        log = run(put.scenario, lambda policy=policy: dispatcher(policy))  # type: ignore[misc]
        seconds = seconds_by_user(log, put.workload, until_s)
        shares.append(Shares(policy, seconds, jain(seconds)))
    return shares
