"""Takes what is told on the bus onto a tape, until what was asked for is covered or somebody stops it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Final

from bus.clock import now_ms
from bus.errors import BusError
from bus.messages import Message
from bus.rabbit import Bus, Followed
from bus.topology import EVENTS_HISTORY, shared
from ui.record.span import Span
from ui.record.tape import Tape
from ui.stack.state import CONNECT_WITHIN_S

_LOOK_S: Final = 0.5
_SILENT_S: Final = 5.0
"""How long a recording that is past its end waits for a router or bridge to say so."""


class _Gaps(Followed):
    """Writes down what was missed."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def missed(self, messages: int) -> None:
        self._tape.gap(messages)


async def take(url: str, span: Span, tape: Tape, stop: asyncio.Event, look: Callable[[], object]) -> None:
    """Record from the history and, where the span goes on, live; `look` is called now and then.

    Raises SetupError when no broker answers, BusError when the history can't be read, OSError when the file can't be
    written.
    """
    bus = Bus(url, name="record", topology=shared())
    await bus.start(CONNECT_WITHIN_S)
    try:
        # The history ends by itself; what goes on is followed as it comes, and watched for its end.
        if span.is_past(now_ms()):
            source, until_ms = bus.replay(EVENTS_HISTORY, span.since_ms), None
        else:
            since_ms = None if span.from_now else span.since_ms
            source, until_ms = bus.follow(EVENTS_HISTORY, since_ms, heard=_Gaps(tape)), span.until_ms
        await _until_one_ends(_read(source, tape), _watch(until_ms, tape, stop, look))
    except TimeoutError as error:
        raise BusError(f"{error}; the history could not be read to its end. Try again.") from None
    finally:
        await bus.close()


async def _until_one_ends(*parts: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.create_task(part) for part in parts]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):  # and not that it was cancelled
            raise ended


async def _read(source: AsyncGenerator[Message, None], tape: Tape) -> None:
    async with aclosing(source) as messages:
        async for message in messages:
            tape.hear(message.body, now_ms())
            if tape.is_over:
                return


async def _watch(until_ms: int | None, tape: Tape, stop: asyncio.Event, look: Callable[[], object]) -> None:
    """Ends when it is to be stopped, or when its time is over and nobody is there to say so."""
    heard, heard_s = -1, 0.0
    while not stop.is_set():
        look()
        now_s = time.monotonic()
        tape.flush(now_s)
        if heard != tape.heard or until_ms is None or now_ms() < until_ms:
            heard, heard_s = tape.heard, now_s
        elif now_s - heard_s >= _SILENT_S:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_S)
