"""The whole of it: jobs come in, a real `Dispatcher` decides, simulated queues and VMs carry it out."""

from collections.abc import Callable, Iterable
from math import inf
from random import Random
from typing import Final, Literal
from zlib import crc32

from bus.control import Orders
from bus.copies import like
from bus.events import AnyEvent, Heartbeat, JobEvent
from bus.messages import Job
from bus.topology import CLOUD_KEY, JOBS_LANES, LANES, OVERFLOW, VMS, lane, vm_of
from producers.commands import Announce, Arrival, Bury, Collect, Command, Forward, Moment, Refuse, Settle
from producers.simulation.clouds import SimulatedCloud
from producers.simulation.engine import Engine
from producers.simulation.log import Broken, Log
from producers.simulation.minds import Mind
from producers.simulation.pictures import picture
from producers.simulation.queues import Broker, Parcel
from producers.simulation.scenario import Scenario
from producers.simulation.tasks import Task
from producers.simulation.vms import Vm, VmSpec

MESSAGE_S: Final = 0.003
"""A message's way through the broker."""
GIVE_BACK_AFTER_S: Final = 1.0
TICK_S: Final = 0.25
TICKS_A_STATUS: Final = 4
"""How often the router asks for bridges; and when it holds nothing, this is how often its ticks matter."""
PATIENCE_S: Final = 900.0
"""When nothing is to come any more and no job ends for so long, those that are open never will."""
# Models to copy: checking each anew would take longer than all decisions.
_JOB: Final = Job(id="0", body=b"-", operation="sketch", reply_to="replies")
_EVENT: Final = JobEvent(state="done", job="0", operation="sketch", at_ms=0, route="vm")


class World:
    """One run of one scenario under one mind. `listen` is told every event, as any listener on the bus would be."""

    def __init__(self, scenario: Scenario, mind: Mind, listen: Callable[[AnyEvent], object] | None = None) -> None:
        self.engine = Engine()
        self.broker = Broker(self._deliver)
        self.log = Log(len(scenario.tasks))
        self._scenario = scenario
        self._mind = mind
        self._listen = listen
        self._random = Random(scenario.seed)  # noqa: S311 (drawn from a seed, to be drawn again)
        self._tasks = scenario.tasks
        self._lanes = {user: lane(crc32(user.encode()) % LANES) for user in {task.user for task in scenario.tasks}}
        self.cloud = None if scenario.cloud is None else SimulatedCloud(scenario.cloud, self)
        self._vms = {spec.name: self._vm(spec) for spec in scenario.vms}
        self._numbers = {spec.name: number for number, spec in enumerate(scenario.vms)}
        self._settled_s = scenario.settled_s
        self._ticks = 0
        self._alarm_s = inf
        self._given_up = False

    def _vm(self, spec: VmSpec) -> Vm:
        slow = tuple(fault for fault in self._scenario.faults if fault.kind == "slow" and fault.vm == spec.name)
        return Vm(spec, self, self._scenario.seed, slow)

    @property
    def now_ms(self) -> int:
        """The simulation's time by the calendar."""
        return self._scenario.epoch_ms + int(self.engine.now * 1000)

    @property
    def now(self) -> Moment:
        """The simulation's time as the dispatcher is told it."""
        now = self.engine.now
        return Moment(now, self._scenario.epoch_ms + int(now * 1000))

    def run(self) -> Log:
        """Run until every job has ended. Raises Broken when one never does, or ends twice."""
        if not self._tasks:
            return self.log
        self._begin()
        step, log = self.engine.step, self.log
        while log.open and not self._given_up:
            step()
        if not self.log.open:
            for _ in range(1000):  # a job in two places would end again
                step()
            if len(self.broker):
                raise Broken(f"every job has ended, and yet {len(self.broker)} are in queues")
        return self.log

    def _begin(self) -> None:
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
        engine.at(self._tasks[0].arrival_s, self._arrive, 0)

    # -- jobs

    def _arrive(self, number: int) -> None:
        if number + 1 < len(self._tasks):
            self.engine.at(self._tasks[number + 1].arrival_s, self._arrive, number + 1)
        task = self._tasks[number]
        if task.refused is not None:
            self._refused(number, task, task.refused)
            return
        job = like(
            _JOB,
            id=str(number),
            user=task.user,
            operation=task.operation,
            body=picture(task.megapixels, task.size),
            priority=task.priority,
            site="local" if task.local else "any",
        )
        self.broker.put(self._lanes[task.user], Parcel(job))

    def _refused(self, number: int, task: Task, problem: str) -> None:
        self.log.ended(number, self.engine.now, "refused", problem)
        if self._listen is not None:
            told = {"job": str(number), "user": task.user, "operation": task.operation, "at_ms": self.now_ms}
            self._listen(like(_EVENT, state="failed", route=None, problem=problem, waited_ms=0, **told))

    def _deliver(self, arrival: Arrival, job: Job) -> None:
        told = (arrival, job) if self._listen is None else self._timed(arrival, job)
        self._perform(self._mind.admit(*told, self.now))

    def _timed(self, arrival: Arrival, job: Job) -> tuple[Arrival, Job]:
        """With what is only told: when it was sent, in whole seconds, and when a router first took it up."""
        sent_ms = self._scenario.epoch_ms + int(self._tasks[int(job.id)].arrival_s) * 1000
        return arrival._replace(sent_ms=sent_ms), job if job.received_ms else like(job, received_ms=self.now_ms)

    def _perform(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self._do(command)
        if self._mind.holds:
            self._set_alarm()

    def _do(self, command: Command) -> None:
        match command:
            case Forward():
                self.engine.after(MESSAGE_S, self._forwarded, command)
            case Refuse(ticket, _, problem):
                number = int(self.broker.ack(ticket).id)
                self._refused(number, self._tasks[number], problem.slug)
            case Collect(queue, stop):
                self.engine.after(MESSAGE_S, self.broker.consume, queue, 0 if stop else self._scenario.window)
            case Announce(event):
                self.log.announced(event, self.engine.now)
                if self._listen is not None:
                    self._listen(event)
            case Bury() | Settle():
                raise Broken(f"nobody gave a reason for {command}")

    def _set_alarm(self) -> None:
        at = self._mind.wake_s
        if at is not None and at < self._alarm_s:
            self._alarm_s = at
            self.engine.at(max(at, self.engine.now), self._wake, at)

    def _wake(self, at: float) -> None:
        if at == self._alarm_s:
            self._alarm_s = inf
            self._perform(self._mind.wake(self.now))

    def _forwarded(self, command: Forward) -> None:
        """The broker has the copy for the VM; the lane's is settled."""
        if self._scenario.refused and self._random.random() < self._scenario.refused:
            if command.exchange == VMS:
                self._perform(self._mind.rejected(command.held, command.key, self.now))
            else:
                self.engine.after(GIVE_BACK_AFTER_S, self.broker.give_back, command.held.ticket)
            return
        if self._listen is not None and command.event is not None:
            self._listen(command.event)
        self._hand_over(command)
        self.broker.ack(command.held.ticket)

    def _hand_over(self, command: Forward) -> None:
        job = command.held.job
        if command.key == CLOUD_KEY:
            if self.cloud is None:
                raise Broken("a job overflowed, and there is no cloud in this world")
            self.cloud.take(job)
            return
        vm = vm_of(command.key)
        if vm is not None:
            self.log.placed(int(job.id), self._numbers[vm], self.engine.now - MESSAGE_S)
        queue = self._lanes[job.user] if command.exchange == JOBS_LANES else command.key
        self.broker.put(queue, Parcel(job, sent_on=True))

    # -- what a VM tells

    def beat(self, beat: Heartbeat) -> None:
        """A heartbeat is on its way."""
        self.tell(beat)

    def work_s(self, job: Job) -> float:
        """What the job takes on a VM of speed 1."""
        return self._tasks[int(job.id)].work_s

    def cloud_s(self, job: Job) -> float | None:
        """What it takes in the cloud, as far as that is known."""
        return self._tasks[int(job.id)].cloud_s

    def began(self, job: Job, vm: str) -> None:
        """A VM has begun a job."""
        self.log.began(int(job.id), self.engine.now)
        self._post(job, vm, "running")

    def ended(self, job: Job, vm: str, ran_s: float) -> None:
        """A VM has answered a job."""
        number = int(job.id)
        self.log.ran(number, self._numbers[vm], ran_s)
        self.log.ended(number, self.engine.now, "done", None)
        self._post(job, vm, "done", ran_ms=int(ran_s * 1000) or 1)

    def failed(self, job: Job, vm: str) -> None:
        """A VM could not do a job: it is for another to try."""
        at_ms = self.now_ms
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
        self.tell(like(_EVENT, state=state, at_ms=self.now_ms, attempt=job.attempt, **told, **more))

    def tell(self, event: AnyEvent) -> None:
        """Something is told, and on its way to the router."""
        if self._listen is not None:
            self._listen(event)
        self.engine.after(MESSAGE_S, self._tell, event)

    def _tell(self, event: AnyEvent) -> None:
        self._perform(self._mind.heard(event, self.now))

    # -- the cloud, and time

    def began_in_cloud(self, job: Job, at_s: float) -> None:
        """The cloud begins a job then."""
        self.log.began(int(job.id), at_s)

    def ended_in_cloud(self, job: Job, ran_s: float, cost: float) -> None:
        """The cloud has answered a job."""
        number = int(job.id)
        self.log.ran_in_cloud(number, ran_s, cost)
        self.log.ended(number, self.engine.now, "cloud", None)

    def sent_home(self, job: Job) -> None:
        """The bridge gives a job back that the cloud did not take: this was no attempt."""
        self._return(job.model_copy(update={"attempt": max(0, job.attempt - 1)}))

    def _tick(self) -> None:
        self.engine.after(TICK_S, self._tick)
        self._ticks += 1
        full = self._ticks % TICKS_A_STATUS == 0
        if full:
            self._look_for_the_lost()
            self._perform(self._mind.bridges(self._consumers, self.now))
        if full or self._mind.holds:
            self._perform(self._mind.tick(self.now))

    @property
    def _consumers(self) -> int:
        """How many consume `overflow`: bridges, and the router itself while it takes home what lies there."""
        return (0 if self.cloud is None else self.cloud.bridges) + (self.broker[OVERFLOW].prefetch > 0)

    def _look_for_the_lost(self) -> None:
        if self.engine.now - max(self.log.last_end_s, self._settled_s) < PATIENCE_S:
            return
        if not self._scenario.gives_up:
            raise Broken(f"{self.log.open} jobs don't end")
        self._given_up = True


def run(scenario: Scenario, mind: Callable[[], Mind]) -> Log:
    """Run a scenario under a new mind."""
    return World(scenario, mind()).run()
