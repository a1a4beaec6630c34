"""The agent: once a beat it says on the bus how the machine and its worker are."""

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bus.clock import now_ms
from bus.events import Heartbeat, event_message, heartbeat_key
from bus.messages import Message
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import HEARTBEATS, shared
from telemetry import metrics
from telemetry.machine import Machine, Reading
from telemetry.process import until_set

_log = logging.getLogger(__name__)

Post = Callable[[str, Message], bool]
"""Publishes a message to an exchange and doesn't wait; False when there is no way to the broker just now."""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What the worker on this machine says of itself; the fields are those of `Heartbeat`.

    `held` lists every job delivered and not yet answered, up to `slots + look_ahead`. The router takes a job that a
    `ready` worker leaves out for gone, so say `starting` while the worker has no consumer on its queue.
    """

    slots: int = 0
    look_ahead: int = 0
    running: int = 0
    held: tuple[str, ...] = ()
    oldest_running_s: float | None = None
    operations: tuple[str, ...] = ()
    not_served: dict[str, str] = field(default_factory=dict)
    worker: Literal["ready", "starting", "draining", "absent"] = "absent"
    done: int = 0


class Probe(Protocol):
    """What measures the machine: `telemetry.machine.Machine`."""

    def read(self) -> Reading | None:
        """The figures since the last call, or None when there are none yet."""


class Clock(Protocol):
    """Time, as the agent sees it."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""


class SystemClock:
    """The real time."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return now_ms()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


def next_due(due: float, interval_s: float, now: float) -> float:
    """When the beat after the one due at `due` is due: on the same grid, and beats missed by `now` are left out."""
    return due + interval_s * max(1, math.ceil((now - due) / interval_s))


class Agent:
    """Publishes this VM's heartbeats.

    Args:
        settings: names the VM and the beat's interval.
        session: an id that is new with each start of the VM.
        machine: measures it.
        post: how a beat leaves.
        report: asked at each beat how the worker is; without one the machine is reported with no slots.
        clock: the real time, unless a test gives another.
    """

    def __init__(
        self,
        settings: Settings,
        session: str,
        machine: Probe,
        post: Post,
        report: Callable[[], WorkerReport] = WorkerReport,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._vm = settings.vm_name
        self._interval_s = settings.beat_interval_s
        self._session = session
        self._machine = machine
        self._post = post
        self._report = report
        self._clock = clock
        self._started_ms = clock.wall_ms()
        self._seq = 0
        self._heard = True

    async def run(self) -> None:
        """Beat until cancelled.

        The first beat leaves after one interval, which is what its figures are measured over. Beats keep to a grid, so
        that a late one moves none after it.
        """
        due = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            due = next_due(due, self._interval_s, now)
            await self._clock.sleep(due - now)
            self.beat()

    def beat(self) -> bool:
        """Say now how things are, between the regular beats too (a worker that begins to drain, say).

        Returns whether a beat left: not before the first reading of the machine, nor without a connection. A beat that
        can't leave is lost, for the next one tells all that it would have.
        """
        reading = self._machine.read()
        if reading is None:
            return False
        beat = self._heartbeat(reading)
        metrics.told(beat)
        left = self._post(HEARTBEATS, event_message(beat, heartbeat_key(self._vm)))
        self._note(left=left)
        return left

    def _heartbeat(self, reading: Reading) -> Heartbeat:
        self._seq += 1
        report = self._report()
        return Heartbeat(
            vm=self._vm,
            session=self._session,
            started_ms=self._started_ms,
            seq=self._seq,
            at_ms=self._clock.wall_ms(),
            cpu_percent=round(reading.cpu_percent, 1),
            ram_percent=round(reading.ram_percent, 1),
            cores=reading.cores,
            **{name: getattr(report, name) for name in WorkerReport.__dataclass_fields__},
        )

    def _note(self, *, left: bool) -> None:
        """Log when beats begin to be lost and when they leave again, not each one."""
        if self._heard and not left:
            _log.warning("No heartbeat leaves: there is no way to the broker")
        if left and not self._heard:
            _log.info("Heartbeats leave again")
        self._heard = left


async def serve_agent(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Send this machine's heartbeats alone until `stop`: it is seen, and given no jobs."""
    bus = Bus(url, name=f"agent {settings.vm_name}", topology=shared(), heartbeat_s=settings.amqp_heartbeat_s)
    await bus.start()
    try:
        agent = Agent(settings, uuid.uuid4().hex, Machine(), bus.post)
        await until_set(stop, asyncio.create_task(agent.run()))
    finally:
        await bus.close()
