"""How an event reads: one line on a terminal, one JSON document for a program. Pure."""

import json
from collections.abc import Callable
from typing import Final

from rich.text import Text

from bus.events import AnyEvent, BridgeStatus, Heartbeat, JobEvent, RouterStatus, VmEvent
from bus.prices import dollars
from ui.commands.why_view import words
from ui.commands.wording import printable

Clock = Callable[[int], str]
"""Writes a moment, milliseconds since the epoch, as people read it."""

_WIDEST: Final = 36
"""Characters up to which names stay aligned: a UUID has so many."""
_STATE: Final = 16
_COLOURS: Final = {
    "done": "green", "ready": "green", "joined": "green",
    "failed": "red", "unanswerable": "red", "lost": "red", "broken": "red", "purged": "red",
    "retried": "yellow", "parked": "yellow", "quarantined": "yellow", "draining": "yellow", "full": "yellow",
}  # fmt: skip


class Lines:
    """Events as lines in columns: when, what, who, and in words how and why. A column grows with what was in it."""

    def __init__(self, clock: Clock, *, id_shown: int | None = None) -> None:
        """`id_shown` is how many characters of a job's id are shown; None is all."""
        self._clock = clock
        self._id_shown = id_shown
        self._widths = [0, 0]

    def line(self, event: AnyEvent) -> Text:
        """One event in one line; no character of it moves a cursor or rings a bell."""
        state = _state(event)
        when = Text(f"{self._clock(event.at_ms)}  ", "dim")
        what = when.append(f"{state:<{_STATE}}", _COLOURS.get(state.rpartition(" ")[2], "cyan"))
        cells = (self._padded(n, printable(name)) for n, name in enumerate(_names(event, self._id_shown)))
        return what.append("  ".join((*cells, printable(", ".join(_words(event))))).rstrip())

    def _padded(self, column: int, text: str) -> str:
        self._widths[column] = max(self._widths[column], min(len(text), _WIDEST))
        return text.ljust(self._widths[column])


def _state(event: AnyEvent) -> str:
    match event:
        case JobEvent(state=state):
            return state
        case VmEvent(state=state) | BridgeStatus(state=state):
            return f"{event.kind} {state}"
        case _:
            return event.kind


def _names(event: AnyEvent, id_shown: int | None) -> tuple[str, ...]:
    match event:
        case JobEvent():
            return event.job[:id_shown], f"{event.operation} of {event.user}"
        case Heartbeat() | VmEvent():
            return (event.vm,)
        case RouterStatus():
            return (event.router,)
        case _:
            return (event.bridge,)


def _words(event: AnyEvent) -> list[str]:
    match event:
        case JobEvent():
            return words(event)
        case VmEvent():
            return [event.reason] if event.reason else []
        case Heartbeat():
            return _of_heartbeat(event)
        case RouterStatus():
            return _of_router(event)
        case _:
            return _of_bridge(event)


def _of_heartbeat(beat: Heartbeat) -> list[str]:
    figures = [f"{beat.cpu_percent:.0f} % CPU", f"{beat.ram_percent:.0f} % RAM"]
    return [*figures, f"{beat.running} of {beat.slots} slots", f"worker {beat.worker}", f"{beat.done} done"]


def _of_router(router: RouterStatus) -> list[str]:
    stands = f"routes by {router.policy}" if router.active else "stands by"
    waiting = [f"{operation} waits: {why}" for operation, why in router.waiting.items()]
    return [stands, f"{router.routed} routed", f"{router.queued} seen in line", *waiting]


def _of_bridge(bridge: BridgeStatus) -> list[str]:
    most = f" of {bridge.capacity}" if bridge.capacity else ""
    figures = [f"{bridge.in_flight}{most} in the cloud", f"{dollars(bridge.spent_today)} today"]
    stands = [] if bridge.active else ["stands by"]
    return [*stands, *figures, *([bridge.reason] if bridge.reason else [])]


def json_line(body: bytes) -> str:
    """An event's JSON as it was told, in one line; characters that a terminal would obey are escaped.

    Raises ValueError when it is no JSON.
    """
    text = body.decode()
    return text if text.isprintable() else json.dumps(json.loads(text))
