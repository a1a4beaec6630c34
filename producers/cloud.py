"""What the router knows of the cloud: whether a job may overflow now, when it would end there, what it would cost."""

from collections import deque
from typing import Final, NamedTuple

from bus.events import BridgeStatus, CloudSeen

FRESH_S: Final = 3.5
"""Age up to which a bridge's word, or a count of consumers, is believed: three beats, and one that is a little late."""
MINUTE_S: Final = 60.0
DAY_S: Final = 86_400.0
LARGEST_BYTES: Final = 9_500_000
"""The largest picture that overflows: a Pub/Sub message takes 10 MB, properties and params included."""

PRIORS_S: Final = {"sketch": 2.0, "remove-background": 4.0, "caption": 6.0}
"""Seconds to an answer of a small picture, a cold start now and then included, until a bridge tells better."""
UNKNOWN_S: Final = 6.0
MEGAPIXEL_S: Final = 0.1
"""Seconds a megapixel adds: decoding, resizing and encoding on one core."""
UPLINK_BYTES_PER_S: Final = 2_500_000.0
"""What the site's line is taken to carry, 20 Mbit/s."""

# Google's public prices of tier 1, US dollars: Cloud Run $0.000024 a vCPU-second, $0.0000025 a GiB-second and $0.40 a
# million requests; Pub/Sub $40 a TiB, to publish and again to deliver. An instance is taken to have 2 vCPU and 4 GiB.
PRICE_PER_S: Final = 2 * 0.000_024 + 4 * 0.000_002_5
PRICE_PER_JOB: Final = 0.40 / 1e6
PRICE_PER_BYTE: Final = 2 * 40 / 2**40


class _Heard(NamedTuple):
    status: BridgeStatus
    at: float
    sent: int
    """Jobs this router had sent in all when it heard this."""


class Cloud:
    """All that decides whether the cloud is open, and at what price.

    Spending is counted over the last 24 hours, not by the calendar: no 24 hours may cost more than the cap. What fresh
    bridges tell counts where it is more than the router's own count, after a restart of the router for one.

    Args:
        jobs_per_minute: Jobs that may overflow in a minute; None is any number.
        money_per_day: US dollars that may be spent in a day; None is any sum.
    """

    def __init__(self, jobs_per_minute: int | None = None, money_per_day: float | None = None) -> None:
        self._jobs_per_minute = jobs_per_minute
        self._money_per_day = money_per_day
        self._consumers = (0, 0.0)
        self._heard: dict[str, _Heard] = {}
        self._sent = 0
        self._minute = _Tally(MINUTE_S, step_s=1.0)
        self._day = _Tally(DAY_S, step_s=60.0)

    def consumers(self, n: int, now: float) -> None:
        """`n` others consume the queue `overflow`, as the broker told just now."""
        self._consumers = (n, now)

    def heard(self, status: BridgeStatus, now: float) -> None:
        """A bridge told of itself."""
        self._heard = {name: heard for name, heard in self._heard.items() if _fresh(heard.at, now)}
        self._heard[status.bridge] = _Heard(status, now, self._sent)

    def sent(self, operation: str, cost: float, now: float) -> None:  # noqa: ARG002 (told for the symmetry of `seen`)
        """A job went into `overflow`; `cost` is what `seen` said of it."""
        self._sent += 1
        self._minute.add(1, now)
        self._day.add(cost, now)

    def seen(self, operation: str, megapixels: float, local: bool, size: int, now: float) -> CloudSeen:
        """The cloud as it is for one job: open or why not, seconds to the job's end, US dollars.

        Args:
            operation: What is to be done.
            megapixels: The picture's, 0 when unknown.
            local: Whether the job's owner keeps it off the cloud.
            size: The body, bytes.
            now: Seconds.
        """
        told_s = self._told_s(operation, now)
        computes_s = _prior_s(operation, megapixels) if told_s is None else told_s
        end_s = computes_s + size / UPLINK_BYTES_PER_S if told_s is None else told_s
        cost = _price(computes_s, size)
        why = _unfit(local, size) or self._closed(cost, now)
        return CloudSeen(open=why is None, end_s=round(end_s, 3), cost=round(cost, 7), why=why)

    def said(self, now: float) -> str:
        """The cloud in one phrase, for the router's status: `open`, or why no job may overflow."""
        return self._closed(_CHEAPEST, now) or "open"

    def _closed(self, cost: float, now: float) -> str | None:
        n, at = self._consumers
        if n <= 0 or not _fresh(at, now):
            return "no bridge is alive"
        return self._held_back(now) or self._over_budget(cost, now)

    def _fresh_ones(self, now: float) -> list[_Heard]:
        return [heard for heard in self._heard.values() if _fresh(heard.at, now)]

    def _told_s(self, operation: str, now: float) -> float | None:
        told = [heard.status.seconds.get(operation) for heard in self._fresh_ones(now)]
        return max((seconds for seconds in told if seconds is not None), default=None)

    def _held_back(self, now: float) -> str | None:
        """What the bridges say against it, all of them. One that consumes and has not been heard yet is trusted."""
        told = self._fresh_ones(now)
        ready = [heard for heard in told if heard.status.state == "ready"]
        if told and not ready:
            last = max(told, key=lambda heard: heard.at).status
            return last.state + (f": {last.reason}" if last.reason else "")
        return self._at_capacity(ready)

    def _at_capacity(self, ready: list[_Heard]) -> str | None:
        if not ready or any(heard.status.capacity == 0 for heard in ready):
            return None
        capacity = sum(heard.status.capacity for heard in ready)
        flying = sum(heard.status.in_flight for heard in ready) + self._since(ready)
        return f"full: {flying} of {capacity} jobs are in the cloud" if flying >= capacity else None

    def _since(self, told: list[_Heard]) -> int:
        """Jobs sent that the oldest of these words can't have counted."""
        return self._sent - min((heard.sent for heard in told), default=self._sent)

    def _over_budget(self, cost: float, now: float) -> str | None:
        told = self._fresh_ones(now)
        jobs = max(self._minute.total(now), sum(heard.status.sent_last_minute for heard in told) + self._since(told))
        spent = max(self._day.total(now), sum(heard.status.spent_today for heard in told))
        if self._jobs_per_minute is not None and jobs + 1 > self._jobs_per_minute:
            return f"budget spent: {jobs:.0f} of {self._jobs_per_minute} jobs this minute"
        if self._money_per_day is not None and spent + cost > self._money_per_day:
            return f"budget spent: ${spent:.4g} of ${self._money_per_day:g} a day"
        return None


class _Tally:
    """A sum over the last `span_s` seconds, in steps of `step_s`; a step counts until all of it is too old."""

    def __init__(self, span_s: float, step_s: float) -> None:
        self._step_s = step_s
        self._steps = int(span_s / step_s)
        self._parts: deque[tuple[int, float]] = deque()
        self._total = 0.0

    def add(self, amount: float, now: float) -> None:
        step = int(now // self._step_s)
        self._total += amount
        if self._parts and self._parts[-1][0] == step:
            amount += self._parts.pop()[1]
        self._parts.append((step, amount))

    def total(self, now: float) -> float:
        oldest = int(now // self._step_s) - self._steps
        while self._parts and self._parts[0][0] < oldest:
            self._total -= self._parts.popleft()[1]
        if not self._parts:
            self._total = 0.0  # what rounding had left over
        return self._total


def _fresh(at: float, now: float) -> bool:
    return now - at <= FRESH_S


def _unfit(local: bool, size: int) -> str | None:
    if local:
        return "the job is kept on local machines"
    return f"{size:,} bytes are more than the {LARGEST_BYTES:,} Pub/Sub takes" if size > LARGEST_BYTES else None


def _prior_s(operation: str, megapixels: float) -> float:
    return PRIORS_S.get(operation, UNKNOWN_S) + MEGAPIXEL_S * megapixels


def _price(computes_s: float, size: int) -> float:
    """US dollars for one job. The answer is taken to be as large as the picture."""
    return computes_s * PRICE_PER_S + PRICE_PER_JOB + 2 * size * PRICE_PER_BYTE


_CHEAPEST: Final = _price(min(PRIORS_S.values()), 0)
