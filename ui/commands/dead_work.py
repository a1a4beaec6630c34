"""What `overspill dead` does on the broker: look through the letters, open one, work through many."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from bus.blobs import Blobs
from bus.errors import OverspillError
from bus.messages import Message
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import shared
from producers.dead_letters import DeadLetters, Outcome
from producers.letter import Letter, Sieve, by_death
from ui.stack.state import CONNECT_WITHIN_S, joined

_TOLD_EVERY: Final = 20


@dataclass(slots=True)
class Work:
    """Letters to be sent again or removed, and what became of them so far."""

    letters: tuple[Letter, ...]
    verb: Literal["send again", "remove"]
    by: str
    force: bool = False
    interrupted: bool = False
    done: int = 0
    refused: list[Outcome] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Letters of which nothing is known: not reached, or not there any more."""
        return len(self.letters) - self.done - len(self.refused)

    def note(self, outcome: Outcome) -> None:
        """One more is done, or refused."""
        if outcome.refused is None:
            self.done += 1
        else:
            self.refused.append(outcome)


@asynccontextmanager
async def _dead(url: str) -> AsyncIterator[DeadLetters]:
    """The dead queue. Raises SetupError when no broker answers."""
    bus = Bus(url, name="dead letters", topology=shared())
    await bus.start(CONNECT_WITHIN_S)
    try:
        yield DeadLetters(bus)
    finally:
        await bus.close()


async def found(url: str, sieve: Sieve, limit: int) -> tuple[list[Letter], bool]:
    """The letters that are meant, `limit` at the most (0: all), those that died first; and whether there are more.

    All are looked at, since they lie in no order. Raises SetupError when no broker answers, BusError when the queue
    can't be looked at.
    """
    async with _dead(url) as dead, aclosing(dead.each()) as each:
        letters = by_death([letter async for letter in each if sieve.takes(letter)])
    most = limit or len(letters)
    return letters[:most], len(letters) > most


async def gone(url: str, letters: Iterable[Letter]) -> frozenset[str]:
    """The reply queues of these letters that are gone; raises as `found` does."""
    async with _dead(url) as dead:
        return await dead.gone(letters)


async def opened(url: str, letter_id: str) -> Message:
    """One letter whole. Raises NoSuchLetter, and as `found` does."""
    async with _dead(url) as dead:
        return await dead.open(letter_id)


async def picture(settings: Settings, message: Message) -> bytes:
    """A letter's picture, from the blob store if that is where it lies.

    Raises OverspillError when there is none, BadInput when the store has it no more, BlobsDown when the store fails.
    """
    claim = message.headers.get("claim")
    if message.body:
        return message.body
    if not isinstance(claim, str):
        raise OverspillError("This letter has no picture.")
    blobs = Blobs.of(joined(settings))
    if blobs is None:
        raise OverspillError(f"The picture lies in the blob store, at {claim}: name that store by OVERSPILL_BLOBS.")
    return await blobs.get(claim)


async def carry_out(url: str, work: Work, tell: Callable[[str], None]) -> None:
    """Do the work in one pass over the queue, noting in it how far it got; `tell` is told now and then.

    A signal to end ends it after the letter that is under way, the next signal at once: then a job may have been sent
    and its letter stay. Raises as `found` does.
    """
    _heed_signals(work)
    ids = [letter.id for letter in work.letters]
    async with _dead(url) as dead:
        sending = work.verb == "send again"
        outcomes = dead.replay_all(ids, by=work.by, force=work.force) if sending else dead.purge_all(ids, by=work.by)
        async with aclosing(outcomes):
            async for outcome in outcomes:
                work.note(outcome)
                if work.interrupted:
                    return
                if work.done % _TOLD_EVERY == 0:
                    tell(f"{work.done} of {len(ids)} ...")


def _heed_signals(work: Work) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 (a coroutine runs in one)

    def on_signal() -> None:
        if work.interrupted:
            task.cancel()
        work.interrupted = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
