"""The router process: heartbeats and jobs in, jobs out. Performs what the dispatcher decides."""

import asyncio
import itertools
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from bus.clock import now_ms
from bus.control import Cancel, Orders
from bus.errors import BusError, Disconnected
from bus.events import JobEvent, RouterStatus, VmEvent
from bus.rabbit import Bus, Consumer, Delivery
from bus.settings import MIB, Settings
from bus.topology import (
    EVENTS,
    HEARTBEATS,
    JOBS,
    JOBS_RETURNED,
    JOBS_UNKNOWN,
    LANES,
    OVERFLOW,
    VMS,
    lane,
    shared,
)
from producers.admission import Config
from producers.cancels import Asked
from producers.collecting import Collectors
from producers.commands import Announce, Arrival, Bury, Collect, Command, Forward, Moment, Refuse, Settle
from producers.dispatcher import Dispatcher
from producers.intake import Intake
from producers.lanes import Lanes
from producers.leadership import Leadership
from producers.refusals import Refusals
from producers.tickets import Tickets
from telemetry import hops, metrics, traces
from telemetry.fleet import Fleet
from telemetry.fleet import Rules as FleetRules
from telemetry.garbage import EventReader
from telemetry.logs import about
from telemetry.process import unless_set
from telemetry.telling import tell

log = logging.getLogger(__name__)

TICK_S = 0.25
TICKS_A_STATUS = 4
DRAIN_TIMEOUT_S = 3.0
PREFETCH = 16
"""Of every queue that is not a lane."""
GIVE_BACK_AFTER_S = 1.0
"""To its queue, when it could not be moved to another."""
BEATS_TO_LISTEN = 1.5
"""How long a router that has just become the active one hears heartbeats before it places, to know what runs where."""
_HEARD = (
    (HEARTBEATS, ""),
    (EVENTS, "bridge.*"),
    *((EVENTS, f"job.{state}.*") for state in ("running", "done", "failed", "retried", "unanswerable")),
    *((EVENTS, f"job.{state}.*") for state in ("replayed", "purged")),  # only counted
)


def clock() -> Moment:
    """Now, for the dispatcher."""
    return Moment(time.monotonic(), now_ms())


class Router:
    """One router on one bus. `run` serves until it is cancelled."""

    def __init__(self, bus: Bus, dispatcher: Dispatcher, intake: Intake, *, listen_s: float) -> None:
        """`listen_s` is how long it hears heartbeats, once active, before it places."""
        self._bus = bus
        self._dispatcher = dispatcher
        self._listen_s = listen_s
        self._tickets = Tickets(bus)
        self._refusals = Refusals(bus, self._tickets, self._post)
        self._lanes = Lanes(bus, self._tickets, intake, self._on_job)
        self._collectors = Collectors(bus, self._on_collected, dispatcher.uncollected, prefetch=PREFETCH)
        self._leadership = Leadership(bus, self._tickets, self)
        self._events = EventReader(log.warning)
        self._others: list[Consumer] = []
        self._beginning: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._acts: dict[type[Command], Callable[[Any], object]] = {
            Forward: self._forward,
            Announce: lambda told: self._post(told.event),
            Refuse: self._refusals.refuse,
            Bury: self._refusals.bury,
            Settle: lambda done: self._tickets.settle(done.ticket),
            Collect: self._collectors.do,
        }
        self._tickets.on_gone = self._lanes.gone
        bus.on_disconnect = self._forget
        bus.on_connect = self._leadership.call

    @property
    def holds(self) -> int:
        """How many deliveries are not yet settled."""
        return len(self._tickets)

    async def run(self) -> None:
        """Listen, stand by, take jobs while active, and tick; returns only when cancelled."""
        await self._bus.listen(_HEARD, self._on_event)
        for queue, handler in ((JOBS_UNKNOWN, self._on_unknown), (JOBS_RETURNED, self._on_returned)):
            self._others.append(await self._bus.consume(queue, handler, prefetch=PREFETCH))
        await self._leadership.start()
        for ticks in itertools.count():
            now = clock()
            self._perform(self._dispatcher.tick(now))
            self._leadership.tick(now.mono_s)
            if ticks % TICKS_A_STATUS == 0:
                self._post(self._dispatcher.status(now))
                if self._leadership.active:
                    self._collectors.spawn(self._look_for_bridges())
                    self._collectors.spawn(metrics.ask_queues(self._bus))
            await asyncio.sleep(TICK_S)

    async def drain(self) -> None:
        """Take no more jobs, and wait for the confirms that are due: what is sent twice is answered twice."""
        if self._beginning is not None:
            self._beginning.cancel()
        await self._lanes.close()
        await self._collectors.stop()
        for consumer in self._others:
            await self._bus.cancel(consumer)
        await self._leadership.stop()
        self._dispatcher.forget()
        if self._refusals.unconfirmed:
            await asyncio.wait(self._refusals.unconfirmed, timeout=DRAIN_TIMEOUT_S)

    # -- the active router

    def take_over(self, orders: Orders) -> None:
        """This router is the active one: it takes jobs, and places them once it has heard what runs where."""
        log.info("this router is the active one now; routing from %s", self._bus.address)
        now = clock()
        self._perform(self._dispatcher.activate(orders, now.mono_s + self._listen_s, now))
        self._beginning = asyncio.create_task(self._begin())

    async def _begin(self) -> None:
        self._lanes.open()
        await asyncio.sleep(self._listen_s)
        if self._leadership.active:
            self._leadership.settle_in()
            self._perform(self._dispatcher.tick(clock()))

    def follow(self, orders: Orders) -> None:
        """An operator has drained a VM, or paused an operation."""
        self._perform(self._dispatcher.ordered(orders, clock()))

    def cancel(self, order: Cancel, ticket: int, at_ms: int | None) -> str:
        """A job is to be cancelled; returns what to tell."""
        now = clock()
        commands, said = self._dispatcher.cancel(Asked(order.user, order.job, ticket, at_ms or now.wall_ms), now)
        self._perform(commands)
        return said

    def knows(self, vm: str) -> bool:
        """Whether a VM of this name was heard."""
        return self._dispatcher.knows(vm)

    def _forget(self) -> None:
        if self._beginning is not None:
            self._beginning.cancel()
        self._tickets.forget()
        self._dispatcher.forget()
        self._leadership.forget()
        self._lanes.forget()
        self._collectors.spawn(self._collectors.stop())

    async def _look_for_bridges(self) -> None:
        try:
            counts = await self._bus.counts(OVERFLOW)
        except BusError as error:
            log.info("whether a bridge is alive is not known: %s", error)
            return
        if counts is not None:
            self._perform(self._dispatcher.bridges(counts.consumers, clock(), waiting=counts.ready))

    # -- in

    def _on_job(self, delivery: Delivery, ticket: int) -> None:
        message = delivery.message
        sent_ms = None if message.timestamp is None else message.timestamp * 1000
        is_new = delivery.exchange == JOBS
        arrival = Arrival(ticket, delivery.queue, is_new, delivery.returns, delivery.redelivered, sent_ms)
        try:
            commands = self._dispatcher.arrived(arrival, message, clock())
        except Exception:
            # A fault of ours: the bus rejects the delivery, and nobody may go on counting it.
            self._dispatcher.lost(ticket)
            self._tickets.drop(ticket)
            raise
        self._perform(commands)

    def _on_collected(self, delivery: Delivery) -> None:
        ticket = self._tickets.hold(delivery)
        self._lanes.count(delivery, ticket)
        self._on_job(delivery, ticket)

    def _on_unknown(self, delivery: Delivery) -> None:
        self._perform(self._dispatcher.unroutable(self._tickets.hold(delivery), delivery.message))

    def _on_returned(self, delivery: Delivery) -> None:
        self._perform(self._dispatcher.returned(self._tickets.hold(delivery), delivery.message))

    def _on_event(self, delivery: Delivery) -> None:
        now = clock()
        event = self._events.read(delivery.message, now.mono_s)
        if event is not None:
            metrics.heard(event, now.wall_ms)
            self._perform(self._dispatcher.heard(event, now))

    # -- out

    def _perform(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self._acts[type(command)](command)
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Look again when a slot is about to come free."""
        at = self._dispatcher.wake_s
        if at is not None and (self._alarm is None or at < self._alarm.when()):
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = asyncio.get_running_loop().call_at(at, self._wake)

    def _wake(self) -> None:
        self._alarm = None
        self._perform(self._dispatcher.wake(clock()))

    def _forward(self, command: Forward) -> None:
        if self._tickets.get(command.held.ticket) is None:
            return  # decided before the connection was lost: the job comes again
        now, span = clock(), traces.NOTHING
        if command.exchange == VMS:  # elsewhere it waits, and is routed later
            since_ms = now.wall_ms - round((now.mono_s - command.held.arrived_s) * 1000)
            span = hops.route(command.held.job, command.key, since_ms)
        job = command.held.job if span is traces.NOTHING else span.carried_by(command.held.job)
        sent_ms = command.held.sent_ms  # which its caller told, and the next to route it tells again
        message = replace(
            job.to_message(command.key, now.wall_ms), timestamp=None if sent_ms is None else sent_ms // 1000
        )
        with about(job):
            published = self._bus.publish(command.exchange, message)
            self._refusals.when_confirmed(published, partial(self._forwarded, command, span))

    def _forwarded(self, command: Forward, span: traces.Span, published: "asyncio.Future[None]") -> None:
        error = published.exception()
        span.end(None if error is None else str(error))
        ticket = command.held.ticket
        if error is None:
            # Only now: until the broker has the copy for the VM, the lane's is the job.
            self._tickets.settle(ticket)
            if (event := command.event) is not None:
                known = span.traceparent in {None, event.traceparent}
                self._post(event if known else event.model_copy(update={"traceparent": span.traceparent}))
        elif not isinstance(error, Disconnected) and self._tickets.get(ticket) is not None:
            log.warning("job %s to %s: %s; trying again", command.held.job.id, command.key, error)
            if command.exchange == VMS:
                self._perform(self._dispatcher.rejected(command.held, command.key, clock()))
            else:
                asyncio.get_running_loop().call_later(GIVE_BACK_AFTER_S, self._tickets.give_back, ticket)

    def _post(self, event: JobEvent | VmEvent | RouterStatus) -> None:
        tell(self._bus, event)


async def serve_router(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Route jobs, or stand by, until `stop`; what is not placed by then is still in its lane."""
    name = f"router {socket.gethostname()} {os.getpid()}"
    bus = Bus(url, name=name, topology=shared(), heartbeat_s=settings.amqp_heartbeat_s)
    if not await unless_set(stop, bus.start()):
        return
    fleet = Fleet(FleetRules.of(settings))
    metrics.watch(fleet)
    dispatcher = Dispatcher(fleet, Config.of(settings), name=name, session=uuid.uuid4().hex[:12])
    intake = Intake(map(lane, range(LANES)), settings.lane_prefetch, settings.window_mib * MIB)
    router = Router(bus, dispatcher, intake, listen_s=settings.beat_interval_s * BEATS_TO_LISTEN)
    try:
        await unless_set(stop, router.run())
        await router.drain()
    finally:
        await bus.close()
