"""What can be asked of a broker once connected: how full queues are, what they hold, and what a stream tells."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from bus.errors import BusError, Disconnected
from bus.messages import Message
from bus.rabbit.borrowing import Loan, borrowing
from bus.rabbit.counting import Counts, counts, depths, missing
from bus.rabbit.history import Followed, Wanted, everything, follow, replay
from bus.rabbit.session import Session

_T = TypeVar("_T")
_UNHEARD = Followed()


class Asking:
    """The questions a `Bus` answers, each in the session of the moment."""

    address: str
    """host:port/vhost of the broker, without the password."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._ready = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether a session is open, declared and consuming."""
        return self._ready.is_set()

    async def depths(self, queues: Iterable[str]) -> dict[str, int | None]:
        """Messages ready in each queue, or None where there is no such queue.

        Raises Disconnected, and BusError when a queue does not answer.
        """
        return await self._ask(lambda session: depths(session, queues))

    async def counts(self, queue: str) -> Counts | None:
        """A queue's messages ready and consumers, or None where there is no such queue; raises as `depths` does."""
        return await self._ask(lambda session: counts(session, queue))

    async def missing(self, queues: Iterable[str]) -> frozenset[str]:
        """Those of the queues that are not there; raises as `depths` does.

        Never ask for a name of direct reply-to: one that was made up ends the connection.
        """
        return await self._ask(lambda session: missing(session, queues))

    async def _ask(self, question: Callable[[Session], Awaitable[_T]]) -> _T:
        session = self._now()
        try:
            return await question(session)
        except TimeoutError as error:
            raise BusError(f"{error}: it may have no leader. Run `rabbitmq-diagnostics check_virtual_hosts`.") from None

    def borrow(self, queue: str) -> AbstractAsyncContextManager[Loan]:
        """Look at a queue's messages, one at a time; all but those that are kept go back when the context is left.

        Meanwhile they are ours alone. Raises Disconnected without a connection.
        """
        return borrowing(self._now(), queue)

    def replay(self, stream: str, since_ms: int, wanted: Wanted = everything) -> AsyncGenerator[Message, None]:
        """The messages of a stream from a moment (milliseconds since the epoch) to its end as it is now, oldest first.

        `wanted` looks at each body before anything else is read of it. Close the generator if you leave it early. It
        raises Disconnected when the connection goes, BusError when the stream can't be read.
        """
        return replay(self._now(), stream, since_ms, wanted)

    def follow(
        self, stream: str, since_ms: int | None = None, wanted: Wanted = everything, heard: Followed = _UNHEARD
    ) -> AsyncGenerator[Message, None]:
        """The messages of a stream from a moment (milliseconds since the epoch; None is now) on, without end.

        A connection that was lost is waited for, and the stream gone on with at the next message: none is missed, none
        comes twice. Only what the retention removed before it was read is lost, and told to `heard`. Who reads slowly
        holds up nobody, and has at most some thousand messages in memory. Close the generator before the bus. It
        raises BusError when the stream can't be read.
        """
        return follow(self._next, stream, since_ms, wanted, heard)

    def _now(self) -> Session:
        if self._session is None or not self.connected:
            raise Disconnected(f"no connection to the broker at {self.address}")
        return self._session

    async def _next(self) -> Session:
        """The session of the moment, or the next one there will be."""
        await self._ready.wait()
        return self._now()
