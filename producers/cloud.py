"""The cloud as the router sees it: whether a job may overflow now, when it would end there, what it would cost. Pure.

What the settings say, what this router sent and what the bridges tell are weighed here, and nowhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from bus.copies import like
from bus.events import BridgeStatus, CloudSeen
from bus.messages import LARGEST_BODY
from bus.prices import PRIORS_S, UNKNOWN_S, Prices, of_cap, over_cap
from bus.settings import Settings
from producers.bridges import Bridges, Counts, T, Words, said
from producers.spending import Sent, Spending

MEGAPIXEL_S: Final = 0.1
"""Seconds a megapixel adds: decoding, resizing and encoding on one core."""
TURNED_OFF: Final = "the cloud is turned off (OVERSPILL_CLOUD)"
_SEEN: Final = CloudSeen(open=True, end_s=0.0, cost=0.0, why=None)
FREE: Final = Prices(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say of the cloud: US dollars, Mbit/s towards it, and the caps; None is no cap.

    `in_flight` is how many jobs may wait for a bridge that does not say how many it takes.
    """

    prices: Prices = FREE
    uplink_mbit: float = 20.0
    jobs_per_minute: int | None = None
    money_per_day: float | None = None
    in_flight: int = 32
    turned_off: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The terms that the settings give."""
        return cls(
            prices=Prices.of(settings),
            uplink_mbit=settings.uplink_mbit,
            jobs_per_minute=settings.cloud_jobs_per_minute,
            money_per_day=settings.cloud_money_per_day,
            in_flight=settings.cloud_in_flight,
            turned_off=settings.cloud == "none",
        )

    def transfer_s(self, size: int) -> float:
        """Seconds that so many bytes take to the cloud."""
        return size * 8 / (self.uplink_mbit * 1e6)


class Cloud:
    """All that decides whether the cloud is open, and at what price.

    Spending is counted over the last 24 hours, not by the calendar: no 24 hours may cost more than the cap. What the
    bridges tell counts where it is more than the router's own count, after a restart of the router for one: both count
    the same jobs, so they are never added up, but for what was sent since they spoke. Of two caps, the router's and a
    bridge's, the smaller holds.
    """

    def __init__(self, terms: Terms | None = None) -> None:
        self._terms = terms or Terms()
        self._bridges = Bridges()
        self._spending = Spending()
        self._counts = Counts()
        self._cheapest = self._terms.prices.job(min(PRIORS_S.values()), 0)

    # -- what happens

    def consumers(self, n: int, now: float, *, waiting: int = 0) -> None:
        """`n` others consume `overflow`, in which `waiting` jobs wait for them, as the broker told just now."""
        self._bridges.consumers(n, waiting, self._counts, now)

    def heard(self, status: BridgeStatus, now: float) -> None:
        """A bridge told of itself."""
        self._bridges.heard(status, self._counts, now)

    def sent(self, placement: str, cost: float, charged_s: float, now: float) -> None:
        """A job went into `overflow`: `cost` is what `seen` said of it, `charged_s` what its user was charged."""
        counts = self._counts
        self._counts = Counts(counts.sent + 1, counts.cost + cost, counts.left)
        self._spending.sent(placement, cost, charged_s, now)

    def ended(self, placement: str, cost: float | None) -> None:
        """A job has ended in the cloud, or was given up there, for so many US dollars as far as that is told."""
        counts = self._counts
        self._counts = Counts(counts.sent, counts.cost, counts.left + 1)
        self._spending.ended(placement, cost)

    def came_home(self, placement: str) -> float:
        """A job comes back without having run there; returns the seconds its user was charged for nothing."""
        counts, sent = self._counts, self._spending.came_home(placement) or Sent()
        self._counts = Counts(counts.sent - 1, counts.cost - sent.cost, counts.left)
        return sent.charged_s

    # -- what follows from it

    def largest_bytes(self, now: float) -> int:
        """The largest picture that may travel in a job; until a bridge tells, what any cloud takes."""
        return self._bridges.words(now).largest_bytes or LARGEST_BODY

    def serves(self, operation: str, now: float) -> bool:
        """Whether such jobs overflow at all, though perhaps not at this moment."""
        return self._absent(now) is None and self._bridges.words(now).serve(operation)

    def served(self, operations: Iterable[str], now: float) -> tuple[str, ...]:
        """Of these operations, those whose jobs overflow at all."""
        if self._absent(now) is not None:
            return ()
        words = self._bridges.words(now)
        return tuple(filter(words.serve, operations))

    def is_bridge_heard(self, now: float) -> bool:
        """Whether a bridge told of itself lately, though it be one that stands by."""
        return self._bridges.are_heard(now)

    def seen(self, operation: str, megapixels: float, size: int, now: float, *, stays: str | None = None) -> CloudSeen:
        """The cloud as it is for one job: open or why not, seconds to the job's end, US dollars.

        Args:
            operation: What is to be done.
            megapixels: The picture's, 0 when unknown.
            size: The body, bytes; 0 for a picture that lies in the blob store.
            now: Seconds.
            stays: Why this job may not overflow, if it may not.
        """
        words = self._bridges.words(now)
        told_s = words.seconds(operation)
        computes_s = _prior_s(operation, megapixels) if told_s is None else told_s
        end_s = computes_s + self._terms.transfer_s(size) if told_s is None else told_s
        cost = self._terms.prices.job(computes_s, 2 * size)  # the answer is taken to be as large as the picture
        too_large = _too_large(size, words.largest_bytes or LARGEST_BODY)
        why = stays or too_large or self._closed(words, cost, now, operation)
        return like(_SEEN, open=why is None, end_s=round(end_s, 3), cost=round(cost, 7), why=why)

    def said(self, now: float) -> str:
        """The cloud in one phrase, for people: open, or why not, with what the bridges tell of room and money."""
        words = self._bridges.words(now)
        state = self._closed(words, self._cheapest, now) or "open"
        told = [figure for figure in self._figures(words, now) if figure not in state]
        return f"{state} ({', '.join(told)})" if told else state

    def _figures(self, words: Words, now: float) -> list[str]:
        figures = [self._room(words)] if words.capacity else []
        cap = self._money_cap(words)
        return [*figures, of_cap(self._spent(words, now), cap)] if words.all and cap is not None else figures

    def _absent(self, now: float) -> str | None:
        """Why there is no cloud at all, if there is none."""
        if self._terms.turned_off:
            return TURNED_OFF
        return None if self._bridges.alive(now) else self._bridges.absent(now)

    def _closed(self, words: Words, cost: float, now: float, operation: str | None = None) -> str | None:
        ready = words.ready
        return (
            self._absent(now)
            or (said(words.all[0].status) if words.all and not ready.all else None)
            or (_unserved(operation, ready) if operation and not ready.serve(operation) else None)
            or self._full(ready)
            or self._over_budget(words, cost, now)
        )

    def _full(self, ready: Words) -> str | None:
        if not ready.is_bounded:
            piled = self._bridges.piled(self._counts)
            return f"full: {piled} jobs wait for a bridge to take them" if piled >= self._terms.in_flight else None
        return f"full: {self._room(ready)}" if self._flying(ready) >= ready.capacity else None

    def _room(self, words: Words) -> str:
        return f"{self._flying(words)} of {words.capacity} jobs are in the cloud"

    def _flying(self, words: Words) -> int:
        """Jobs in the cloud or on their way: as told, less those that have left since, and those not told of yet."""
        since = words.since
        told = words.in_flight - (self._counts.left - since.left)
        return max(0, max(0, told) + self._counts.sent - since.sent + self._bridges.waiting)

    def _over_budget(self, words: Words, cost: float, now: float) -> str | None:
        jobs_cap = _smaller(self._terms.jobs_per_minute, words.jobs_per_minute)
        if jobs_cap is not None and (jobs := self._sent_lately(words, now)) >= jobs_cap:
            return f"budget spent: {jobs} of {jobs_cap} jobs this minute"
        cap = self._money_cap(words)
        return None if cap is None else over_cap(cost, self._spent(words, now), cap)

    def _sent_lately(self, words: Words, now: float) -> int:
        told = words.sent_last_minute + self._counts.sent - words.since.sent if words.all else 0
        return max(self._spending.jobs(now), told)

    def _spent(self, words: Words, now: float) -> float:
        told = words.spent_today + self._counts.cost - words.since.cost if words.all else 0.0
        return max(self._spending.money(now), told)

    def _money_cap(self, words: Words) -> float | None:
        return _smaller(self._terms.money_per_day, words.money_per_day)


def _too_large(size: int, largest: int) -> str | None:
    return f"{size:,} bytes are more than the {largest:,} the cloud takes" if size > largest else None


def _smaller(one: T | None, other: T | None) -> T | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _unserved(operation: str, ready: Words) -> str:
    served = sorted({name for word in ready.all for name in word.status.operations})
    return f"the cloud does not serve {operation}, only {', '.join(served)}"


def _prior_s(operation: str, megapixels: float) -> float:
    return PRIORS_S.get(operation, UNKNOWN_S) + MEGAPIXEL_S * megapixels
