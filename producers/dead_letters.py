"""What lies in the queue `dead`: looking at it, sending a letter to the lanes again, taking one out for good."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

from bus.clock import now_ms
from bus.errors import OverspillError
from bus.messages import Message
from bus.rabbit import Bus, Loan
from bus.topology import DEAD, JOBS_LANES
from producers.letter import MOST_REPLAYS, Letter, again, letter_of

log = logging.getLogger(__name__)

MOST_LISTED: Final = 500
_MOST_LOOKED_AT: Final = 10_000
_TRIES: Final = 3
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
        """The first `limit` letters, 500 at most; of pictures only one is held in memory at a time.

        Raises BusError when they can't be looked at.
        """
        letters: list[Letter] = []
        most = min(limit, MOST_LISTED)
        async with self._alone, self._bus.borrow(DEAD) as loan:
            while (got := await loan.next()) is not None:
                if len(letters) == most:
                    return Letters(tuple(letters), more=True)
                letters.append(letter_of(got[1], now_ms()))
        return Letters(tuple(letters), more=False)

    async def replay(self, letter_id: str, *, by: str, force: bool = False, within: Within = _nothing) -> Letter:
        """Send a letter to the lanes as a job without attempts and deadline; `by` is who asked for it.

        `within(letter)` is what is around the sending: it is entered when all is well so far, and sees it fail.

        It leaves the dead queue once the broker has confirmed the job: a connection that is lost in between sends it
        twice at worst. After three times only with `force`.

        Raises:
            NoSuchLetter: it is not there, or no more.
            NotReplayable: it can't be read as a job, or was sent again too often.
            BusError: what became of it is not known; it is still there unless the job was sent.
        """
        async with self._found(letter_id) as (loan, tag, message):
            letter = letter_of(message, now_ms())
            _check(letter, force=force)
            async with within(letter):
                await self._bus.publish(JOBS_LANES, again(message, now_ms(), by=by))
            loan.keep(tag)
        log.warning("dead job %s of %s sent again by %s (%s)", letter.job, letter.user, by, letter.reason)
        return letter

    async def purge(self, letter_id: str, *, by: str) -> Letter:
        """Take a letter out for good. Raises NoSuchLetter, or BusError when it may still be there."""
        async with self._found(letter_id) as (loan, tag, message):
            letter = letter_of(message, now_ms())
            loan.keep(tag)
        log.warning("dead job %s of %s removed by %s (%s)", letter.job, letter.user, by, letter.reason)
        return letter

    @asynccontextmanager
    async def _found(self, letter_id: str) -> AsyncIterator[tuple[Loan, int, Message]]:
        async with self._alone:
            for attempt in range(_TRIES):
                await asyncio.sleep(_AGAIN_S if attempt else 0)
                async with self._bus.borrow(DEAD) as loan:
                    got = await _find(loan, letter_id)
                    if got is not None:
                        yield loan, *got
                        return
        raise NoSuchLetter(f"There is no dead job {letter_id} (any more). Look at the list again.")


async def _find(loan: Loan, letter_id: str) -> tuple[int, Message] | None:
    for _ in range(_MOST_LOOKED_AT):
        got = await loan.next()
        if got is None or letter_of(got[1], now_ms()).id == letter_id:
            return got
    return None


def _check(letter: Letter, *, force: bool) -> None:
    if letter.refused is not None:
        raise NotReplayable(f"It can't be sent again: {letter.refused} Remove it.")
    if letter.replays >= MOST_REPLAYS and not force:
        raise NotReplayable(f"It was sent again {letter.replays} times already and died each time: {letter.reason}")
