"""Bridges on a real broker, between a caller who sees only AMQP and a far side in a test's hands."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from bridge.bridge import Bridge, MakeCloud
from bridge.cloud import Cloud
from bridge.shift import Shift
from bus.clock import now_ms
from bus.control import Cancel
from bus.events import AnyEvent, BridgeStatus, JobEvent, read_event
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import (
    CLOUD_KEY,
    CLOUD_TICKETS,
    CONTROL,
    DEAD,
    EVENTS,
    JOBS_LANES,
    OVERFLOW,
    VMS,
    Binding,
    Queue,
    Topology,
    shared,
)
from tests.bridge.far_side import Client, FarSide
from tests.bus.rabbit.foreign import Foreign, Got, eventually

HOME = "home"
"""The one lane."""
PICTURE = b"a picture"
RECEIVED_MS = 1_000
"""When a router first took the job up."""
SETTINGS = Settings(cloud="http", cloud_services=(("", "http://localhost"),), cloud_timeout_s=60)


def topology() -> Topology:
    """What all rely on, with one lane that a test may read."""
    whole = shared()
    queues = [queue for queue in whole.queues if not queue.name.startswith(("lane.", "parked."))]
    bindings = [binding for binding in whole.bindings if binding.source != JOBS_LANES]
    return replace(
        whole,
        queues=(*queues, Queue(HOME, {"x-queue-type": "quorum"})),
        bindings=(*bindings, Binding(JOBS_LANES, HOME, "1")),
    )


class Running:
    """One bridge, and ways to end it."""

    def __init__(self, bus: Bus, bridge: Bridge, clients: list[Client]) -> None:
        self.bus = bus
        self.bridge = bridge
        self.clients = clients
        self.task = asyncio.create_task(bridge.run())

    @property
    def shift(self) -> Shift:
        """What the active bridge works with."""
        assert self.bridge._crew is not None
        return self.bridge._crew.shift

    async def working(self) -> None:
        await eventually(lambda: self.bridge.active and self.bridge._crew is not None)

    async def stop(self) -> None:
        """As a signal asks for it."""
        await self._end_task()
        await self.bridge.drain()
        await self.bus.close()

    async def kill(self) -> None:
        """Nothing of it does anything from now on: its connections break first."""
        for client in self.clients:
            client.drop()
        crew = self.bridge._crew
        if crew is not None:
            for tasks in (crew._forwarder._in_hand, crew.returns._in_hand, crew.recalls._answering):
                await tasks.cancel()
            if crew.work is not None:
                crew.work.cancel()
        await self._end_task()
        for tasks in (self.bridge._aside, self.bridge._ending):
            await tasks.cancel()
        await self.bus.close()

    async def _end_task(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Yard:
    """A site with a cloud."""

    def __init__(self, url: str, foreign: Foreign, far: FarSide) -> None:
        self.url = url
        self.foreign = foreign
        self.far = far
        self.replies = foreign.queue()
        self.running: list[Running] = []
        self._told = foreign.listen(EVENTS, "#")
        self._events: list[AnyEvent] = []

    async def start(
        self, settings: Settings = SETTINGS, *, name: str = "b1", url: str = "", cloud: MakeCloud | None = None
    ) -> Running:
        """A bridge that works, or stands by; before the far side, or a cloud of another make."""
        clients: list[Client] = []

        def make(settings: Settings) -> Cloud:
            if cloud is not None:
                return cloud(settings)
            clients.append(Client(self.far))
            return clients[-1]

        bus = Bus(url or self.url, name=name, topology=topology())
        await bus.start()
        self.running.append(Running(bus, Bridge(bus, settings, make, name=name), clients))
        return self.running[-1]

    def send(self, body: bytes = PICTURE, *, headers: dict[str, Any] | None = None, **properties: Any) -> None:
        """A job as the router overflows it."""
        hop = {"operation": "sketch", "user": "anna", "attempt": 1, "received_ms": RECEIVED_MS} | (headers or {})
        given = {"reply_to": self.replies, "message_id": "j1", "correlation_id": "c1"} | properties
        self.foreign.publish(VMS, CLOUD_KEY, body, headers=hop, **given)

    def route(self, placement: str) -> None:
        """What the router tells when it has placed the job of `send`."""
        now = now_ms()
        told = JobEvent(
            state="routed",
            job="j1",
            user="anna",
            operation="sketch",
            at_ms=now,
            waited_ms=now - RECEIVED_MS,
            placement=placement,
        )
        self.foreign.publish(EVENTS, told.key, told.model_dump_json().encode())

    def cancel(self, job: str = "j1") -> None:
        order = Cancel(job=job, user="anna")
        self.foreign.publish(CONTROL, order.key, order.model_dump_json().encode())

    async def reply(self) -> Got:
        return await self.foreign.get(self.replies)

    async def home(self) -> Got:
        return await self.foreign.get(HOME)

    async def dead(self) -> Got:
        return await self.foreign.get(DEAD)

    def events(self) -> list[AnyEvent]:
        while (got := self.foreign.taken(self._told)) is not None:
            self._events.append(read_event(got.body))
        return self._events

    def steps(self) -> list[JobEvent]:
        return [event for event in self.events() if isinstance(event, JobEvent)]

    def statuses(self, name: str = "b1") -> list[BridgeStatus]:
        return [event for event in self.events() if isinstance(event, BridgeStatus) and event.bridge == name]

    async def told(self, state: str) -> JobEvent:
        return (await eventually(lambda: [step for step in self.steps() if step.state == state]))[-1]

    async def status(self, name: str = "b1", **fields: Any) -> BridgeStatus:
        """The first status that says all this."""

        def look() -> list[BridgeStatus]:
            return [s for s in self.statuses(name) if all(getattr(s, key) == value for key, value in fields.items())]

        return (await eventually(look))[0]

    async def all_settled(self) -> None:
        """Nothing is left for anybody: no job, no ticket, and nobody was answered twice."""
        await eventually(lambda: all(each.bridge.in_flight == 0 for each in self.running))
        for each in self.running:
            await each.stop()
        await eventually(lambda: self.foreign.depth(OVERFLOW) == 0)
        left = [self.foreign.depth(queue) for queue in (HOME, DEAD, self.replies)]
        assert left == [0, 0, 0]
        assert self.tickets() == 0

    def tickets(self) -> int:
        """Tickets in their queue, once no bridge holds it. A call is none."""
        found = 0
        with Foreign(self.url) as reader:
            for method, _, body in reader.channel.consume(CLOUD_TICKETS, inactivity_timeout=0.1):
                if method is None:
                    return found
                found += bool(body)
        return found


@contextlib.asynccontextmanager
async def yard(url: str, far: FarSide | None = None) -> AsyncIterator[Yard]:
    """A yard without a bridge yet; whatever the test did, none is left."""
    with Foreign(url) as foreign:
        async with Bus(url, name="declares", topology=topology()):
            pass
        there = Yard(url, foreign, far or FarSide())
        try:
            yield there
        finally:
            for each in there.running:
                await each.kill()
