"""What lies in the queue `dead`: looking at it, sending letters to the lanes again, taking some out for good."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Final, Literal

from bus.clock import now_ms
from bus.errors import BusError, Disconnected, OverspillError
from bus.messages import Message
from bus.rabbit import Bus, Loan
from bus.topology import DEAD, DIRECT_REPLY_TO, JOBS_LANES
from producers.letter import Letter, again, by_death, event_of, letter_of
from telemetry.telling import tell

log = logging.getLogger(__name__)

MOST_LISTED: Final = 500
_TRIES: Final = 5
_AGAIN_S: Final = 0.5
"""Before a letter that was not found is looked for again: somebody else may be looking at it."""


class NoSuchLetter(OverspillError):
    """There is no such letter in the dead queue, or no more."""


class NotReplayable(OverspillError):
    """The letter can't be sent again, or was often enough."""


@dataclass(frozen=True, slots=True)
class Letters:
    """The first letters of the queue, and whether there are more."""

    letters: tuple[Letter, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter: `refused` is why it stays, None when it was done as asked."""

    letter: Letter
    refused: str | None = None


Within = Callable[[Letter], AbstractAsyncContextManager[None]]


def _nothing(_letter: Letter) -> AbstractAsyncContextManager[None]:
    return nullcontext()


class DeadLetters:
    """The dead queue, through one bus whose topology holds it.

    Whoever looks at letters has them to himself meanwhile, so that they can't be seen elsewhere for that moment. They
    go back unchanged, also when the connection is lost.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._alone = asyncio.Lock()

    async def list(self, limit: int = 100) -> Letters:
        """The `limit` letters (500 at most) that come first out of the queue, those that died first coming first.

        Raises BusError when they can't be looked at.
        """
        letters: list[Letter] = []
        most = min(limit, MOST_LISTED)
        async with aclosing(self.each()) as each:
            async for letter in each:
                if len(letters) == most:
                    return Letters(tuple(by_death(letters)), more=True)
                letters.append(letter)
        return Letters(tuple(by_death(letters)), more=False)

    async def each(self) -> AsyncGenerator[Letter, None]:
        """Every letter, in no order: those that were looked at before may come last. One picture is held at a time.

        Close the generator if you leave it early. Raises BusError when they can't be looked at.
        """
        async with self._alone, self._bus.borrow(DEAD) as loan:
            while (got := await loan.next()) is not None:
                yield letter_of(got[1], now_ms())

    async def gone(self, letters: Iterable[Letter]) -> frozenset[str]:
        """The reply queues of these letters that are gone; raises BusError when the broker can't be asked.

        Direct reply-to counts as gone: it ended with its caller's channel, and the broker must not be asked for it.
        """
        named = frozenset(letter.replies for letter in letters if letter.replies)
        direct = frozenset(name for name in named if name.startswith(DIRECT_REPLY_TO))
        return direct | await self._bus.missing(named - direct)

    async def open(self, letter_id: str) -> Message:
        """One letter whole, with its picture; it stays. Raises NoSuchLetter, BusError."""
        async with self._found(letter_id) as (_loan, _tag, message):
            return message

    async def replay(self, letter_id: str, *, by: str, force: bool = False, within: Within = _nothing) -> Letter:
        """Send a letter to the lanes as a job without attempts and deadline; `by` is who asked for it.

        `within(letter)` is what is around the sending: it is entered when all is well so far, and sees it fail.

        It leaves the dead queue once the broker has confirmed the job: a connection that is lost in between sends it
        twice at worst. After three times, or when its reply queue is gone, only with `force`.

        Raises:
            NoSuchLetter: it is not there, or no more.
            NotReplayable: it can't be read as a job, nobody would have its answer, or it was sent again too often.
            BusError: what became of it is not known; it is still there unless the job was sent.
        """
        async with self._found(letter_id) as (loan, tag, message):
            letter = letter_of(message, now_ms())
            why_not = letter.why_not(gone=not force and bool(await self.gone([letter])), force=force)
            if why_not is not None:
                raise NotReplayable(why_not)
            async with within(letter):
                await self._bus.publish(JOBS_LANES, again(message, now_ms(), by=by))
            self._take_out(loan, tag, letter, "replayed", by)
        return letter

    async def purge(self, letter_id: str, *, by: str) -> Letter:
        """Take a letter out for good. Raises NoSuchLetter, or BusError when it may still be there."""
        async with self._found(letter_id) as (loan, tag, message):
            letter = letter_of(message, now_ms())
            self._take_out(loan, tag, letter, "purged", by)
        return letter

    async def replay_all(
        self, letter_ids: Iterable[str], *, by: str, force: bool = False
    ) -> AsyncGenerator[Outcome, None]:
        """Send these letters again, in one pass over the queue; tells what became of each as it comes by.

        A letter that dies again meanwhile is another letter by then, of another id, and is left alone. What is not told
        of was not there. Close the generator if you leave it early: the rest stays. Raises BusError when the connection
        goes; what was not told of is still there, but for one that may have been sent.
        """
        gone: dict[str | None, bool] = {}  # asked once for each queue: most letters share theirs with many
        async with aclosing(self._each_of(letter_ids)) as found:
            async for loan, tag, message in found:
                letter = letter_of(message, now_ms())
                if letter.replies not in gone:
                    gone[letter.replies] = not force and bool(await self.gone([letter]))
                refused = letter.why_not(gone=gone[letter.replies], force=force)
                refused = refused or await self._refusal(again(message, now_ms(), by=by))
                if refused is None:
                    self._take_out(loan, tag, letter, "replayed", by)
                yield Outcome(letter, refused)

    async def purge_all(self, letter_ids: Iterable[str], *, by: str) -> AsyncGenerator[Outcome, None]:
        """Take these letters out for good, in one pass over the queue; tells, and raises, as `replay_all`."""
        async with aclosing(self._each_of(letter_ids)) as found:
            async for loan, tag, message in found:
                letter = letter_of(message, now_ms())
                self._take_out(loan, tag, letter, "purged", by)
                yield Outcome(letter)

    async def _refusal(self, job: Message) -> str | None:
        """Send a job to the lanes; why they don't take it, or None. Raises Disconnected."""
        try:
            await self._bus.publish(JOBS_LANES, job)
        except Disconnected:
            raise
        except BusError as error:
            return f"The lanes don't take it: {error}"
        return None

    def _take_out(self, loan: Loan, tag: int, letter: Letter, state: Literal["replayed", "purged"], by: str) -> None:
        loan.keep(tag)
        event = event_of(letter, state, now_ms(), by=by)
        tell(self._bus, event)
        said = (letter.job, letter.user, state, event.reason, letter.reason)
        log.warning("dead job %s of %s %s %s (%s)", *said, extra={"job": event.job, "trace": event.traceparent})

    async def _each_of(self, letter_ids: Iterable[str]) -> AsyncGenerator[tuple[Loan, int, Message], None]:
        """Letters with these ids, as they come by; what is seen by others just now is looked for again."""
        wanted = Counter(letter_ids)
        async with self._alone:
            for attempt in range(_TRIES if wanted else 0):
                await asyncio.sleep(_AGAIN_S if attempt else 0)
                async with self._bus.borrow(DEAD) as loan:
                    while wanted and (got := await loan.next()) is not None:
                        if _is_due(wanted, letter_of(got[1], now_ms()).id):
                            yield loan, *got
                if not wanted:
                    return

    @asynccontextmanager
    async def _found(self, letter_id: str) -> AsyncIterator[tuple[Loan, int, Message]]:
        async with aclosing(self._each_of([letter_id])) as found:
            async for each in found:
                yield each
                return
        raise NoSuchLetter(f"There is no dead job {letter_id} (any more). Look at the list again.")


def _is_due(wanted: Counter[str], letter_id: str) -> bool:
    """Whether a letter is wanted, once for each time that its id is."""
    if letter_id not in wanted:
        return False
    wanted[letter_id] -= 1
    if not wanted[letter_id]:
        del wanted[letter_id]
    return True
