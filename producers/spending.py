"""The jobs that this router sent into the cloud: how many in a minute, for how much in a day. Pure.

A job counts by its placement, from when it was sent. What it really cost, or that it never went, is set right at that
moment of the past, so that no span of time is ever credited with more than was charged in it.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60.0
DAY_S: Final = 86_400.0
KEPT: Final = 20_000
"""Jobs in the cloud that are remembered: the word of an end may be lost."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A job in the cloud: its price, US dollars; what its user was charged, seconds; and when it was sent."""

    cost: float = 0.0
    charged_s: float = 0.0
    at: float = 0.0


class Spending:
    """Jobs over the last minute and US dollars over the last 24 hours, neither by the calendar."""

    def __init__(self) -> None:
        self._minute = _Tally(MINUTE_S, step_s=1.0)
        self._day = _Tally(DAY_S, step_s=60.0)
        self._sent: OrderedDict[str, Sent] = OrderedDict()

    def jobs(self, now: float) -> int:
        """Jobs sent in the last minute."""
        return round(self._minute.total(now))

    def money(self, now: float) -> float:
        """US dollars spent in the last 24 hours."""
        return max(0.0, self._day.total(now))

    def sent(self, placement: str, cost: float, charged_s: float, now: float) -> None:
        """A job is sent, for an estimated `cost`; its user was charged `charged_s` seconds of computing."""
        self._minute.add(1, now)
        self._day.add(cost, now)
        self._sent[placement] = Sent(cost, charged_s, now)
        if len(self._sent) > KEPT:
            self._sent.popitem(last=False)

    def ended(self, placement: str, cost: float | None) -> None:
        """A job has ended in the cloud, where it has cost so much; None when that is not told."""
        sent = self._sent.pop(placement, None)
        if sent is not None and cost is not None:
            self._day.correct(cost - sent.cost, sent.at)

    def came_home(self, placement: str) -> Sent | None:
        """A job was not sent after all; returns what was counted, None for one that is not known."""
        sent = self._sent.pop(placement, None)
        if sent is not None:
            self._minute.correct(-1, sent.at)
            self._day.correct(-sent.cost, sent.at)
        return sent


class _Tally:
    """A sum over the last `span_s` seconds, in steps of `step_s`; a step counts until all of it is too old."""

    def __init__(self, span_s: float, step_s: float) -> None:
        self._step_s = step_s
        self._steps = int(span_s / step_s)
        self._parts: OrderedDict[int, float] = OrderedDict()
        self._total = 0.0

    def add(self, amount: float, now: float) -> None:
        step = self._settled(now)
        self._parts[step] = self._parts.get(step, 0.0) + amount
        self._total += amount

    def correct(self, amount: float, at: float) -> None:
        """Something added at that moment was more, or less; too late once it no longer counts."""
        if int(at // self._step_s) in self._parts:
            self.add(amount, at)

    def total(self, now: float) -> float:
        self._settled(now)
        return self._total

    def _settled(self, now: float) -> int:
        """The step of this moment; those that are too old by then are dropped."""
        step = int(now // self._step_s)
        while self._parts and next(iter(self._parts)) < step - self._steps:
            self._total -= self._parts.popitem(last=False)[1]
        if not self._parts:
            self._total = 0.0  # what rounding had left over
        return step
