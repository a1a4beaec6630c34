"""Telling those who wait their place in line and when they will be done, and learning from what came of it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from bus.events import JobEvent
from producers.commands import Held, Moment
from producers.estimates import Estimates
from producers.eta import Expected, Forecast
from producers.line import Line
from producers.steps import told

FIRST_TOLD_S = 0.1
LONGEST_UNTOLD_S = 32.0
"""A job is told after a tenth of a second, then after twice as long each time, up to this."""
TOLD_AT_ONCE = 10
"""Jobs told at a call, at the most: a place in line costs a look at every user, so with many jobs it is fewer."""
LOOKS_AT_ONCE = 10_000
PLACED_KEPT = 20_000
"""Placements remembered: the word of an end may be lost."""


@dataclass(frozen=True, slots=True)
class _Told:
    at_s: float
    expected: Expected


class Waits:
    """What was told to the jobs in line. The first range told to each is what is learnt from.

    Nothing is learnt from a wait that an outage made, which says nothing of the next one: what was told before it is
    forgotten, and the first range told after it counts. A job that was parked, its operation paused, needs no such
    care: it comes back under another ticket, as one that was told nothing.
    """

    def __init__(self, estimates: Estimates) -> None:
        self._estimates = estimates
        self.forecast = Forecast()
        self._due: list[tuple[float, int, float]] = []
        self._in_line: dict[int, _Told] = {}
        self._placed: dict[str, _Told] = {}

    def arrived(self, ticket: int, now_s: float) -> None:
        """A job has come into the line."""
        heappush(self._due, (now_s + FIRST_TOLD_S, ticket, FIRST_TOLD_S))

    def placed(self, ticket: int, placement: str) -> None:
        """It was sent to a VM."""
        first = self._in_line.pop(ticket, None)
        if first is not None:
            self._placed[placement] = first
            if len(self._placed) > PLACED_KEPT:
                del self._placed[next(iter(self._placed))]

    def ended(self, placement: str, now_s: float, *, done: bool) -> None:
        """A placement has ended; only one that is `done` says how long it took."""
        first = self._placed.pop(placement, None)
        if first is not None and done:
            self.forecast.learn(first.expected, now_s - first.at_s)

    def interrupted(self) -> None:
        """Nobody could work for a while, or be heard: nothing is learnt from what was told before."""
        self._in_line.clear()
        self._placed.clear()

    def lost(self, placements: Iterable[str]) -> None:
        """Their VM has gone: should it come back and do them all the same, that was no usual wait."""
        for placement in placements:
            self._placed.pop(placement, None)

    def tell(self, line: Line, now: Moment, slots: int) -> list[JobEvent]:
        """What is to be told now, of `slots` slots that take jobs."""
        if not slots:
            self.interrupted()
        events: list[JobEvent] = []
        most = max(1, min(TOLD_AT_ONCE, LOOKS_AT_ONCE // max(1, len(line))))
        while self._due and self._due[0][0] <= now.mono_s and len(events) < most:
            _, ticket, last_s = heappop(self._due)
            held = line.get(ticket)
            if held is None:
                self._in_line.pop(ticket, None)
                continue
            again_s = min(LONGEST_UNTOLD_S, 2 * last_s)
            heappush(self._due, (now.mono_s + again_s, ticket, again_s))
            events.append(self._event(held, line, now, slots))
        return events

    def _event(self, held: Held, line: Line, now: Moment, slots: int) -> JobEvent:
        job = held.job
        place = line.place(held.ticket)
        expected = None
        if place is not None and slots:
            own = self._estimates.predict(job.operation, held.wish.megapixels)
            expected = self.forecast.expect(place.seconds_ahead, own, slots)
            self._in_line.setdefault(held.ticket, _Told(now.mono_s, expected))
        eta_s = (round(expected.soonest_s, 2), round(expected.latest_s, 2)) if expected else None
        reason = None if place else "it waits for its next attempt"
        return told(job, reason, now, state="waiting", place=place.place if place else None, eta_s=eta_s)
