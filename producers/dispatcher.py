"""The router's mind: deliveries, heartbeats and time in; commands out. Pure.

It holds what the router looks ahead at and nothing else: each job in its window is unacked in a durable queue, so
losing this object loses nothing.
"""

from collections.abc import Collection

from bus.control import Orders
from bus.errors import BadInput
from bus.events import AnyEvent, JobEvent, RouterStatus
from bus.messages import Job, Message, operation_problem
from bus.problems import Kind, Problem
from bus.topology import LANES, OPERATIONS, lane, vm_of
from producers.admission import Admission, Config, given_back
from producers.ahead import LookAhead
from producers.cancels import Asked, Cancels
from producers.cloud import Cloud
from producers.commands import Announce, Arrival, Bury, Command, Held, Moment, Refuse, Settle
from producers.estimates import Estimates
from producers.learning import ENDED, Learning
from producers.line import Line
from producers.placed import Placed
from producers.placing import Books, Placer
from producers.salvage import Salvage
from producers.stranded import home, sent_again
from producers.waits import Waits
from producers.work import Work
from telemetry.fleet import Change, Fleet
from telemetry.out_of_use import lost, quarantined

_LANES = frozenset(map(lane, range(LANES)))
HELD_AT_MOST_S = 1200.0
"""Brokers close the channel of a consumer that holds a message for half an hour."""


class Dispatcher:
    """Places jobs late: only when a VM has room, or the cloud is the better place."""

    def __init__(self, fleet: Fleet, config: Config, *, name: str, session: str) -> None:
        """`name` is for people; `session` is new with each start, and makes the ids of placements unique."""
        self._fleet = fleet
        self._config = config
        self._name = name
        self._estimates = Estimates()
        self._work = Work()
        self._cloud = Cloud(config.cloud)
        self._ahead = LookAhead(fleet, self._work, config.lead_s)
        self._line = Line(config.user_weights)
        self._waits = Waits(self._estimates)
        self._placed = Placed(session)
        self._admission = Admission(config, fleet, self._estimates, self._placed)
        self._cancels = Cancels()
        self._orders = Orders()
        self._places_from: float | None = None
        self._salvage = Salvage(fleet, self._cloud)
        books = Books(fleet, self._estimates, self._work, self._placed, self._waits, self._cloud, self._ahead)
        self._learning = Learning(books)
        self._placer = Placer(config, books)

    # -- standing by, and taking over

    def activate(self, orders: Orders, places_from_s: float, now: Moment) -> list[Command]:
        """This router is the active one, and places jobs from `places_from_s` on, when it has heard what runs where."""
        self._places_from = places_from_s
        self._fleet.hears(now.mono_s)
        return self.ordered(orders, now)

    def ordered(self, orders: Orders, now: Moment) -> list[Command]:
        """The operator's orders, all that are in force."""
        self._orders = orders
        return self._changed(self._fleet.drain(orders.drained, now.mono_s), now)

    def forget(self) -> None:
        """The connection is gone: every delivery will come again, under a new ticket, perhaps to another router."""
        self._line = Line(self._config.user_weights)
        self._cancels.forget()
        self._waits.interrupted()
        self._places_from = None
        self._salvage = Salvage(self._fleet, self._cloud)
        self._ahead.forget()
        self._fleet.deaf()

    # -- jobs

    def arrived(self, arrival: Arrival, message: Message, now: Moment) -> list[Command]:
        """A delivery from a lane, a parked queue, `overflow`, or a lost VM's queue."""
        try:
            job = Job.from_message(message, now.wall_ms, trusted=not arrival.is_new)
        except BadInput as error:
            return [Refuse(arrival.ticket, None, error.problem)]
        if not job.reply_to:
            return [Bury(arrival.ticket, "the job names no reply_to, so no answer can be seen; set it and send again")]
        return self.admit(arrival, job, now)

    def admit(self, arrival: Arrival, job: Job, now: Moment) -> list[Command]:
        """A job that could be read."""
        self._line.correct(job.user, self._learning.taken_back(arrival.queue, job.place, now))
        order = self._cancels.take(job, arrival.sent_ms)
        if order is not None:
            return [self._cancelled(arrival.ticket, job), Settle(order)]
        if arrival.queue not in _LANES:
            return [home(arrival, self._admission.on_its_way_home(arrival, job, now), now)]
        admitted = self._admission.admit(arrival, job, self._line, now)
        if isinstance(admitted, Problem):
            return [Refuse(arrival.ticket, job, admitted)]
        self._line.add(admitted, now.mono_s, self._admission.delay_s(admitted, now))
        self._waits.arrived(arrival.ticket, now.mono_s)
        return self._pump(now)

    def lost(self, ticket: int) -> None:
        """A fault of ours: the delivery is no longer held."""
        self._line.remove(ticket)

    def unroutable(self, ticket: int, message: Message) -> list[Command]:
        """A delivery from `jobs.unknown`: its routing key names no operation."""
        return [Refuse(ticket, None, operation_problem(message.routing_key, OPERATIONS))]

    def returned(self, ticket: int, message: Message) -> list[Command]:
        """A delivery from `jobs.returned`: the broker took a job out of its queue."""
        return [Refuse(ticket, None, given_back(message))]

    def cancel(self, asked: Asked, now: Moment) -> tuple[list[Command], str]:
        """An order to cancel, and what to tell who gave it. VMs hear it themselves."""
        found = self._line.find(asked.user, asked.job, asked.at_ms)
        if found:
            return [*(self._cancelled(held.ticket, held.job) for held in found), Settle(asked.ticket)], "cancelled"
        ended = self._placed.ended(asked.user, asked.job)
        settled = self._cancels.remember(asked, ended, now.mono_s)
        said = "not in line: VMs and the cloud's bridge are told, and it is refused if it comes within 20 minutes"
        return [Settle(old) for old in settled], "it has ended already" if ended else said

    def _cancelled(self, ticket: int, job: Job) -> Refuse:
        return Refuse(
            ticket, job, Problem.of(Kind.CANCELLED, "Its caller, or an operator, cancelled it before it ran.")
        )

    # -- what the fleet says

    def heard(self, event: AnyEvent, now: Moment) -> list[Command]:
        """A heartbeat, the end of a job, or a word from a bridge."""
        match event.kind:  # by its class it takes thrice as long
            case "heartbeat":
                changes = self._fleet.heard(event, now.mono_s)
                self._work.keep(event.vm, self._fleet.held(event.vm))
                return self._changed(changes, now) if changes or self._salvage.is_news else self._pump(now)
            case "job" if event.route == "cloud":
                return self._told_of_cloud(event, now)
            case "job" if event.vm is not None:
                return self._job_told(event, event.vm, now)
            case "bridge":
                self._cloud.heard(event, now.mono_s)
                return self._pump(now)
        return []

    def knows(self, vm: str) -> bool:
        """Whether a VM of this name was heard within a day."""
        return self._fleet.knows(vm)

    def bridges(self, consumers: int, now: Moment, *, waiting: int = 0) -> list[Command]:
        """So many consume `overflow`, ourselves included, and so many jobs wait there."""
        self._salvage.bridges(consumers, now.mono_s, waiting=waiting)
        return self._changed((), now)

    def _job_told(self, event: JobEvent, vm: str, now: Moment) -> list[Command]:
        corrected_s = self._learning.told(event, vm, now)
        if event.state == "running":
            return []
        self._line.correct(event.user, corrected_s)
        self._ahead.look(vm, now.mono_s)
        return [*self._ended(event), *self._pump(now)]

    def _told_of_cloud(self, event: JobEvent, now: Moment) -> list[Command]:
        """A bridge tells what became of a job."""
        self._line.correct(event.user, self._learning.told_of_cloud(event, now))
        return [*self._ended(event), *self._pump(now)]

    def _ended(self, event: JobEvent) -> list[Command]:
        """An order to cancel a job that has ended is done with."""
        order = self._cancels.ended(event.user, event.job) if event.state in ENDED else None
        return [] if order is None else [Settle(order)]

    def rejected(self, held: Held, key: str, now: Moment) -> list[Command]:
        """The broker took no responsibility for a forwarded job: it is back in the window, to be placed again."""
        changes: list[Change] = []
        self._line.correct(held.job.user, self._learning.taken_back(key, held.job.place, now))
        vm = vm_of(key)
        if vm is not None:
            self._fleet.unreachable(vm, now.mono_s)
            changes = self._fleet.tick(now.mono_s)
        # Not placed at once: what was refused may be refused again, and a beat or a tick is soon enough.
        if now.mono_s - held.arrived_s > HELD_AT_MOST_S / 2:
            return [sent_again(held, now), *self._announced(changes, now), *self._collecting(now)]
        self._line.add(held, now.mono_s, self._config.retry_delay_s)
        self._waits.arrived(held.ticket, now.mono_s)
        return [*self._announced(changes, now), *self._collecting(now)]

    def uncollected(self, queue: str) -> None:
        """A queue to be collected was not there, or did not answer: it is asked for again."""
        self._salvage.missing(queue)

    def tick(self, now: Moment) -> list[Command]:
        """Time passes: VMs are lost, jobs expire, waiting jobs are tried again."""
        commands: list[Command] = [
            Refuse(held.ticket, held.job, Problem.of(Kind.EXPIRED, "No VM was free in time."))
            for held in self._line.expired(now.wall_ms)
        ]
        commands += [sent_again(held, now) for held in self._line.held_since(now.mono_s - HELD_AT_MOST_S)]
        commands += [Settle(ticket) for ticket in self._cancels.expire(now.mono_s)]
        commands += self._changed(self._fleet.tick(now.mono_s), now)
        if self._may_place(now):
            commands += map(Announce, self._waits.tell(self._line, now, self._fleet.slots))
        return commands

    def status(self, now: Moment) -> RouterStatus:
        """What the router says of itself."""
        views = self._fleet.views(now.mono_s)
        stranded = [views[name] for name in self._fleet.stranded]
        return RouterStatus(
            router=self._name,
            at_ms=now.wall_ms,
            active=self._places_from is not None,
            policy=self._config.rules.policy,
            routed=self._placer.routed,
            queued=len(self._line),
            users=self._line.busiest(),
            waiting=self._placer.parked | self._placer.waiting,
            paused=tuple(sorted(self._orders.paused)),
            drained=tuple(sorted(self._orders.drained)),
            quarantined=quarantined(stranded),
            lost=lost(stranded, now.mono_s),
            cloud=self._cloud.said(now.mono_s),
        )

    def _changed(self, changes: Collection[Change], now: Moment) -> list[Command]:
        return [*self._announced(changes, now), *self._collecting(now), *self._pump(now)]

    def _announced(self, changes: Collection[Change], now: Moment) -> list[Command]:
        for change in changes:
            if change.state == "lost":
                self._waits.lost(self._fleet.held(change.vm))
        # One router speaks for the fleet; those that stand by only listen.
        return [Announce(change.event(now.wall_ms)) for change in changes if self._places_from is not None]

    def _collecting(self, now: Moment) -> list[Command]:
        if not self._may_place(now):
            return []
        planned = self._salvage.plan(self._orders.paused, now.mono_s)
        if not self._salvage.served.isdisjoint(self._placer.parked):
            parked = self._placer.parked.items()
            self._placer.parked = {name: why for name, why in parked if name not in self._salvage.served}
        return [*planned]

    # -- placing

    @property
    def holds(self) -> int:
        """How many jobs are in line."""
        return len(self._line)

    @property
    def wake_s(self) -> float | None:
        """When to call `wake`, on the monotonic clock: a slot is about to come free, and jobs wait."""
        next_s = self._ahead.next_s
        return None if next_s is None or self._places_from is None or not self._line else max(next_s, self._places_from)

    def wake(self, now: Moment) -> list[Command]:
        """The moment of `wake_s` has come."""
        return self._pump(now)

    def _may_place(self, now: Moment) -> bool:
        return self._places_from is not None and now.mono_s >= self._places_from

    def _pump(self, now: Moment) -> list[Command]:
        """Place what can be placed now, user by user."""
        commands: list[Command] = []
        if not self._may_place(now):
            return commands
        self._placer.waiting = {}
        self._ahead.open_due(now.mono_s)
        if not self._line:
            return commands
        self._line.bound(self._cloud.largest_bytes(now.mono_s))

        def take(held: Held) -> bool:
            command = self._placer.place(held, self._orders.paused, self._line.total_s - held.seconds, now)
            if command is not None:
                commands.append(command)
            return command is not None

        self._line.serve(now.mono_s, take)
        return commands
