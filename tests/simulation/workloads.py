"""Who asks for what, and when: drawn once from a seed, so that every policy is given the same jobs."""

from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from producers.simulation.tasks import Task
from producers.simulation.vms import VmSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Tail = Literal["lognormal", "pareto"]

FIRST_JOB_S = 5.0
"""Every VM has been heard of by then."""
PHASE_S = 20.0
"""Mean length of a burst's phases."""


@dataclass(frozen=True, slots=True)
class Law:
    """An operation's share of the jobs, and its computing time on a VM of speed 1: seconds, and more a megapixel."""

    share: float
    base_s: float
    per_megapixel_s: float


LAWS = {
    "sketch": Law(0.4, 0.02, 0.006),
    "remove-background": Law(0.4, 0.7, 0.02),
    "caption": Law(0.2, 2.2, 0.0),
}
OPERATIONS = tuple(LAWS)


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for. `load` is a share of the fleet's capacity; over 1 the backlog grows until the last job."""

    jobs: int
    load: float = 0.8
    users: int = 100
    zipf: float = 1.0
    """Exponent of the users' activity; 0 makes them equal."""
    tail: Tail = "lognormal"
    """How far a job's time strays from its law: by 30 %, or up to twentyfold."""
    burst: float = 1.0
    """Rate in a burst over the mean rate, under 2; 1 is a plain Poisson process."""
    interactive: float = 0.0
    """Share of jobs with someone waiting."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Workload:
    """The jobs, one element each, in the order of their arrival."""

    arrival_s: Floats
    operation: Ints
    megapixels: Floats
    work_s: Floats
    """Computing time on a VM of speed 1."""
    user: Ints
    interactive: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.arrival_s)

    def tasks(self) -> tuple[Task, ...]:
        """The same jobs as the simulator takes them."""
        columns = zip(
            self.arrival_s.tolist(),
            (f"u{user}" for user in self.user.tolist()),
            (OPERATIONS[number] for number in self.operation.tolist()),
            self.megapixels.tolist(),
            self.work_s.tolist(),
            (5 if waited_for else 0 for waited_for in self.interactive.tolist()),
            strict=True,
        )
        return tuple(Task(*column) for column in columns)


def workload(demand: Demand, capacity: float) -> Workload:
    """Draw the jobs for a fleet that computes `capacity` seconds of work a second."""
    random = np.random.default_rng(demand.seed)
    n = demand.jobs
    operation = random.choice(len(LAWS), n, p=[law.share for law in LAWS.values()])
    megapixels = _bounded_pareto(random.random(n), shape=1.1, low=0.5, high=50.0)
    base = np.array([law.base_s for law in LAWS.values()])[operation]
    slope = np.array([law.per_megapixel_s for law in LAWS.values()])[operation]
    work = (base + slope * megapixels) * _residual(demand.tail, random, n)
    user = random.choice(demand.users, n, p=_zipf(demand.users, demand.zipf))
    interactive = random.random(n) < demand.interactive
    rate = demand.load * capacity / float(work.mean())
    arrival = FIRST_JOB_S + _arrivals(random, n, rate, demand.burst)
    return Workload(arrival, operation, megapixels, work, user, interactive)


def _arrivals(random: np.random.Generator, n: int, rate: float, burst: float) -> Floats:
    """Seconds of `n` arrivals at a mean `rate` a second: Poisson, or Poisson within bursts and lulls that alternate."""
    even = np.cumsum(random.exponential(1 / rate, n))
    if burst <= 1:
        return even
    phases = 2 * int(even[-1] / PHASE_S + 20)  # more than enough
    lengths = random.exponential(PHASE_S, phases)
    intensity = np.where(np.arange(phases) % 2 == 0, burst, 2 - burst)
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    passed = np.concatenate([[0.0], np.cumsum(lengths * intensity)])
    bunched = np.interp(even, passed, ends)
    return np.asarray(bunched * even[-1] / bunched[-1], np.float64)


def _residual(tail: Tail, random: np.random.Generator, n: int) -> Floats:
    """What a job's law does not tell: a factor with mean 1."""
    if tail == "lognormal":
        return random.lognormal(-(0.3**2) / 2, 0.3, n)
    factor = _bounded_pareto(random.random(n), shape=1.5, low=0.5, high=20.0)
    return factor / float(factor.mean())


def _bounded_pareto(uniform: Floats, *, shape: float, low: float, high: float) -> Floats:
    return np.asarray(low * (1 - uniform * (1 - (low / high) ** shape)) ** (-1 / shape), np.float64)


def _zipf(users: int, exponent: float) -> Floats:
    activity = 1 / np.arange(1, users + 1) ** exponent
    return np.asarray(activity / activity.sum(), np.float64)


def unequal_vms(count: int, *, seed: int = 1, speeds: tuple[float, float] = (0.5, 2.0)) -> tuple[VmSpec, ...]:
    """VMs of speeds between the two, slow ones and fast ones in equal number, with other work of up to 40 %."""
    random = Random(seed)
    low, high = speeds
    return tuple(
        VmSpec(f"vm{n}", speed=low * (high / low) ** random.random(), background=random.uniform(0, 0.4))
        for n in range(count)
    )
