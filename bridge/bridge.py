"""The bridge process: jobs out of `overflow` into the cloud, and the cloud's answers to those who wait for them.

Of several bridges one is active. It begins a shift when all tickets of its predecessor have come, and ends it when its
connection is lost: everything that is not settled by then comes again, to whoever is active next.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Final

from bridge.cloud import Cloud
from bridge.clouds import cloud_of
from bridge.crew import Crew
from bridge.endings import Endings, Tally
from bridge.gate import Counts, Gate
from bridge.pictures import Pictures
from bridge.repeats import KEPT_S, KeptAnswers
from bridge.shift import Memory, Shift
from bridge.spending import last_word, restore
from bridge.taken_home import taken_home
from bridge.tasks import Tasks
from bridge.ticket_queue import TicketQueue
from bridge.tickets import Ticket
from bus.blobs import Blobs
from bus.clock import now_ms
from bus.control import Cancel, read_command
from bus.errors import BadInput, BusError, OverspillError
from bus.problems import Problem
from bus.rabbit import Bus, Delivery
from bus.settings import MIB, Settings
from bus.topology import CONTROL, shared
from consumers.cancels import Cancels
from telemetry.process import unless_set
from telemetry.telling import tell

log = logging.getLogger(__name__)

TICK_S: Final = 1.0
SWEEP_S: Final = 3600.0
GRACE_S: Final = 3.0
"""How long a bridge that stops waits for what is under way. Its tickets stay for the next."""
RECALL_AGAIN_S: Final = 5.0
"""Before a history that can't be read is asked again what was spent."""
PARTING_S: Final = 0.5
"""How long what was in hand when the connection was lost has to notice."""
MakeCloud = Callable[[Settings], Cloud]


class _Standing:
    """The cloud as the gate asks after it: this shift's, or the one that waits for the next shift."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    @property
    def largest_bytes(self) -> int:
        return self.cloud.largest_bytes

    @property
    def operations(self) -> tuple[str, ...]:
        return self.cloud.operations

    def capacity(self) -> int | None:
        return self.cloud.capacity()


class Bridge:
    """One bridge on one bus. `run` serves until it is cancelled."""

    def __init__(self, bus: Bus, settings: Settings, make: MakeCloud, *, name: str) -> None:
        """`make` gives a cloud for each shift. Raises SetupError when the settings name none that can work."""
        self._bus = bus
        self._settings = settings
        self._make = make
        self._name = name
        self._standing = _Standing(make(settings))
        self._gate = Gate.of(settings, self._standing, name)
        self._tally = Tally()
        self._pictures = Pictures(
            Blobs.of(settings), largest_inline=settings.max_image_bytes, link_s=settings.cloud_timeout_s
        )
        self._memory = Memory(answers=KeptAnswers(settings.answers_kept_mib * MIB, min(KEPT_S, settings.blobs_kept_s)))
        self._cancels = Cancels()
        self._queue = TicketQueue(bus, self)
        self._crew: Crew | None = None
        self._aside = Tasks()
        self._ending = Tasks()
        self._told_state = ""
        self._swept_s = time.monotonic()
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        bus.on_disconnect = self._forget
        bus.on_connect = self._queue.call

    @property
    def active(self) -> bool:
        """Whether this bridge takes jobs: it is the active one, and has settled in."""
        return self._gate.active

    @property
    def in_flight(self) -> int:
        """Jobs in the cloud, as far as it knows."""
        return len(self._crew.shift.tickets) if self._crew else 0

    async def run(self) -> None:
        """Stand by or work, and tell of it once a second; ends only when cancelled, or with a fault of the set-up."""
        # First: a job may be cancelled while its ticket is on its way to us.
        await self._bus.listen([(CONTROL, "job.cancel")], self._on_command)
        await self._queue.start()
        while not self._fault.done():
            self._tick()
            await asyncio.wait({self._fault}, timeout=TICK_S)
        self._fault.result()

    async def drain(self) -> None:
        """Take no more jobs, finish what is in hand, and leave the rest to the next bridge."""
        self._gate.draining = True
        self._post_status()
        crew = self._crew
        if crew is not None:
            await crew.stop_taking(GRACE_S)
            if not crew.shift.cloud.keeps:  # what such a cloud has is lost with us, and run again
                await crew.wait_for_answers(GRACE_S)
            await crew.close(GRACE_S)
            self._post_status()
        await self._aside.cancel()
        await self._ending.wait(PARTING_S)
        await self._ending.cancel()
        await self._pictures.close()

    # -- the office, as the queue of tickets tells

    def take_over(self) -> None:
        """This bridge is the active one; what its predecessor had in the cloud is told next."""
        log.info("this bridge is the active one now, on %s", self._bus.address)
        cloud = self._standing.cloud
        endings = Endings(self._bus, self._tally)
        shift = Shift(
            self._bus,
            cloud,
            self._gate,
            endings,
            self._pictures,
            self._memory,
            self._changed,
            longest_run_s=self._settings.job_timeout_s,
        )
        self._crew = Crew(shift, self._queue, self._cancels, self._settings)

    def told(self, ticket: Ticket, delivery: Delivery) -> None:
        """A ticket has come: its caller waits for an answer from us."""
        if self._crew is not None and not self._crew.shift.tickets.hold(ticket, delivery):
            self._bus.ack(delivery)

    def unread(self, delivery: Delivery, problem: Problem) -> None:
        """Something has come that can't be read as a ticket."""
        if self._crew is not None:
            self._aside.spawn(self._crew.shift.end_unread(delivery, problem))

    def settled_in(self) -> None:
        """All tickets that were there have come: begin."""
        if self._crew is not None and not self._gate.draining:
            self._crew.work = asyncio.create_task(self._work(self._crew))

    async def _work(self, crew: Crew) -> None:
        try:
            await self._begin(crew)
            await crew.returns.run()
            raise OverspillError("the cloud's answers have come to an end; start the bridge anew")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 (handed to `run`, which ends with it)
            if crew is self._crew and not self._fault.done():
                self._fault.set_exception(error)

    async def _begin(self, crew: Crew) -> None:
        # Without a cap nothing depends on what was spent; with one, nothing may go before it is known.
        settings, tickets, began_ms = self._settings, crew.shift.tickets.all(), now_ms()
        if settings.cloud_money_per_day is None and settings.cloud_jobs_per_minute is None:
            self._aside.spawn(self._recall_spending(crew, tickets, began_ms, insist=False))
        else:
            await self._recall_spending(crew, tickets, began_ms, insist=True)
        for ticket in await taken_home(self._bus, tickets, now_ms()):
            crew.shift.take_back(ticket)
        if crew is self._crew:  # the connection may be lost again by now
            self._gate.active = True
            await crew.open()
            self._post_status()

    async def _recall_spending(self, crew: Crew, tickets: list[Ticket], began_ms: int, *, insist: bool) -> None:
        """Count what bridges before us have spent, `tickets` for jobs that they sent included.

        `insist` ends only once that is known, or the shift is over.
        """
        whole_day = self._settings.cloud_money_per_day is not None
        while crew is self._crew:
            try:
                status = await last_word(self._bus, began_ms, us=self._name, whole_day=whole_day)
            except BusError as error:
                why = f"what the overflow has cost so far is not known: {error}"
                log.warning("%s", why)
                if not insist:
                    return
                self._gate.unsure = why if crew is self._crew else None
                await asyncio.sleep(RECALL_AGAIN_S)
            else:
                self._gate.unsure = None
                restore(self._gate.budget, status, tickets, time.monotonic(), time.time())
                return

    def _forget(self) -> None:
        """The connection is gone, and the office; all that is not settled comes again, perhaps to another bridge."""
        self._queue.forget()
        self._gate.active, self._gate.unsure = False, None
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.shift.endings.close()
            self._gate.breaker.undecided(time.monotonic())  # a job on trial may be lost with the connection
            self._standing.cloud = self._make(self._settings)  # for the next shift
            self._ending.spawn(crew.close(PARTING_S))

    # -- what is told

    def _on_command(self, delivery: Delivery) -> None:
        try:
            command = read_command(delivery.message.body)
        except BadInput as error:
            log.warning("an order that can't be read: %s", error)
            return
        if isinstance(command, Cancel):
            # Remembered even when the job is here: should its answer not get through, its ticket comes again.
            self._cancels.remember(command, now_ms())
            if self._crew is not None:
                self._crew.recalls.cancel(command)

    # -- time passes

    def _tick(self) -> None:
        now = time.monotonic()
        self._queue.tick(now)
        if self._crew is not None and self.active:
            self._crew.recalls.overdue()
            if now - self._swept_s > SWEEP_S:
                self._swept_s = now
                self._aside.spawn(self._pictures.sweep(self._settings.blobs_kept_s))
        self._post_status()

    def _changed(self) -> None:
        """Tell routers at once when the state is another, not in a second: they send by it."""
        if self._crew is not None:
            self._crew.changed()
        state = self._gate.state(self.in_flight, time.monotonic(), time.time())
        if self.active and state != self._told_state:
            self._post_status()

    def _post_status(self) -> None:
        counts = Counts(self._tally.answered, self._tally.gone, self._tally.late)
        status = self._gate.status(self.in_flight, time.monotonic(), time.time(), counts)
        self._told_state = status.state
        tell(self._bus, status)


async def serve_bridge(
    settings: Settings, url: str, stop: asyncio.Event, make: MakeCloud = cloud_of, name: str | None = None
) -> None:
    """Bridge until `stop`, or stand by; what is in the cloud by then, the next bridge answers.

    Raises SetupError when the cloud can't work as it is set up.
    """
    name = name or f"bridge {socket.gethostname()} {os.getpid()}"
    bus = Bus(url, name=name, topology=shared(), heartbeat_s=settings.amqp_heartbeat_s)
    bridge = Bridge(bus, settings, make, name=name)
    if not await unless_set(stop, bus.start()):
        return
    try:
        await unless_set(stop, bridge.run())
        await bridge.drain()
    finally:
        await bus.close()
