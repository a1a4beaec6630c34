"""From the stream of events to lines on standard output, across lost connections."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

from bus.events import AnyEvent
from bus.messages import Message
from bus.rabbit import Bus, Followed
from bus.topology import EVENTS_HISTORY, shared
from telemetry.garbage import EventReader
from telemetry.process import unless_set
from ui.stack.state import CONNECT_WITHIN_S
from ui.tail.choice import Choice
from ui.tail.lateness import Lateness
from ui.tail.output import Output

_STDOUT: Final = 1
NOTHING: Final = (
    "No event matched. Check the patterns, --user and --job (all of its id), or look further back: --since."
)
Tell = Callable[[str], None]
"""Says something of the listening itself, beside the events."""
Write = Callable[[AnyEvent, bytes], str]
"""An event and the JSON it came as, written as a line or more."""


@dataclass(frozen=True, slots=True)
class Looks:
    """How events are written, and what else is said."""

    write: Write
    tell: Tell


async def tail(url: str, choice: Choice, looks: Looks, *, follow: bool = True) -> None:
    """Write the chosen events, oldest first: on without end, or (not `follow`) up to the last one there is now.

    Ends when nobody reads them any more. Raises SetupError when no broker answers, BusError when the history can't be
    read.
    """
    bus = Bus(url, name="tail", topology=shared())
    await bus.start(CONNECT_WITHIN_S)
    bus.on_disconnect = lambda: looks.tell(f"The connection to {bus.address} was lost; trying again ...")
    try:
        async with aclosing(_messages(bus, choice, looks.tell, follow=follow)) as messages:
            with Output(_STDOUT) as output, suppress(BrokenPipeError):
                await unless_set(output.closed, _write(messages, choice, looks, output))
    finally:
        bus.on_disconnect = lambda: None
        await bus.close()


def _messages(bus: Bus, choice: Choice, tell: Tell, *, follow: bool) -> AsyncGenerator[Message, None]:
    if follow:
        return bus.follow(EVENTS_HISTORY, choice.since_ms, choice.may_want, _Aloud(tell, choice))
    return bus.replay(EVENTS_HISTORY, choice.since_ms or 0, choice.may_want)


class _Aloud(Followed):
    """Says how the following goes."""

    def __init__(self, tell: Tell, choice: Choice) -> None:
        self._tell = tell
        self._words = f"Listening for {' '.join(choice.patterns)}"

    def begun(self) -> None:
        self._tell(self._words)
        self._words = "Connected again: going on with the next event."

    def missed(self, messages: int) -> None:
        self._tell(f"About {messages} events, of all kinds, were removed from the history before they were read.")


async def _write(messages: AsyncGenerator[Message, None], choice: Choice, looks: Looks, output: Output) -> None:
    lateness = Lateness(caught_up=choice.since_ms is None)
    events = EventReader(looks.tell)
    written = 0
    async for message in messages:
        if not choice.wants_key(message.routing_key):
            continue
        event = events.read(message, time.monotonic())
        if event is not None and choice.wants(event):
            await output.write(looks.write(event, message.body))
            written += 1
            if said := lateness.told(event.at_ms, time.time_ns() // 1_000_000):
                looks.tell(said)
    if not written:
        looks.tell(NOTHING)
