"""What is put to a router's mind: who sends what, to which VMs and cloud, and what goes wrong. Data only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from producers.simulation.clouds import CloudSpec
from producers.simulation.faults import Fault
from producers.simulation.tasks import Task
from producers.simulation.vms import VmSpec

EPOCH_MS: Final = 1_800_000_000_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """What every policy is put through. `window` is how many jobs of a lane the router may hold."""

    tasks: Sequence[Task]
    vms: tuple[VmSpec, ...]
    faults: tuple[Fault, ...] = ()
    cloud: CloudSpec | None = None
    window: int = 128
    refused: float = 0.0
    """Share of forwards that the broker does not take."""
    seed: int = 1
    epoch_ms: int = EPOCH_MS
    """The moment of second 0, since the Unix epoch."""
    gives_up: bool = False
    """Whether jobs may be left open that nobody will ever do; else that is Broken."""

    @property
    def settled_s(self) -> float:
        """When all has come that is to come: jobs, VMs, and the ends of mishaps."""
        ends = [end for fault in self.faults if (end := fault.at_s + fault.for_s) < inf]
        joins = [vm.joins_s for vm in self.vms]
        return max([*ends, *joins, *(task.arrival_s for task in self.tasks[-1:])], default=0.0)


def capacity(vms: Iterable[VmSpec]) -> float:
    """Seconds of work that VMs do a second, together."""
    return sum(vm.capacity for vm in vms)
