"""One streaming pull in a thread of its own, and how much of what it brings may be ours at a time.

It is Pub/Sub's streaming pull itself, without the client library's helper around it. The helper cancels its streams,
and an emulator goes on handing messages to a cancelled stream, each of them lost until its lease ends; a stream whose
sending half is closed first, as here, leaves nothing behind. It also reconnects unseen: a subscription that is gone
then looks like one where nothing happens.
"""

import asyncio
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from google.pubsub_v1.types import StreamingPullRequest, StreamingPullResponse

from bridge.envelope import Parcel
from bridge.pubsub.clients import Clients

LEASE_S: Final = 10
"""How long a message is ours before it must be asked for again: when we die it comes to another after that."""
MOST_MESSAGES: Final = 200
MOST_BYTES: Final = 64 << 20
"""What may be ours at a time; Pub/Sub keeps the rest."""
_HEARTBEAT_S: Final = 30.0
"""Google closes a stream on which the client says nothing for a minute."""
_END_S: Final = 3.0
_LOOK_UP_S: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A message and the name under which it is acknowledged.

    It is known by itself and not by that name: an emulator that was restarted begins to count anew.
    """

    ack_id: str
    parcel: Parcel


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
