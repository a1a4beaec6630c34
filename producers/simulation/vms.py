"""A VM: its agent's beats, its worker's queue and slots, and what may befall it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from bus.copies import like
from bus.events import Heartbeat
from bus.messages import Job
from bus.topology import OPERATIONS, vm_queue
from producers.simulation.engine import Engine
from producers.simulation.faults import Fault
from producers.simulation.pace import DrawnPace, Pace
from producers.simulation.queues import Broker, Parcel

BEAT_S = 1.0
GIVEN_UP_S = 10.0
"""A broker gives a silent client up after two heartbeats of five seconds."""
FAILS_IN_S = 0.01
"""How soon a job fails on a VM that fails them all."""


@dataclass(frozen=True, slots=True)
class VmSpec:
    """What sets one VM apart. `speed` is relative; `background` the mean share (0 to 1) its other work takes.

    `factors` are how many times as fast as that it does an operation, where it isn't once. With `told` it computes as
    that says, and no chance is in it.
    """

    name: str
    speed: float = 1.0
    slots: int = 2
    look_ahead: int = 1
    background: float = 0.0
    joins_s: float = 0.0
    operations: tuple[str, ...] = OPERATIONS
    cores: float | None = None
    factors: Mapping[str, float] = field(default_factory=dict)
    told: Pace | None = None
    ram_percent: float = 40.0

    @property
    def capacity(self) -> float:
        """Seconds of work it does a second."""
        return self.speed * (1 - self.background) * self.slots


@dataclass(slots=True)
class Run:
    """A job under way, and when it will have ended if nothing happens."""

    parcel: Parcel
    began_s: float
    ends_s: float


class Site(Protocol):
    """Where a VM's words go."""

    engine: Engine
    broker: Broker

    @property
    def now_ms(self) -> int:
        """The time, Unix epoch."""
        ...

    def beat(self, beat: Heartbeat) -> None:
        """Send a heartbeat on its way."""
        ...

    def work_s(self, job: Job) -> float:
        """What a job takes on a VM of speed 1."""
        ...

    def began(self, job: Job, vm: str) -> None:
        """A VM has begun a job."""
        ...

    def ended(self, job: Job, vm: str, ran_s: float) -> None:
        """A VM has answered a job."""
        ...

    def failed(self, job: Job, vm: str) -> None:
        """A VM could not do a job."""
        ...

    def handed_back(self, job: Job, vm: str) -> None:
        """A draining VM gives a job back."""
        ...


class Vm:
    """One VM of the simulation."""

    def __init__(self, spec: VmSpec, site: Site, seed: int, slow: tuple[Fault, ...] = ()) -> None:
        self.spec = spec
        self._site = site
        self._engine = site.engine
        self._random = Random(f"{seed} {spec.name}")  # noqa: S311 (drawn from a seed, to be drawn again)
        pace = Random(f"{seed} {spec.name} pace")  # noqa: S311 (drawn from a seed, to be drawn again)
        self._pace = spec.told or DrawnPace(spec.speed, spec.background, pace, slow)
        self._queue = site.broker[vm_queue(spec.name)]
        self._queue.pull = self._pull
        self._waiting: deque[Parcel] = deque()
        self._running: dict[str, Run] = {}
        self._epoch = 0
        """Counts what made the ends foretold for running jobs void."""
        self._sessions = 0
        self._connected = self._frozen = self._draining = self._fails = False
        self._frozen_at = 0.0
        self._template: Heartbeat | None = None
        self._beat_s = 0.0
        self._busy_s = 0.0
        self._done = 0
        self._engine.at(spec.joins_s + self._random.random() * BEAT_S, self._start)
        self._engine.at(spec.joins_s + self._random.random() * BEAT_S, self._beat)

    # -- jobs

    def _pull(self) -> None:
        """Take what the prefetch allows: frozen or not, the broker sends as long as it believes in the connection."""
        if not self._connected or self._draining:
            return
        ready, room = self._queue.ready, self.spec.slots + self.spec.look_ahead
        while ready and len(self._running) + len(self._waiting) < room:
            self._waiting.append(ready.popleft())
        self._begin()

    def _begin(self) -> None:
        while self._waiting and len(self._running) < self.spec.slots and not self._frozen:
            parcel = self._waiting.popleft()
            job, now = parcel.job, self._engine.now
            ends = now + FAILS_IN_S if self._fails else self._pace.end(now, self._work_s(job))
            self._running[job.place] = Run(parcel, now, ends)
            self._site.began(job, self.spec.name)
            self._engine.at(ends, self._end, job.place, self._epoch)

    def _work_s(self, job: Job) -> float:
        factors = self.spec.factors
        return self._site.work_s(job) / factors.get(job.operation, 1.0) if factors else self._site.work_s(job)

    def _end(self, place: str, epoch: int) -> None:
        if epoch != self._epoch:
            return
        run = self._running.pop(place)
        ran_s = run.ends_s - run.began_s
        self._count_busy(run)
        if self._fails:
            self._site.failed(run.parcel.job, self.spec.name)
        else:
            self._done += 1
            self._site.ended(run.parcel.job, self.spec.name, ran_s)
        self._pull()
        self._begin()  # what it has, though it is told to take no more

    # -- beats

    def _count_busy(self, run: Run) -> None:
        self._busy_s += self._engine.now - max(run.began_s, self._beat_s)

    def _beat(self) -> None:
        now = self._engine.now
        self._engine.after(BEAT_S + self._random.uniform(-0.05, 0.05), self._beat)
        noise = self._random.uniform(-3, 3) if self.spec.told is None else 0.0
        if self._template is None or self._frozen:
            return
        running = self._running.values()
        for run in running:
            self._count_busy(run)
        own = self._busy_s / self.spec.slots / max(0.1, now - self._beat_s)
        load = self._pace.load(now, own)
        self._busy_s, self._beat_s = 0.0, now
        oldest = next(iter(running), None)
        self._template = like(
            self._template,
            seq=self._template.seq + 1,
            at_ms=self._site.now_ms,
            cpu_percent=min(100.0, max(0.0, load + noise)),
            running=len(running),
            held=(*self._running, *[parcel.job.place for parcel in self._waiting]),
            done=self._done,
            oldest_running_s=None if oldest is None else now - oldest.began_s,
            worker="draining" if self._draining else "ready",
        )
        self._site.beat(self._template)

    def _start(self) -> None:
        self._sessions += 1
        spec = self.spec
        self._template = Heartbeat(
            vm=spec.name,
            session=f"{spec.name}-{self._sessions}",
            started_ms=int(self._engine.now * 1000),
            seq=0,
            at_ms=0,
            cpu_percent=0,
            ram_percent=spec.ram_percent,
            cores=spec.cores or spec.slots,
            slots=spec.slots,
            look_ahead=spec.look_ahead,
            operations=spec.operations,
            worker="ready",
        )
        self._connect()

    def _connect(self) -> None:
        self._connected = True
        self._pull()

    # -- what befalls it

    def befall(self, fault: Fault) -> None:
        """Let the fault begin, and schedule its end."""
        begin, end = {
            "crash": (self._crash, self._start),
            "freeze": (self._freeze, self._thaw),
            "black-hole": (self._fail_all, self._mend),
            "drain": (self._drain, self._resume),
        }[fault.kind]
        begin()
        self._engine.after(fault.for_s, end)

    def _crash(self) -> None:
        self._template = None
        self._give_up()

    def _give_up(self) -> None:
        """The connection is gone: the broker gives what the worker held to whoever comes next."""
        self._epoch += 1
        self._connected = False
        parcels = [run.parcel for run in self._running.values()] + list(self._waiting)
        self._running.clear()
        self._waiting.clear()
        self._site.broker.put_back(self._queue.name, parcels)

    def _freeze(self) -> None:
        self._frozen = True
        self._epoch += 1
        self._frozen_at = self._engine.now
        self._engine.after(GIVEN_UP_S, self._give_up_frozen, self._epoch)

    def _give_up_frozen(self, epoch: int) -> None:
        if self._frozen and epoch == self._epoch:
            self._give_up()

    def _thaw(self) -> None:
        self._frozen = False
        self._epoch += 1
        stood_still_s = self._engine.now - self._frozen_at
        for place, run in self._running.items():
            run.ends_s += stood_still_s
            self._engine.at(run.ends_s, self._end, place, self._epoch)
        self._connect()

    def _fail_all(self) -> None:
        self._fails = True

    def _mend(self) -> None:
        self._fails = False

    def _drain(self) -> None:
        self._draining = True
        while self._waiting:
            self._site.handed_back(self._waiting.popleft().job, self.spec.name)

    def _resume(self) -> None:
        self._draining = False
        self._pull()
