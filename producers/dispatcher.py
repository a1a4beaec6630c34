"""The router's mind: deliveries, heartbeats and time in; commands out. Pure.

It holds what the router looks ahead at and nothing else: each job in its window is unacked in a durable queue, so
losing this object loses nothing.
"""

import itertools
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bus.errors import BadInput
from bus.events import Heartbeat, JobEvent, RouterStatus, VmEvent
from bus.messages import Job, Message, operation_problem
from bus.problems import Kind, Problem
from bus.topology import CLOUD_KEY, OPERATIONS, parked_queue, vm_queue
from producers.fairness import RoundRobin
from producers.placement import Choice, Overflow, Park, Rules, ToVm, Wait, threshold
from telemetry.fleet import Change, Fleet

VM_QUEUE_PREFIX = "vm."
REMEMBERED = 10_000
"""Latest placements, so that a repeat goes where the first run's answer is kept, and a retry goes elsewhere."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, twice: `mono_s` for ages and time-outs, `wall_ms` for deadlines and events (Unix epoch)."""

    mono_s: float
    wall_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """A job in the window. `ticket` names its delivery, `queue` where it still lies."""

    ticket: int
    queue: str
    job: Job


@dataclass(frozen=True, slots=True)
class Forward:
    """Publish the job to `exchange_key` on `vms` (or, with `park`, to that queue), then settle its delivery."""

    held: Held
    key: str
    event: JobEvent
    park: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the delivery's job with the problem, then settle it."""

    ticket: int
    job: Job | None
    problem: Problem


@dataclass(frozen=True, slots=True)
class Bury:
    """Move the delivery to the dead queue: there is nowhere to send an answer."""

    ticket: int
    reason: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Post an event."""

    event: JobEvent | VmEvent | RouterStatus


@dataclass(frozen=True, slots=True)
class Collect:
    """Start (or with `stop` end) taking jobs out of a queue nobody serves: a lost VM's, or a parked operation's."""

    queue: str
    stop: bool = False


Command = Forward | Refuse | Bury | Announce | Collect


class Dispatcher:
    """Places jobs on VMs late: only when a slot or a VM's small look-ahead is free."""

    def __init__(self, fleet: Fleet, rules: Rules, *, max_image_bytes: int, name: str, session: str) -> None:
        """`name` is for people; `session` is new with each start, and makes the ids of placements unique."""
        self._fleet = fleet
        self._rules = rules
        self._max_image_bytes = max_image_bytes
        self._name = name
        self._placements = (f"{session}-{number}" for number in itertools.count())
        self._window: RoundRobin[Held] = RoundRobin()
        self._waiting: dict[str, str] = {}
        self._unserved: dict[str, str] = {}
        self._collected: set[str] = set()
        self._routed = 0
        self._placed: OrderedDict[tuple[object, ...], str] = OrderedDict()
        self.cloud_open = False
        """Whether a bridge is alive and takes jobs."""

    # -- jobs

    def arrived(self, ticket: int, queue: str, message: Message, now: Moment, *, returns: int = 0) -> list[Command]:
        """A delivery from a lane, a parked queue, or a lost VM's queue; `returns` as the broker counts them."""
        try:
            job = Job.from_message(message, now.wall_ms)
        except BadInput as error:
            return [Refuse(ticket, None, error.problem)]
        if not job.reply_to:
            return [Bury(ticket, "the job names no reply_to, so no answer can be seen; set it and send again")]
        fault = self._fault(job, now)
        if fault is not None:
            return [Refuse(ticket, job, fault)]
        attempt = job.attempt + 1
        if queue.startswith(VM_QUEUE_PREFIX):
            # Counted when it was placed there: it counts again only if a worker had it, and takes no more room there.
            attempt = job.attempt + returns
            self._fleet.finished(queue.removeprefix(VM_QUEUE_PREFIX), job.place)
        self._window.add(job.user, Held(ticket, queue, job.model_copy(update={"attempt": attempt})))
        return self._pump(now)

    def unroutable(self, ticket: int, message: Message) -> list[Command]:
        """A delivery from `jobs.unknown`: its routing key names no operation."""
        return [Refuse(ticket, None, operation_problem(message.routing_key, OPERATIONS))]

    def returned(self, ticket: int, message: Message) -> list[Command]:
        """A delivery from `jobs.returned`: the broker took a job out of its queue."""
        reason = message.headers.get("x-first-death-reason")
        if reason == "expired":
            return [Refuse(ticket, None, Problem.of(Kind.EXPIRED, "The job waited longer than its expiration allows."))]
        detail = f"The broker gave the job back ({reason})."
        return [Refuse(ticket, None, Problem.of(Kind.TOO_MANY_ATTEMPTS, detail))]

    def _fault(self, job: Job, now: Moment) -> Problem | None:
        if job.left_ms(now.wall_ms) == 0:
            return Problem.of(Kind.EXPIRED, "The job's time to live ran out before it could be placed.")
        if not job.body:
            return Problem.of(Kind.EMPTY_IMAGE, "The message has no body.", field="body")
        if len(job.body) > self._max_image_bytes:
            return Problem.of(
                Kind.TOO_MANY_BYTES,
                f"The image has {len(job.body):,} bytes; at most {self._max_image_bytes:,} are taken.",
                field="body",
                limit=self._max_image_bytes,
            )
        return None

    def forget(self) -> None:
        """The connection is gone: every delivery will come again, under a new ticket."""
        self._window = RoundRobin()

    # -- what the fleet says

    def heard(self, beat: Heartbeat, now: Moment) -> list[Command]:
        """A heartbeat."""
        return self._changed(self._fleet.heard(beat, now.mono_s), now)

    def finished(self, vm: str, placement: str, now: Moment) -> list[Command]:
        """A VM has answered, or handed back, a job."""
        self._fleet.finished(vm, placement)
        return self._pump(now)

    def rejected(self, held: Held, key: str, now: Moment) -> list[Command]:
        """The broker took no responsibility for a forwarded job: it is back in the window, to be placed again."""
        if key.startswith(VM_QUEUE_PREFIX):
            vm = key.removeprefix(VM_QUEUE_PREFIX)
            self._fleet.finished(vm, held.job.place)
            self._fleet.unreachable(vm, now.mono_s)
        self._window.add(held.job.user, held)
        # Not placed at once: what was refused may be refused again, and a beat or a tick is soon enough.
        return self._collecting(now)

    def uncollected(self, queue: str) -> None:
        """A queue to be collected was not there, or did not answer: it is asked for again."""
        self._collected.discard(queue)

    def tick(self, now: Moment) -> list[Command]:
        """Time passes: VMs are lost, jobs expire, waiting jobs are tried again."""
        commands = self._changed(self._fleet.tick(now.mono_s), now)
        for held in self._window.discard(lambda held: held.job.left_ms(now.wall_ms) == 0):
            commands.append(Refuse(held.ticket, held.job, Problem.of(Kind.EXPIRED, "No VM was free in time.")))
        return commands

    def status(self, now: Moment) -> RouterStatus:
        """What the router says of itself."""
        waiting = self._unserved | self._waiting
        return RouterStatus(router=self._name, at_ms=now.wall_ms, routed=self._routed, waiting=waiting)

    def _changed(self, changes: Iterable[Change], now: Moment) -> list[Command]:
        return [*_announced(changes, now), *self._collecting(now), *self._pump(now)]

    def _collecting(self, now: Moment) -> list[Command]:
        """Which queues to take jobs out of: those of lost VMs, and parked ones whose operation is served again."""
        views = self._fleet.views(now.mono_s).values()
        # A VM that is only `joined` may take long to load, or never take jobs again.
        wanted = {vm_queue(view.name) for view in views if view.state in {"lost", "draining", "joined"}}
        served = {operation for view in views if view.takes_jobs for operation in view.operations}
        self._unserved = {operation: why for operation, why in self._unserved.items() if operation not in served}
        wanted |= {parked_queue(operation) for operation in OPERATIONS if operation in served}
        commands: list[Command] = [Collect(queue) for queue in sorted(wanted - self._collected)]
        commands += [Collect(queue, stop=True) for queue in sorted(self._collected - wanted)]
        self._collected = wanted
        return commands

    # -- placing

    def _pump(self, now: Moment) -> list[Command]:
        """Place what can be placed now, user by user."""
        commands: list[Command] = []
        stuck: set[tuple[str, str]] = set()
        self._waiting = {}

        def take(held: Held) -> bool:
            alike = (held.job.operation, held.job.site)
            if alike in stuck:  # nothing was freed since its like had to wait
                return False
            command = self._act(held, self._choose(held.job, now.mono_s), now)
            if command is None:
                stuck.add(alike)
            else:
                commands.append(command)
            return command is not None

        self._window.serve(take)
        return commands

    def _choose(self, job: Job, now_s: float) -> Choice:
        views = self._fleet.views(now_s)
        before = views.get(self._placed.get(_likeness(job), ""))
        everyone = views.values()
        if before is not None and job.attempt > 1:
            others = [view for view in everyone if view is not before]
            choice = threshold(job, others, self._rules, now_s, cloud_open=self.cloud_open)
            if isinstance(choice, ToVm | Overflow):
                return choice
        elif before is not None and before.room > 0 and job.operation in before.operations:
            return ToVm(before.name, "a repeat: this VM ran it, and may still keep the answer")
        return threshold(job, everyone, self._rules, now_s, cloud_open=self.cloud_open)

    def _remember(self, job: Job, vm: str) -> None:
        self._placed[_likeness(job)] = vm
        self._placed.move_to_end(_likeness(job))
        if len(self._placed) > REMEMBERED:
            self._placed.popitem(last=False)

    def _act(self, held: Held, choice: Choice, now: Moment) -> Command | None:
        job = held.job
        event = JobEvent(
            state="routed",
            job=job.id,
            operation=job.operation,
            user=job.user,
            at_ms=now.wall_ms,
            attempt=job.attempt,
            waited_ms=now.wall_ms - (job.received_ms or now.wall_ms),
            reason=choice.reason,
            traceparent=job.traceparent,
        )
        match choice:
            case ToVm(vm, _, candidates):
                job = job.model_copy(update={"placement": next(self._placements)})
                self._fleet.placed(vm, job.place, now.mono_s)
                self._remember(job, vm)
                self._routed += 1
                told = {"vm": vm, "route": "vm", "placement": job.placement, "candidates": candidates}
                return Forward(replace(held, job=job), vm_queue(vm), event.model_copy(update=told))
            case Overflow(_, candidates):
                self._routed += 1
                return Forward(held, CLOUD_KEY, event.model_copy(update={"route": "cloud", "candidates": candidates}))
            case Park(reason) if held.queue != parked_queue(job.operation):
                self._unserved[job.operation] = reason
                # Parking is no placement: the attempt counted on arrival is taken back.
                uncounted = replace(held, job=job.model_copy(update={"attempt": max(0, job.attempt - 1)}))
                parked = event.model_copy(update={"state": "parked"})
                return Forward(uncounted, parked_queue(job.operation), parked, park=True)
            case Park(reason) | Wait(reason):
                self._waiting[job.operation] = reason
        return None


def _likeness(job: Job) -> tuple[object, ...]:
    """What a repeat has in common with its first run, without reading the whole picture; the worker makes sure."""
    return (job.user, job.id, job.operation, len(job.body), job.body[-64:])


def _announced(changes: Iterable[Change], now: Moment) -> list[Command]:
    return [Announce(change.event(now.wall_ms)) for change in changes]
