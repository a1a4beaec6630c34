"""Jobs that are to be cancelled and were not found yet. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

from bus.messages import Job

REMEMBERED_S = 1200.0
"""Under the half hour for which a broker lets a message be held: the order to cancel stays unacked meanwhile."""
MOST = 4000


@dataclass(frozen=True, slots=True)
class Asked:
    """An order to cancel. `ticket` names its delivery, `at_ms` is when it was given."""

    user: str
    job: str
    ticket: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    asked: Asked
    ended: frozenset[str]
    until_s: float


class Cancels:
    """Orders to cancel, each in force for 20 minutes or until its job comes or is told to have ended."""

    def __init__(self) -> None:
        self._wanted: OrderedDict[tuple[str, str], _Wanted] = OrderedDict()

    def __len__(self) -> int:
        return len(self._wanted)

    def remember(self, asked: Asked, ended: frozenset[str], now_s: float) -> list[int]:
        """Keep an order; returns the tickets of those that it replaces or crowds out, to be settled.

        `ended` are the operations whose job of this id has ended: it is too late for them.
        """
        key = (asked.user, asked.job)
        before = self._wanted.pop(key, None)
        self._wanted[key] = _Wanted(asked, ended, now_s + REMEMBERED_S)
        crowded = self._wanted.popitem(last=False)[1] if len(self._wanted) > MOST else None
        return [order.asked.ticket for order in (before, crowded) if order is not None]

    def take(self, job: Job, sent_ms: int | None) -> int | None:
        """The ticket of the order that cancels this job, once; None when there is none.

        `sent_ms` is when the caller says it sent the job: one sent after the order is another job of the same id.
        """
        order = self._wanted.get((job.user, job.id))
        if order is None or job.operation in order.ended or (sent_ms is not None and sent_ms > order.asked.at_ms):
            return None
        return self.ended(job.user, job.id)

    def ended(self, user: str, job: str) -> int | None:
        """The ticket of the order for a job that is told to have ended; it is forgotten."""
        order = self._wanted.pop((user, job), None)
        return None if order is None else order.asked.ticket

    def expire(self, now_s: float) -> list[int]:
        """The tickets of the orders whose time is over, the oldest first."""
        gone = []
        while self._wanted and next(iter(self._wanted.values())).until_s <= now_s:
            gone.append(self._wanted.popitem(last=False)[1].asked.ticket)
        return gone

    def forget(self) -> None:
        """The connection is gone: every order comes again."""
        self._wanted.clear()
