"""When VMs were away and the cloud was not to be had, out of what was recorded of their states. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Final

from producers.flight.recording import RecordedCloud, RecordedState, Recording, State
from producers.simulation.faults import Fault, Kind

NOTICED_S: Final = 3.0
"""How long a VM has been silent when it is told to be lost."""
AT_ONCE_S: Final = 5.0
"""What is first heard of so soon after the recording began was there before."""
_AWAY: Final[dict[str, Kind]] = {"lost": "crash", "joined": "crash", "draining": "drain", "quarantined": "drain"}


Span = tuple[float, float]
"""From when to when, seconds since the recording began; infinite where no end was seen."""


@dataclass(frozen=True, slots=True)
class Presence:
    """When a VM first took jobs, and when it did not from then on."""

    joins_s: float
    away: tuple[Fault, ...]

    def up_s(self, until_s: float) -> float:
        """Seconds until `until_s` in which it took jobs."""
        away = sum(max(0.0, min(fault.at_s + fault.for_s, until_s) - fault.at_s) for fault in self.away)
        return max(0.0, until_s - self.joins_s - away)


def presence(recording: Recording, vm: str) -> Presence:
    """When a VM was there to take jobs."""
    begins_ms = recording.header.from_ms
    seen_ms = [*(told.at_ms for told in recording.vms if told.vm == vm), *_beats_ms(recording, vm)]
    first_ms = min(seen_ms, default=begins_ms)
    states = [state for state in recording.states if state.vm == vm]
    if (before := _state_before(recording, vm, states)) is not None:
        states.insert(0, RecordedState(vm, first_ms, before))
    taking_ms = _first_taking(states, first_ms)
    joins_s = max(0.0, (taking_ms - begins_ms) / 1000)
    away = tuple(_away([state for state in states if state.at_ms >= taking_ms], vm, begins_ms))
    return Presence(0.0 if joins_s < AT_ONCE_S else joins_s, away)


def _state_before(recording: Recording, vm: str, states: Sequence[RecordedState]) -> State | None:
    """How it was out of use before: no state is told then, only the routers' lists of such VMs."""
    until_ms = recording.header.from_ms + AT_ONCE_S * 1000
    if states and states[0].at_ms < until_ms:
        return None
    first = [told for told in recording.routers if told.at_ms < until_ms]
    if any(vm in told.drained for told in first):
        return "draining"
    return "quarantined" if any(vm in told.quarantined for told in first) else None


def _beats_ms(recording: Recording, vm: str) -> Iterable[int]:
    return (load.at_ms for load in recording.loads if load.vm == vm)


def _first_taking(states: Sequence[RecordedState], first_ms: int) -> int:
    """When it took jobs for the first time: a VM that joins serves nothing until it is ready."""
    if not states or _AWAY.get(states[0].state) is None or states[0].state != "joined":
        return first_ms
    return next((state.at_ms for state in states if state.state not in _AWAY), states[-1].at_ms)


def _away(states: Sequence[RecordedState], vm: str, begins_ms: int) -> Iterable[Fault]:
    kind, since_s = None, 0.0
    for state in states:
        now_s = max(0.0, (state.at_ms - begins_ms) / 1000)
        turned = _AWAY.get(state.state)
        if turned == kind:
            continue
        if kind is not None and now_s > since_s:
            yield Fault(kind, vm, since_s, now_s - since_s)
        silent_s = NOTICED_S if state.state == "lost" and kind is None else 0.0
        kind, since_s = turned, max(0.0, now_s - silent_s)
    if kind is not None:
        yield Fault(kind, vm, since_s, inf)


def without_cloud(clouds: Sequence[RecordedCloud], begins_ms: int) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """When the cloud was down, and when no bridge led to it."""
    first_s = (clouds[0].at_ms - begins_ms) / 1000 if clouds else inf
    late = [(0.0, first_s)] if first_s >= AT_ONCE_S else []
    moments = [((each.at_ms - begins_ms) / 1000, each.state) for each in clouds]
    told = list(pairwise([*moments, (inf, None)]))
    down = [(at, until) for (at, state), (until, _) in told if state in {"broken", "draining"}]
    absent = [(at, until) for (at, state), (until, _) in told if state is None]
    return tuple(down), (*late, *absent)
