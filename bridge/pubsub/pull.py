"""One subscription, pulled for as long as wanted: a stream in its own thread, reopened when it ends or falls silent.

The stream is Pub/Sub's streaming pull itself, without the client library's helper around it. The helper cancels its
streams, and an emulator goes on handing messages to a cancelled stream, each of them lost until its lease ends; a
stream whose sending half is closed first, as here, leaves nothing behind. It also reconnects unseen: a subscription
that is gone then looks like one where nothing happens.
"""

import asyncio
import logging
import queue
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

from google.api_core.exceptions import NotFound
from google.pubsub_v1.types import StreamingPullRequest, StreamingPullResponse

from bridge.envelope import Parcel
from bridge.pubsub.clients import CALL, Clients, Faults, said

log = logging.getLogger(__name__)

LEASE_S: Final = 10
"""How long a message is ours before it must be asked for again: when we die it comes to another after that."""
RENEW_S: Final = 3.0
AGAIN_S: Final = 1
"""When a message comes again that we could not deal with now."""
MOST_MESSAGES: Final = 200
MOST_BYTES: Final = 64 << 20
"""What may be ours at a time; Pub/Sub keeps the rest."""
SILENCE_S: Final = 60.0
"""A stream that was silent for so long is replaced, whether or not there was anything to say."""
_HEARTBEAT_S: Final = 30.0
"""Google closes a stream on which the client says nothing for a minute."""
_SHORTEST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
_IDS_A_CALL: Final = 500
_END_S: Final = 3.0
_LOOK_UP_S: Final = 0.5


class Received(NamedTuple):
    """A message and the name under which it is acknowledged."""

    ack_id: str
    parcel: Parcel


class Upkeep(NamedTuple):
    """What a pull asks of its owner."""

    mend: Callable[[], Awaitable[None]]
    """Awaited before a stream is opened again."""
    failed: Callable[[], None]
    """Called when it does its work no more, for a reason nobody thought of, which is logged."""


class Room:
    """What may be ours at a time. Google keeps to it unasked; the emulator sends whatever it has."""

    def __init__(self, messages: int = MOST_MESSAGES, size: int = MOST_BYTES) -> None:
        self._most = messages, size
        self._messages = self._bytes = 0
        self._freed = threading.Condition()

    @property
    def full(self) -> bool:
        """Whether nothing more should be read."""
        messages, size = self._most
        return self._messages >= messages or self._bytes >= size

    def take(self, size: int) -> None:
        """A message came."""
        with self._freed:
            self._messages += 1
            self._bytes += size

    def give(self, size: int) -> None:
        """A message is no longer ours."""
        with self._freed:
            self._messages -= 1
            self._bytes -= size
            self._freed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until there is some, but no longer than so many seconds; returns whether there is."""
        with self._freed:
            return self._freed.wait_for(lambda: not self.full, seconds)


class Stream:
    """One streaming pull. It begins at once; `ended` tells how it ended: None, or what was raised."""

    def __init__(self, clients: Clients, subscription: str, take: Callable[[Received], None], room: Room) -> None:
        """Messages are given to `take`, in the thread of the event loop that is running; none is read without room."""
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._subscriber = clients.subscriber
        # Google finds the subscription's servers by it; the generated client sends it with every call but streams.
        self._routing = (("x-goog-request-params", f"subscription={subscription}"),)
        self._take = take
        self._room = room
        self._ending = False
        self._requests: queue.SimpleQueue[StreamingPullRequest | None] = queue.SimpleQueue()
        self._call: Any = None
        self._requests.put(
            StreamingPullRequest(
                subscription=subscription,
                stream_ack_deadline_seconds=LEASE_S,
                client_id=uuid.uuid4().hex,
                max_outstanding_messages=MOST_MESSAGES,
                max_outstanding_bytes=MOST_BYTES,
            )
        )
        threading.Thread(target=self._run, name=f"pull {subscription.rpartition('/')[2]}", daemon=True).start()

    async def end(self) -> None:
        """End it in order, and without its leave when it does not listen."""
        self._ending = True
        self._requests.put(None)
        await asyncio.wait({self.ended}, timeout=_END_S)
        if not self.ended.done() and self._call is not None:
            self._call.cancel()
            await asyncio.wait({self.ended}, timeout=_END_S)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._call = self._subscriber.streaming_pull(
                requests=self._said(), retry=None, timeout=None, metadata=self._routing
            )
            for response in self._call:
                self._hand_over(StreamingPullResponse.pb(response).received_messages)
        except Exception as raised:  # noqa: BLE001 (who opened the stream judges it)
            error = raised
        self._requests.put(None)  # nobody may wait for more to say
        with suppress(RuntimeError):  # the loop is closed, nobody asks any more
            self._loop.call_soon_threadsafe(self._tell, error)

    def _said(self) -> Iterator[StreamingPullRequest]:
        while True:
            try:
                request = self._requests.get(timeout=_HEARTBEAT_S)
            except queue.Empty:
                request = StreamingPullRequest()
            if request is None:
                return
            yield request

    def _hand_over(self, messages: Any) -> None:
        """Then wait for room; the next response is not read before, and soon none is sent."""
        for message in messages:
            parcel = Parcel(message.message.data, dict(message.message.attributes))
            self._room.take(parcel.bytes)
            self._loop.call_soon_threadsafe(self._take, Received(message.ack_id, parcel))
        while not (self._room.wait(_LOOK_UP_S) or self._ending):
            pass

    def _tell(self, error: BaseException | None) -> None:
        if not self.ended.done():
            self.ended.set_result(error)


class Pull:
    """A subscription with what we owe it. All methods belong to the event loop's thread."""

    def __init__(
        self,
        clients: Clients,
        subscription: str,
        take: Callable[[Received], None],
        upkeep: Upkeep,
        threads: Executor,
    ) -> None:
        """`take` is given each message."""
        self.name = subscription.rpartition("/")[2]
        self._clients = clients
        self._subscription = subscription
        self._take = take
        self._upkeep = upkeep
        self._threads = threads
        self._room = Room()
        self._owed: dict[str, int] = {}
        self._settled: dict[str, int | None] = {}
        self._to_settle = asyncio.Event()
        self._heard_s = 0.0
        self._stream: Stream | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Pull from now on."""
        work = (self._keep_open(), self._keep_leases(), self._keep_settling())
        self._tasks = [asyncio.create_task(each) for each in work]
        for task in self._tasks:
            task.add_done_callback(self._over)

    def done(self, ack_id: str) -> None:
        """Never deliver it again."""
        self._settle(ack_id, None)

    def again(self, ack_id: str) -> None:
        """Deliver it again, a little later."""
        self._settle(ack_id, AGAIN_S)

    async def stop(self) -> None:
        """End the stream, settle what was asked for, and give back the rest at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._stream is not None:
            await self._stream.end()
        for ack_id in list(self._owed):
            self._settle(ack_id, 0)
        await self._settle_all()

    def _over(self, task: "asyncio.Task[None]") -> None:
        """Each of the tasks goes on until it is cancelled; without one of them, the others only look alive."""
        if not task.cancelled():
            log.error("%s is not pulled any more", self.name, exc_info=task.exception())
            self._upkeep.failed()

    def _settle(self, ack_id: str, after_s: int | None) -> None:
        self._room.give(self._owed.pop(ack_id))
        self._settled[ack_id] = after_s
        self._to_settle.set()

    def _received(self, received: Received) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        self._owed[received.ack_id] = received.parcel.bytes
        self._take(received)

    async def _keep_open(self) -> None:
        clock, failures = asyncio.get_running_loop().time, 0
        while True:
            opened_s = self._heard_s = clock()
            self._stream = Stream(self._clients, self._subscription, self._received, self._room)
            await self._until_ended(self._stream)
            failures = 0 if clock() - opened_s > _LONGEST_WAIT_S else failures + 1
            self._report(self._stream, failures)
            await asyncio.sleep(min(_SHORTEST_WAIT_S * 2**failures, _LONGEST_WAIT_S))
            await self._upkeep.mend()

    async def _until_ended(self, stream: Stream) -> None:
        """Until it ended by itself, or was ended for its silence; one that is owed an answer may be silent."""
        clock = asyncio.get_running_loop().time
        while not stream.ended.done():
            await asyncio.wait({stream.ended}, timeout=SILENCE_S)
            if not self._owed and clock() - self._heard_s >= SILENCE_S:
                await stream.end()
                return

    def _report(self, stream: Stream, failures: int) -> None:
        """Tell of a stream that failed; of those that follow it into the same hole, only who asks for every detail."""
        error = stream.ended.result() if stream.ended.done() else None
        if error is not None:
            level = logging.WARNING if failures <= 1 else logging.DEBUG
            remedy = " Run `overspill cloud init`." if isinstance(error, NotFound) else ""
            log.log(level, "The stream of %s ended (%s); it is opened again.%s", self.name, said(error), remedy)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            await self._call(self._defer, list(self._owed), LEASE_S)

    async def _keep_settling(self) -> None:
        while True:
            await self._to_settle.wait()
            await self._settle_all()

    async def _settle_all(self) -> None:
        """What was settled while the last call was under way goes in one."""
        self._to_settle.clear()
        settled, self._settled = self._settled, {}
        await self._call(self._acknowledge, [ack_id for ack_id, after_s in settled.items() if after_s is None])
        for seconds in {after_s for after_s in settled.values() if after_s is not None}:
            ids = [ack_id for ack_id, after_s in settled.items() if after_s == seconds]
            await self._call(self._defer, ids, seconds)

    async def _call(self, call: Callable[..., None], ids: list[str], *arguments: Any) -> None:
        """What fails is not tried for ever: its lease ends and it comes again, and is known then."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(ids), _IDS_A_CALL):
            try:
                await loop.run_in_executor(self._threads, partial(call, ids[start : start + _IDS_A_CALL], *arguments))
            except Faults as error:
                log.warning("%d messages of %s could not be settled (%s).", len(ids), self.name, said(error))

    def _acknowledge(self, ids: list[str]) -> None:
        self._clients.subscriber.acknowledge(subscription=self._subscription, ack_ids=ids, **CALL)

    def _defer(self, ids: list[str], seconds: int) -> None:
        self._clients.subscriber.modify_ack_deadline(
            subscription=self._subscription, ack_ids=ids, ack_deadline_seconds=seconds, **CALL
        )
