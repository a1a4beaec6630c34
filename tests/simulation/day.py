"""A day of a site, drawn from a seed: mornings and nights, bursts, users of all sorts, VMs that come and go, a cloud.

It is run once, and a recorder listens, so that what is played again afterwards knows no more than a recorder would.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from random import Random
from statistics import geometric_mean

import numpy as np

from bus.events import AnyEvent
from producers.admission import LEAD_S, Config
from producers.cloud import Terms
from producers.dispatcher import Dispatcher
from producers.flight.files import Recorder
from producers.flight.notes import Notes
from producers.flight.recording import Header
from producers.placement import Rules
from producers.simulation.clouds import PRICES, CloudSpec
from producers.simulation.faults import Fault
from producers.simulation.log import Log
from producers.simulation.minds import mind
from producers.simulation.scenario import EPOCH_MS, Scenario
from producers.simulation.tasks import Task
from producers.simulation.vms import VmSpec
from producers.simulation.world import World
from tests.simulation.workloads import LAWS, OPERATIONS, Demand, Floats, Ints, workload

DAY_S = 86_400.0
NIGHT = 0.25
"""Of the mean rate that is left at night; at noon it is as much above it."""
BURSTS_A_DAY = 48
BURST_S = 240.0
BURST_FACTOR = 2.5
STATUS_S = 1.0
BYTES_A_PIXEL = 0.25


@dataclass(frozen=True, slots=True)
class DaySpec:
    """A day: so many jobs in so many seconds, on so many VMs; `cloud` whether there is one."""

    jobs: int = 200_000
    seconds: float = DAY_S
    vms: int = 4
    users: int = 40
    policy: str = "threshold"
    cloud: bool = True
    mishaps: bool = True
    backlog: int = 0
    """Jobs that one user more sends, all at once, in a sixth of the day."""
    added: int = 0
    """VMs more, of middling speed and with no other work."""
    seed: int = 1


def fleet(spec: DaySpec) -> tuple[VmSpec, ...]:
    """Unequal VMs of two slots, with a little other work."""
    random = Random(spec.seed)
    own = [
        VmSpec(f"vm{n}", speed=random.uniform(0.7, 1.4), slots=2, background=random.uniform(0, 0.2), cores=4.0)
        for n in range(spec.vms)
    ]
    typical = geometric_mean(vm.speed for vm in own)
    return (*own, *(VmSpec(f"added{n}", speed=typical, slots=2, cores=4.0) for n in range(spec.added)))


def scenario(spec: DaySpec) -> Scenario:
    """What is sent, and what befalls the VMs."""
    vms = fleet(spec)
    faults = _mishaps(vms, spec) if spec.mishaps and len(vms) > 1 else ()
    return Scenario(
        tasks=tuple(sorted((*_tasks(spec), *_backlog(spec)), key=attrgetter("arrival_s"))),
        vms=vms,
        faults=faults,
        cloud=CloudSpec(latency_s=1.2, speed=0.8, capacity=24, operations=OPERATIONS) if spec.cloud else None,
        seed=spec.seed,
    )


def _mishaps(vms: tuple[VmSpec, ...], spec: DaySpec) -> tuple[Fault, ...]:
    """One VM crashes and another is drained, each for a fortieth of the day."""
    lasts = spec.seconds / 40
    return (
        Fault("crash", vms[-1].name, spec.seconds * 0.4, lasts),
        Fault("drain", vms[1].name, spec.seconds * 0.7, lasts),
    )


def _tasks(spec: DaySpec) -> tuple[Task, ...]:
    drawn = workload(Demand(spec.jobs, users=spec.users, interactive=0.1, seed=spec.seed), capacity=1.0)
    random = np.random.default_rng(spec.seed)
    arrivals = _arrivals(random, spec)
    work = _work(drawn.operation, drawn.megapixels) * random.lognormal(-(0.3**2) / 2, 0.3, spec.jobs)
    sizes = (drawn.megapixels * 1e6 * BYTES_A_PIXEL * random.lognormal(0, 0.3, spec.jobs)).astype(np.int64)
    local, bad = random.random(spec.jobs) < 0.05, random.random(spec.jobs) < 0.005
    return tuple(
        Task(
            arrival_s=float(arrivals[n]),
            user=f"u{drawn.user[n]}",
            operation=OPERATIONS[int(drawn.operation[n])],
            megapixels=float(drawn.megapixels[n]),
            work_s=float(work[n]),
            priority=5 if drawn.interactive[n] else 0,
            size=min(int(sizes[n]), 9_000_000),
            local=bool(local[n]),
            refused="broken-image" if bad[n] else None,
        )
        for n in range(spec.jobs)
    )


def _backlog(spec: DaySpec) -> tuple[Task, ...]:
    drawn = _tasks(replace(spec, jobs=spec.backlog, seed=spec.seed + 1)) if spec.backlog else ()
    return tuple(replace(task, user="all-at-once", arrival_s=spec.seconds / 6, refused=None) for task in drawn)


def _work(operation: Ints, megapixels: Floats) -> Floats:
    laws = list(LAWS.values())
    base = np.array([law.base_s for law in laws])[operation]
    return np.asarray(base + np.array([law.per_megapixel_s for law in laws])[operation] * megapixels, np.float64)


def _arrivals(random: np.random.Generator, spec: DaySpec) -> Floats:
    """Waves of a day and bursts on top: a Poisson process whose rate changes by the second."""
    seconds = np.arange(int(spec.seconds) + 1)
    rate = 1 - (1 - NIGHT) * np.cos(2 * np.pi * seconds / spec.seconds)
    for begins in random.uniform(0, spec.seconds, max(2, int(BURSTS_A_DAY * spec.seconds / DAY_S))):
        rate[(seconds >= begins) & (seconds < begins + BURST_S)] *= BURST_FACTOR
    passed = np.concatenate([[0.0], np.cumsum(rate)])
    even = np.sort(random.random(spec.jobs)) * passed[-1]
    return np.asarray(np.interp(even, passed, np.arange(len(passed))), np.float64) + 5.0


def run_day(spec: DaySpec, listen: Callable[[AnyEvent], object] | None = None, *, receipts: bool = True) -> Log:
    """Run it, and let `listen` hear what any listener on the bus hears."""
    terms = Terms(prices=PRICES)
    router = mind(Config(rules=Rules(spec.policy), lead_s=LEAD_S, cloud=terms), receipts=receipts)
    world = World(scenario(spec), router, listen)
    if listen is not None:
        _tell_status(world, router, listen)
    return world.run()


def _tell_status(world: World, router: Dispatcher, listen: Callable[[AnyEvent], object]) -> None:
    world.engine.after(STATUS_S, _tell_status, world, router, listen)
    if world.engine.now:
        listen(router.status(world.now))


def record(spec: DaySpec, path: Path) -> Log:
    """Run it with a recorder that listens, and keep what became of each job to compare with."""
    notes = Notes()
    header = Header(EPOCH_MS, EPOCH_MS)
    with path.open("wb") as file, Recorder(file, header, compressed=path.suffix == ".gz") as recorder:
        log = run_day(spec, lambda event: recorder.write(notes.hear(event)))
        recorder.write(notes.rest())
        until_s = max(spec.seconds, log.last_end_s)
        recorder.header = replace(header, to_ms=EPOCH_MS + int(until_s * 1000))
    return log
