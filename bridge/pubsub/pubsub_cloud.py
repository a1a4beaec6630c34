"""Google Pub/Sub, and the services it pushes to, as a Cloud.

Jobs go out on the topic of their operation; answers come in on one for all, jobs that were given up on another.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

from google.api_core.exceptions import NotFound

from bridge.cloud import Arrival, CloudDown, Unsendable
from bridge.envelope import Parcel
from bridge.pubsub import resources
from bridge.pubsub.bounds import unfit
from bridge.pubsub.clients import Clients, Faults, said
from bridge.pubsub.pull import Pull, Upkeep
from bridge.pubsub.served import Served
from bridge.pubsub.setup import apply, found_subscription
from bridge.pubsub.stream import Received
from bus.errors import SetupError
from bus.messages import LARGEST_BODY
from bus.settings import Settings

log = logging.getLogger(__name__)

SEND_S: Final = 45.0
"""The longest a parcel is tried to be sent, waiting for its turn included."""
ON_ITS_WAY_BYTES: Final = 32 << 20
"""What is given to the publisher at a time: it keeps a copy of each parcel."""
_THREADS: Final = 6
_REMEDY: Final = "Run `overspill cloud init`, with the settings of the bridge and OVERSPILL_CLOUD_SERVICES."


class PubSubArrival:
    """A message of one of the two subscriptions."""

    __slots__ = ("_pull", "_received", "dead", "parcel")

    def __init__(self, pull: Pull, received: Received, *, dead: bool) -> None:
        self.parcel = received.parcel
        self.dead = dead
        self._pull = pull
        self._received = received

    def done(self) -> None:
        """Acknowledge it."""
        self._pull.done(self._received)

    def again(self) -> None:
        """Let Pub/Sub deliver it again, a little later."""
        self._pull.again(self._received)


class PubSubCloud:
    """A Cloud that keeps what it was given for an hour, whatever becomes of us."""

    keeps = True
    largest_bytes = LARGEST_BODY

    def __init__(self, settings: Settings) -> None:
        """Nothing is connected yet. Raises SetupError when no project is known."""
        self._served = Served(settings)
        self.operations = self._served.operations
        self._settings = settings
        self._topics = {operation: resources.jobs_topic(settings, operation) for operation in self.operations}
        self._came: asyncio.Queue[PubSubArrival | None] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pubsub")
        self._clients: Clients | None = None
        self._pulls: list[Pull] = []
        self._freed = asyncio.Condition()
        self._bytes = 0
        self._mending = asyncio.Lock()
        self._mended_s = 0.0

    async def open(self) -> None:
        """Connect, and pull from now on.

        An emulator, which keeps nothing over a restart, is given its topics and subscriptions first. Raises SetupError
        when there are no credentials, or no subscriptions to pull from.
        """
        clients = self._clients = Clients(self._settings)
        if clients.emulated:
            self._served.start(self._serve)
        await self._mend()
        for name, dead in self._pulled():
            if not clients.emulated:
                await asyncio.get_running_loop().run_in_executor(self._threads, _demand, clients, name)
            self._pulls.append(self._pull(clients, name, dead=dead))
        for pull in self._pulls:
            pull.start()

    async def send(self, parcel: Parcel) -> None:
        """Publish a job; returns when Pub/Sub has it. Raises CloudDown."""
        topic = self._topic_of(parcel)
        try:
            async with asyncio.timeout(SEND_S), self._turn(parcel.bytes):
                await self._publish_mending(topic, parcel)
        except NotFound as error:
            raise CloudDown(f"Pub/Sub has no topic for the job ({said(error)}). {_REMEDY}") from error
        except Faults as error:
            raise CloudDown(f"Pub/Sub does not take the job ({said(error)})") from error
        except TimeoutError:
            raise CloudDown(f"Pub/Sub did not take the job within {SEND_S:g} s") from None

    async def answers(self) -> AsyncIterator[Arrival]:
        """What comes out, until it is closed or can't be pulled any more. Answers to trials are their makers'."""
        while (arrival := await self._came.get()) is not None:
            if arrival.parcel.ticket.startswith(resources.CANARY):
                arrival.done()
            else:
                yield arrival

    def capacity(self) -> int | None:
        """None: Pub/Sub takes whatever comes."""
        return None

    async def close(self) -> None:
        """Wait for what is being sent, settle what was asked for, give the rest back, and disconnect."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._bytes == 0)
        await self._served.stop()
        await asyncio.gather(*(pull.stop() for pull in self._pulls))
        self._pulls.clear()
        self._end_answers()
        if self._clients is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._clients.close)
            self._clients = None
        self._threads.shutdown(wait=False)

    def _serve(self) -> None:
        self.operations = self._served.operations

    def _pulled(self) -> tuple[tuple[str, bool], ...]:
        results, dead = resources.results_subscription, resources.dead_subscription
        return (results(self._settings), False), (dead(self._settings), True)

    def _pull(self, clients: Clients, name: str, *, dead: bool) -> Pull:
        def take(received: Received) -> None:
            self._came.put_nowait(PubSubArrival(pull, received, dead=dead))

        pull = Pull(clients, name, take, Upkeep(mend=self._mend, failed=self._end_answers), self._threads)
        return pull

    def _end_answers(self) -> None:
        """Let who waits for answers know that no more come: a bridge that hears nothing must not look alive."""
        self._came.put_nowait(None)

    @asynccontextmanager
    async def _turn(self, size: int) -> AsyncIterator[None]:
        """While so many bytes are on their way; one parcel may always go."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._bytes == 0 or self._bytes + size <= ON_ITS_WAY_BYTES)
            self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size
            async with self._freed:
                self._freed.notify_all()

    def _topic_of(self, parcel: Parcel) -> str:
        """Where a parcel goes. Raises Unsendable when it may not go at all."""
        topic = self._topics.get(parcel.attributes.get("operation", ""))
        if topic is None:
            raise Unsendable(f"The cloud is sent {', '.join(self._topics)}: see OVERSPILL_CLOUD_SERVICES.")
        if (why := unfit(parcel)) is not None:
            raise Unsendable(f"Pub/Sub can't take the job: {why}. Set OVERSPILL_BLOBS to a store for large ones.")
        return topic

    async def _publish_mending(self, topic: str, parcel: Parcel) -> None:
        """Publish; where an emulator has lost its topics, make them and publish again."""
        try:
            async with self._mending:  # a topic that was just made may not have its subscription yet
                pass
            await self._publish(topic, parcel)
        except NotFound:
            if not self._connected().emulated:
                raise
            await self._mend()
            await self._publish(topic, parcel)

    async def _publish(self, topic: str, parcel: Parcel) -> None:
        await asyncio.wrap_future(self._connected().publisher.publish(topic, parcel.body, **parcel.attributes))

    def _connected(self) -> Clients:
        if self._clients is None:
            raise CloudDown("Pub/Sub is not connected: open the cloud first.")
        return self._clients

    async def _mend(self) -> None:
        """Make what an emulator has lost. On Google what is missing was taken away: there `cloud init` alone acts."""
        clients = self._connected()
        if not clients.emulated:
            return
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        async with self._mending:
            if self._mended_s > asked_s:  # somebody else began to while we waited
                return
            began_s = loop.time()
            try:
                lines = await loop.run_in_executor(self._threads, apply, clients, resources.restorable(self._settings))
            except SetupError as error:
                log.warning("The emulator is not as it should be: %s", error)
                return
            self._mended_s = began_s
        made = [line for line in lines if not line.endswith(": there")]
        if made:
            log.info("Made on the emulator: %s.", "; ".join(made))


def _demand(clients: Clients, subscription: str) -> None:
    """Raises SetupError when it is certain that a subscription is not there."""
    try:
        found = found_subscription(clients, subscription)
    except Faults as error:
        log.warning("Can't tell whether %s is there (%s).", subscription, said(error))
        return
    if found is None:
        raise SetupError(f"There is no subscription {subscription}. {_REMEDY}")
