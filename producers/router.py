"""The router process: heartbeats and jobs in, jobs out. Performs what the dispatcher decides."""

import asyncio
import itertools
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from functools import partial

from bus.errors import BadInput, BusError, Disconnected, Refused
from bus.events import Heartbeat, JobEvent, RouterStatus, VmEvent, event_message, read_event
from bus.messages import Answer, Message, told_id_of, unreadable
from bus.problems import Kind
from bus.rabbit import Bus, Consumer, Delivery
from bus.replies import bury, send_answer
from bus.settings import Settings
from bus.topology import DEFAULT_EXCHANGE, EVENTS, HEARTBEATS, JOBS_RETURNED, JOBS_UNKNOWN, LANES, VMS, lane, shared
from producers.dispatcher import Announce, Bury, Collect, Command, Dispatcher, Forward, Moment, Refuse
from producers.placement import Rules
from telemetry.fleet import Fleet
from telemetry.fleet import Rules as FleetRules
from telemetry.process import unless_set

log = logging.getLogger(__name__)

TICK_S = 0.25
TICKS_A_STATUS = 4
DRAIN_TIMEOUT_S = 3.0
COLLECT_AGAIN_S = 5.0
"""Before a queue to be collected that was not there, or did not answer, is asked for again."""
_SETTLED = ("done", "failed", "retried", "unanswerable")
"""The states after which a VM no longer holds a job."""


def clock() -> Moment:
    """Now, for the dispatcher."""
    return Moment(time.monotonic(), time.time_ns() // 1_000_000)


class Router:
    """One router on one bus. `run` serves until it is cancelled."""

    def __init__(self, bus: Bus, dispatcher: Dispatcher, *, lane_prefetch: int) -> None:
        self._bus = bus
        self._dispatcher = dispatcher
        self._prefetch = lane_prefetch
        self._tickets = itertools.count()
        self._deliveries: dict[int, Delivery] = {}
        self._collectors: dict[str, Consumer] = {}
        self._collecting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._consumers: list[Consumer] = []
        self._unconfirmed: set[asyncio.Future[None]] = set()
        bus.on_disconnect = self._forget
        bus.on_connect = self._look_for_missing

    async def run(self) -> None:
        """Listen, take jobs, and tick; returns only when cancelled."""
        bus = self._bus
        await bus.listen([(HEARTBEATS, "")], self._on_heartbeat)
        await bus.listen([(EVENTS, f"job.{state}.*") for state in _SETTLED], self._on_settled)
        for number in range(LANES):
            self._consumers.append(await bus.consume(lane(number), self._on_job, prefetch=self._prefetch))
        for queue, handler in ((JOBS_UNKNOWN, self._on_unknown), (JOBS_RETURNED, self._on_returned)):
            self._consumers.append(await bus.consume(queue, handler, prefetch=self._prefetch))
        log.info("routing from %s", bus.address)
        for ticks in itertools.count():
            now = clock()
            self._perform(self._dispatcher.tick(now))
            if ticks % TICKS_A_STATUS == 0:
                self._post(self._dispatcher.status(now))
            await asyncio.sleep(TICK_S)

    async def drain(self) -> None:
        """Take no more jobs, and wait for the confirms that are due: what is sent twice is answered twice."""
        for consumer in (*self._consumers, *self._collectors.values()):
            await self._bus.cancel(consumer)
        self._dispatcher.forget()
        if self._unconfirmed:
            await asyncio.wait(self._unconfirmed, timeout=DRAIN_TIMEOUT_S)

    # -- in

    def _on_job(self, delivery: Delivery) -> None:
        ticket = self._hold(delivery)
        self._perform(
            self._dispatcher.arrived(ticket, delivery.queue, delivery.message, clock(), returns=delivery.returns)
        )

    def _on_unknown(self, delivery: Delivery) -> None:
        self._perform(self._dispatcher.unroutable(self._hold(delivery), delivery.message))

    def _on_returned(self, delivery: Delivery) -> None:
        self._perform(self._dispatcher.returned(self._hold(delivery), delivery.message))

    def _on_heartbeat(self, delivery: Delivery) -> None:
        beat = _read(delivery)
        if isinstance(beat, Heartbeat):
            self._perform(self._dispatcher.heard(beat, clock()))

    def _on_settled(self, delivery: Delivery) -> None:
        event = _read(delivery)
        if isinstance(event, JobEvent) and event.vm:
            self._perform(self._dispatcher.finished(event.vm, event.placement or event.job, clock()))

    def _hold(self, delivery: Delivery) -> int:
        ticket = next(self._tickets)
        self._deliveries[ticket] = delivery
        return ticket

    def _forget(self) -> None:
        self._deliveries.clear()
        self._dispatcher.forget()

    # -- out

    def _perform(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Forward():
                    self._forward(command)
                case Refuse():
                    self._refuse(command)
                case Bury(ticket, reason):
                    self._bury(ticket, reason)
                case Announce(event):
                    self._post(event)
                case Collect():
                    self._spawn(self._collect(command))

    def _forward(self, command: Forward) -> None:
        if command.held.ticket not in self._deliveries:
            return  # decided before the connection was lost: the job comes again
        message = command.held.job.to_message(command.key, clock().wall_ms)
        published = self._bus.publish(DEFAULT_EXCHANGE if command.park else VMS, message)
        self._when_confirmed(published, partial(self._forwarded, command))

    def _when_confirmed(self, sent: "asyncio.Future[None]", then: "Callable[[asyncio.Future[None]], None]") -> None:
        sent.add_done_callback(then)
        self._unconfirmed.add(sent)
        sent.add_done_callback(self._unconfirmed.discard)

    def _forwarded(self, command: Forward, published: "asyncio.Future[None]") -> None:
        error = published.exception()
        if error is None:
            # Only now: until the broker has the copy for the VM, the lane's is the job.
            self._settle(command.held.ticket)
            self._post(command.event)
        elif not isinstance(error, Disconnected) and command.held.ticket in self._deliveries:
            log.warning("job %s to %s: %s; placing it again", command.held.job.id, command.key, error)
            self._perform(self._dispatcher.rejected(command.held, command.key, clock()))

    def _refuse(self, command: Refuse) -> None:
        delivery = self._deliveries.get(command.ticket)
        if delivery is None:
            return
        message, problem = delivery.message, command.problem
        if command.job is not None and command.job.reply_to:
            answer: Message | None = Answer.refusal(command.job, problem).to_message(command.job.reply_to)
        else:
            answer = unreadable(message, problem)
        if answer is None:
            self._bury(command.ticket, problem.detail)
            return
        if problem.type == Kind.TOO_MANY_ATTEMPTS.urn:
            bury(self._bus, message, problem.detail)
        event = JobEvent(
            state="failed",
            job=str(answer.headers["job"]),
            operation=str(answer.headers["operation"]),
            at_ms=clock().wall_ms,
            reason=problem.detail,
            problem=problem.slug,
        )
        self._when_confirmed(send_answer(self._bus, answer), partial(self._answered, command.ticket, event))

    def _answered(self, ticket: int, event: JobEvent, sent: "asyncio.Future[None]") -> None:
        error = sent.exception()
        if isinstance(error, Disconnected):
            return
        if isinstance(error, Refused):
            self._bury(ticket, f"the answer could not be delivered: {error}")
            return
        self._settle(ticket)
        if error is not None:
            event = event.model_copy(update={"state": "unanswerable", "reason": str(error)})
        self._post(event)

    def _bury(self, ticket: int, reason: str) -> None:
        delivery = self._deliveries.get(ticket)
        if delivery is None:
            return
        job_id = told_id_of(delivery.message)
        log.warning("job %s goes to the dead queue: %s", job_id, reason)
        operation = str(delivery.message.headers.get("operation", delivery.message.routing_key))
        event = JobEvent(state="unanswerable", job=job_id, operation=operation, at_ms=clock().wall_ms, reason=reason)
        self._when_confirmed(bury(self._bus, delivery.message, reason), partial(self._buried, ticket, event))

    def _buried(self, ticket: int, event: JobEvent, buried: "asyncio.Future[None]") -> None:
        error = buried.exception()
        if error is None:
            self._settle(ticket)
            self._post(event)
        elif not isinstance(error, Disconnected):
            log.error("the dead queue refused a job: %s", error)

    def _settle(self, ticket: int) -> None:
        delivery = self._deliveries.pop(ticket, None)
        if delivery is not None:
            self._bus.ack(delivery)

    def _post(self, event: JobEvent | VmEvent | RouterStatus) -> None:
        self._bus.post(EVENTS, event_message(event, event.key))

    # -- queues that nobody serves

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _collect(self, command: Collect) -> None:
        async with self._collecting:  # in the order they were decided
            try:
                if command.stop:
                    consumer = self._collectors.pop(command.queue, None)
                    if consumer is not None:
                        await self._bus.cancel(consumer)
                elif command.queue not in self._collectors:
                    await self._begin_collecting(command.queue)
            except (BusError, OSError, TimeoutError) as error:
                log.warning("taking jobs out of %s: %s", command.queue, error)

    async def _begin_collecting(self, queue: str) -> None:
        consumer = await self._bus.consume(queue, self._on_job, prefetch=self._prefetch, optional=True)
        if consumer.found or not self._bus.connected:
            self._collectors[queue] = consumer
            return
        await self._give_up(queue, consumer)

    async def _give_up(self, queue: str, consumer: Consumer) -> None:
        await self._bus.cancel(consumer)
        asyncio.get_running_loop().call_later(COLLECT_AGAIN_S, self._dispatcher.uncollected, queue)

    def _look_for_missing(self) -> None:
        """After a reconnect: ask again, later, for the queues that were not there or did not answer."""
        for queue, consumer in list(self._collectors.items()):
            if not consumer.found:
                del self._collectors[queue]
                self._spawn(self._give_up(queue, consumer))


def _read(delivery: Delivery) -> object:
    try:
        return read_event(delivery.message.body)
    except BadInput as error:
        log.warning("ignoring garbage on %s: %s", delivery.message.routing_key, error.problem.detail)
        return None


async def serve_router(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Route jobs until `stop`; what is not placed by then is still in its lane."""
    name = f"router {socket.gethostname()} {os.getpid()}"
    bus = Bus(url, name=name, topology=shared(), heartbeat_s=settings.amqp_heartbeat_s)
    if not await unless_set(stop, bus.start()):
        return
    dispatcher = Dispatcher(
        Fleet(FleetRules.of(settings)),
        Rules(settings.cpu_threshold, settings.ram_threshold),
        max_image_bytes=settings.max_image_bytes,
        name=name,
        session=uuid.uuid4().hex[:12],
    )
    router = Router(bus, dispatcher, lane_prefetch=settings.lane_prefetch)
    try:
        await unless_set(stop, router.run())
        await router.drain()
    finally:
        await bus.close()
