"""Jobs that are to be cancelled and were not found yet. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED_S = 1200.0
"""Under the half hour for which a broker lets a message be held: the order to cancel stays unacked meanwhile."""
MOST = 4000


@dataclass(frozen=True, slots=True)
class _Wanted:
    ticket: int
    at_ms: int
    until_s: float


class Cancels:
    """Orders to cancel, each in force for 20 minutes or until its job comes. `ticket` names the order's delivery."""

    def __init__(self) -> None:
        self._wanted: OrderedDict[tuple[str, str], _Wanted] = OrderedDict()

    def __len__(self) -> int:
        return len(self._wanted)

    def remember(self, user: str, job: str, ticket: int, *, at_ms: int, now_s: float) -> list[int]:
        """Keep an order; returns the tickets of those that it replaces or crowds out, to be settled."""
        before = self._wanted.pop((user, job), None)
        self._wanted[(user, job)] = _Wanted(ticket, at_ms, now_s + REMEMBERED_S)
        crowded = self._wanted.popitem(last=False)[1] if len(self._wanted) > MOST else None
        return [order.ticket for order in (before, crowded) if order is not None]

    def take(self, user: str, job: str, sent_ms: int | None) -> int | None:
        """The ticket of the order that cancels this job, once; None when there is none.

        `sent_ms` is when the caller says it sent the job: one sent after the order is another job of the same id.
        """
        order = self._wanted.get((user, job))
        if order is None or (sent_ms is not None and sent_ms > order.at_ms):
            return None
        del self._wanted[(user, job)]
        return order.ticket

    def expire(self, now_s: float) -> list[int]:
        """The tickets of the orders whose time is over, the oldest first."""
        gone = []
        while self._wanted and next(iter(self._wanted.values())).until_s <= now_s:
            gone.append(self._wanted.popitem(last=False)[1].ticket)
        return gone

    def forget(self) -> None:
        """The connection is gone: every order comes again."""
        self._wanted.clear()
