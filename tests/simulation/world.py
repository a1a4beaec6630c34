"""The whole of it: jobs come in, a real `Dispatcher` decides, simulated queues and VMs carry it out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Literal, Protocol
from zlib import crc32

from bus.control import Orders
from bus.events import AnyEvent, Heartbeat, JobEvent
from bus.messages import Job
from bus.topology import CLOUD_KEY, JOBS_LANES, LANES, VMS, lane, vm_of
from producers.admission import Config
from producers.cloud import Terms
from producers.commands import (
    Announce,
    Arrival,
    Bury,
    Collect,
    Command,
    Forward,
    Held,
    Moment,
    Refuse,
    Settle,
)
from producers.dispatcher import Dispatcher
from producers.placement import Rules
from telemetry.fleet import Fleet
from tests.simulation.clouds import PRICES, CloudSpec, SimulatedCloud
from tests.simulation.copies import like
from tests.simulation.engine import Engine
from tests.simulation.faults import Fault
from tests.simulation.outcome import Log
from tests.simulation.pictures import picture
from tests.simulation.queues import Broker, Parcel
from tests.simulation.vms import Vm, VmSpec
from tests.simulation.workloads import OPERATIONS, Workload

EPOCH_MS = 1_800_000_000_000
MESSAGE_S = 0.003
"""A message's way through the broker."""
GIVE_BACK_AFTER_S = 1.0
TICK_S = 0.25
PATIENCE_S = 900.0
"""A simulation in which no job ends for so long has lost one."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What every policy is put through. `window` is how many jobs of a lane the router may hold."""

    workload: Workload
    vms: tuple[VmSpec, ...]
    faults: tuple[Fault, ...] = ()
    cloud: CloudSpec | None = None
    window: int = 128
    refused: float = 0.0
    """Share of forwards that the broker does not take."""
    seed: int = 1


class Mind(Protocol):
    """What decides: the dispatcher, or a rule it is compared with."""

    def activate(self, orders: Orders, places_from_s: float, now: Moment) -> list[Command]: ...

    def admit(self, arrival: Arrival, job: Job, now: Moment) -> list[Command]: ...

    def heard(self, event: AnyEvent, now: Moment) -> list[Command]: ...

    def bridges(self, consumers: int, now: Moment) -> list[Command]: ...

    def rejected(self, held: Held, key: str, now: Moment) -> list[Command]: ...

    def tick(self, now: Moment) -> list[Command]: ...


def dispatcher(policy: str, weights: dict[str, float] | None = None) -> Dispatcher:
    """The router's own mind, with the product's settings but for the cap on a user's jobs."""
    config = Config(rules=Rules(policy), user_queued=10**9, user_weights=weights or {}, cloud=Terms(prices=PRICES))
    return Dispatcher(Fleet(), config, name="router", session="s")


@dataclass(slots=True)
class _Templates:
    """Models to copy: checking each anew would take longer than all decisions."""

    job: Job = field(default_factory=lambda: Job(id="0", body=b"-", operation="sketch", reply_to="replies"))
    event: JobEvent = field(
        default_factory=lambda: JobEvent(state="done", job="0", operation="sketch", at_ms=0, route="vm")
    )


class World:
    """One run of one scenario under one mind."""

    def __init__(self, scenario: Scenario, mind: Mind) -> None:
        self.engine = Engine()
        self.broker = Broker(self._deliver)
        self.log = Log(len(scenario.workload))
        self._scenario = scenario
        self._mind = mind
        self._random = Random(scenario.seed)
        self._templates = _Templates()
        load = scenario.workload
        # Lists: reading one number of an array is several times slower.
        self._arrival_s: list[float] = load.arrival_s.tolist()
        self._work_s: list[float] = load.work_s.tolist()
        self._users = [f"u{user}" for user in load.user.tolist()]
        self._lanes = {user: lane(crc32(user.encode()) % LANES) for user in set(self._users)}
        self._operations = [OPERATIONS[number] for number in load.operation.tolist()]
        self._bodies = [picture(megapixels) for megapixels in load.megapixels.tolist()]
        self._priorities = [5 if waited_for else 0 for waited_for in load.interactive.tolist()]
        self.cloud = None if scenario.cloud is None else SimulatedCloud(scenario.cloud, self)
        self._vms = {spec.name: self._vm(spec) for spec in scenario.vms}
        self._numbers = {spec.name: number for number, spec in enumerate(scenario.vms)}

    def _vm(self, spec: VmSpec) -> Vm:
        slow = tuple(fault for fault in self._scenario.faults if fault.kind == "slow" and fault.vm == spec.name)
        return Vm(spec, self, self._scenario.seed, slow)

    @property
    def now(self) -> Moment:
        """The simulation's time as the dispatcher is told it."""
        now = self.engine.now
        return Moment(now, EPOCH_MS + int(now * 1000))

    def run(self) -> Log:
        """Run until every job has ended. Raises AssertionError when one never does, or ends twice."""
        engine = self.engine
        for number in range(LANES):
            self.broker.consume(lane(number), self._scenario.window)
        for fault in self._scenario.faults:
            if fault.kind != "slow":
                engine.at(fault.at_s, self._vms[fault.vm].befall, fault)
        self._perform(self._mind.activate(Orders(), 1.5, self.now))
        if self.cloud is not None:
            self.cloud.start()
        engine.at(TICK_S, self._tick)
        engine.at(self._arrival_s[0], self._arrive, 0)
        while self.log.open:
            engine.step()
        for _ in range(1000):  # a job in two places would end again
            engine.step()
        assert len(self.broker) == 0, "every job has ended, and yet some are in queues"
        return self.log

    # -- jobs

    def _arrive(self, number: int) -> None:
        if number + 1 < len(self._arrival_s):
            self.engine.at(self._arrival_s[number + 1], self._arrive, number + 1)
        user = self._users[number]
        job = like(
            self._templates.job,
            id=str(number),
            user=user,
            operation=self._operations[number],
            body=self._bodies[number],
            priority=self._priorities[number],
            received_ms=EPOCH_MS + int(self.engine.now * 1000),
        )
        self.broker.put(self._lanes[user], Parcel(job))

    def _deliver(self, arrival: Arrival, job: Job) -> None:
        self._perform(self._mind.admit(arrival, job, self.now))

    def _perform(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Forward():
                    self.engine.after(MESSAGE_S, self._forwarded, command)
                case Refuse(ticket, _, problem):
                    self._settle(int(self.broker.ack(ticket).id), "refused", problem.slug)
                case Collect(queue, stop):
                    self.engine.after(MESSAGE_S, self.broker.consume, queue, 0 if stop else self._scenario.window)
                case Announce(event):
                    self.log.announced(event, self.engine.now)
                case Bury() | Settle():
                    raise AssertionError(f"nobody gave a reason for {command}")

    def _forwarded(self, command: Forward) -> None:
        """The broker has the copy for the VM; the lane's is settled."""
        if self._scenario.refused and self._random.random() < self._scenario.refused:
            if command.exchange == VMS:
                self._perform(self._mind.rejected(command.held, command.key, self.now))
            else:
                self.engine.after(GIVE_BACK_AFTER_S, self.broker.give_back, command.held.ticket)
            return
        job = command.held.job
        if command.key == CLOUD_KEY and self.cloud is not None:
            self.cloud.take(job)
        else:
            vm = vm_of(command.key)
            if vm is not None:
                self.log.placed(int(job.id), self._numbers[vm], self.engine.now - MESSAGE_S)
            queue = self._lanes[job.user] if command.exchange == JOBS_LANES else command.key
            assert queue != CLOUD_KEY, "there is no cloud in this world"
            self.broker.put(queue, Parcel(job, sent_on=True))
        self.broker.ack(command.held.ticket)

    def _settle(self, number: int, end: str, problem: str | None = None) -> None:
        self.log.ended(number, self.engine.now, end, problem)

    # -- what a VM tells

    def beat(self, beat: Heartbeat) -> None:
        """A heartbeat is on its way."""
        self.tell(beat)

    def work_s(self, job: Job) -> float:
        """What the job takes on a VM of speed 1."""
        return self._work_s[int(job.id)]

    def began(self, job: Job, vm: str) -> None:
        """A VM has begun a job."""
        self.log.began(int(job.id), self.engine.now)
        self._post(job, vm, "running")

    def ended(self, job: Job, vm: str, ran_s: float) -> None:
        """A VM has answered a job."""
        number = int(job.id)
        self.log.ran(number, self._numbers[vm], ran_s)
        self._settle(number, "done")
        self._post(job, vm, "done", ran_ms=int(ran_s * 1000) or 1)

    def failed(self, job: Job, vm: str) -> None:
        """A VM could not do a job: it is for another to try."""
        at_ms = self.now.wall_ms
        told = job.failed(at_ms=at_ms, reason="the network would not load", vm=vm, problem="operation-failed")
        self._return(told)
        self._post(job, vm, "retried", problem="operation-failed")

    def handed_back(self, job: Job, vm: str) -> None:
        """A draining VM gives a job back that it has not begun: this was no attempt."""
        self._return(job.model_copy(update={"attempt": max(0, job.attempt - 1)}))
        self._post(job, vm, "retried")

    def _return(self, job: Job) -> None:
        self.engine.after(MESSAGE_S, self.broker.put, self._lanes[job.user], Parcel(job))

    def _post(self, job: Job, vm: str, state: Literal["running", "done", "retried"], **more: object) -> None:
        told = {"job": job.id, "operation": job.operation, "user": job.user, "vm": vm, "placement": job.placement}
        event = like(self._templates.event, state=state, at_ms=self.now.wall_ms, **told, **more)
        self.tell(event)

    def tell(self, event: AnyEvent) -> None:
        """Something is told, and on its way to the router."""
        self.engine.after(MESSAGE_S, self._tell, event)

    def _tell(self, event: AnyEvent) -> None:
        self._perform(self._mind.heard(event, self.now))

    # -- the cloud, and time

    def began_in_cloud(self, job: Job, at_s: float) -> None:
        """The cloud begins a job then."""
        self.log.began(int(job.id), at_s)

    def ended_in_cloud(self, job: Job, cost: float) -> None:
        """The cloud has answered a job."""
        self.log.cost += cost
        self._settle(int(job.id), "cloud")

    def sent_home(self, job: Job) -> None:
        """The bridge gives a job back that the cloud did not take: this was no attempt."""
        self._return(job.model_copy(update={"attempt": max(0, job.attempt - 1)}))

    def _tick(self) -> None:
        assert self.engine.now - self.log.last_end_s < PATIENCE_S, f"{self.log.open} jobs don't end"
        self.engine.after(TICK_S, self._tick)
        self._perform(self._mind.tick(self.now))
        self._perform(self._mind.bridges(int(self.cloud is not None), self.now))


def run(scenario: Scenario, mind: Callable[[], Mind]) -> Log:
    """Run a scenario under a new mind."""
    return World(scenario, mind()).run()


def capacity(vms: Iterable[VmSpec]) -> float:
    """Seconds of work that VMs do a second, together."""
    return sum(vm.capacity for vm in vms)
