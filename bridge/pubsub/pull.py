"""One subscription, pulled for as long as wanted: its stream is reopened when it ends or falls silent.

Between streams nothing is lost: what is owed to the subscription outlives them, as far as the other side does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, NamedTuple

from google.api_core.exceptions import NotFound

from bridge.pubsub.clients import CALL, Clients, Faults, said
from bridge.pubsub.stream import LEASE_S, Received, Room, Stream

log = logging.getLogger(__name__)

RENEW_S: Final = 3.0
AGAIN_S: Final = 1
"""When a message comes again that we could not deal with now."""
SILENCE_S: Final = 60.0
"""A stream that was silent for so long is replaced, whether or not there was anything to say."""
_SHORTEST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
_IDS_A_CALL: Final = 500


class Upkeep(NamedTuple):
    """What a pull asks of its owner."""

    mend: Callable[[], Awaitable[None]]
    """Awaited before a stream is opened again."""
    failed: Callable[[], None]
    """Called when it does its work no more, for a reason nobody thought of, which is logged."""


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
        self._owed = set[Received]()
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

    def done(self, received: Received) -> None:
        """Never deliver it again."""
        self._settle(received, None)

    def again(self, received: Received) -> None:
        """Deliver it again, a little later."""
        self._settle(received, AGAIN_S)

    async def stop(self) -> None:
        """End the stream, settle what was asked for, and give back the rest at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._stream is not None:
            await self._stream.end()
        for received in list(self._owed):
            self._settle(received, 0)
        await self._settle_all()

    def _over(self, task: "asyncio.Task[None]") -> None:
        """Each of the tasks goes on until it is cancelled; without one of them, the others only look alive."""
        if not task.cancelled():
            log.error("%s is not pulled any more", self.name, exc_info=task.exception())
            self._upkeep.failed()

    def _settle(self, received: Received, after_s: int | None) -> None:
        """Settle what is owed; of what an emulator has forgotten nothing is."""
        if received in self._owed:
            self._owed.discard(received)
            self._room.give(received.parcel.bytes)
            self._settled[received.ack_id] = after_s
            self._to_settle.set()

    def _forget(self) -> None:
        """An emulator ends its streams when it ends itself: by the names of what it is owed, the next means others.

        If it did not end, what is forgotten comes again when its lease is over.
        """
        for received in self._owed:
            self._room.give(received.parcel.bytes)
        self._owed.clear()
        self._settled.clear()

    def _received(self, received: Received) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        self._owed.add(received)
        self._take(received)

    async def _keep_open(self) -> None:
        clock, failures = asyncio.get_running_loop().time, 0
        while True:
            opened_s = self._heard_s = clock()
            self._stream = Stream(self._clients, self._subscription, self._received, self._room)
            by_itself = await self._until_ended(self._stream)
            if by_itself and self._clients.emulated:
                self._forget()
            failures = 0 if clock() - opened_s > _LONGEST_WAIT_S else failures + 1
            self._report(self._stream, failures)
            await asyncio.sleep(min(_SHORTEST_WAIT_S * 2**failures, _LONGEST_WAIT_S))
            await self._upkeep.mend()

    async def _until_ended(self, stream: Stream) -> bool:
        """Until it ended, and whether by itself and not for its silence; one that is owed an answer may be silent."""
        clock = asyncio.get_running_loop().time
        while not stream.ended.done():
            await asyncio.wait({stream.ended}, timeout=SILENCE_S)
            if not self._owed and clock() - self._heard_s >= SILENCE_S:
                await stream.end()
                return False
        return True

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
            await self._call(self._defer, [received.ack_id for received in self._owed], LEASE_S)

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
