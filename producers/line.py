"""The jobs in the router's window: who is next, who waits for another attempt, whose time is over. Pure."""

from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush

from bus.events import UserBacklog
from bus.messages import LARGEST_BODY
from producers.commands import Held
from producers.fairness import FairQueue, Place

SHOWN_USERS = 10


class Line:
    """Holds each job from its delivery until it is placed, refused or given back.

    `add`ed jobs are served in fair order; with a delay they join the line once it is over.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._queue: FairQueue[int] = FairQueue(weights)
        self._held: dict[int, Held] = {}
        self._ids: dict[tuple[str, str], set[int]] = {}
        self._delayed: list[tuple[float, int]] = []
        self._deadlines: list[tuple[int, int]] = []
        self._largest_bytes = LARGEST_BODY
        self.total_s = 0.0
        """Predicted computing seconds of all that is here."""

    def __len__(self) -> int:
        return len(self._held)

    def add(self, held: Held, now_s: float, delay_s: float = 0.0) -> None:
        """Take a job in."""
        job, ticket = held.job, held.ticket
        self._held[ticket] = held
        self.total_s += held.seconds
        self._ids.setdefault((job.user, job.id), set()).add(ticket)
        if job.deadline_ms is not None:
            heappush(self._deadlines, (job.deadline_ms, ticket))
            self._forget_deadlines()
        if delay_s > 0:
            heappush(self._delayed, (now_s + delay_s, ticket))
        else:
            self._join(held)

    def _forget_deadlines(self) -> None:
        """Drop those of jobs that have left, once they are most: a deadline may be far away."""
        if len(self._deadlines) > 2 * len(self._held) + 64:
            self._deadlines = [due for due in self._deadlines if due[1] in self._held]
            heapify(self._deadlines)

    def _join(self, held: Held) -> None:
        wish = held.wish
        job = held.job
        fits_the_cloud = len(job.body) <= self._largest_bytes
        kind = (wish.operation, wish.local, wish.slots, wish.avoid, held.home, held.stays_s, fits_the_cloud)
        self._queue.add(held.ticket, user=job.user, kind=kind, seconds=held.seconds, interactive=job.interactive)

    def bound(self, largest_bytes: int) -> None:
        """The largest picture that fits the cloud: jobs on either side of it wait for different things."""
        if largest_bytes == self._largest_bytes:
            return
        low, high = sorted((largest_bytes, self._largest_bytes))
        self._largest_bytes = largest_bytes
        for held in [held for held in self._held.values() if low < len(held.job.body) <= high]:
            if self._queue.remove(held.ticket):
                self._join(held)

    def remove(self, ticket: int) -> Held | None:
        """Take a job out, wherever it waits."""
        held = self._drop(ticket)
        if held is not None:
            self._queue.remove(ticket)
        return held

    def _drop(self, ticket: int) -> Held | None:
        held = self._held.pop(ticket, None)
        if held is not None:
            self.total_s = self.total_s - held.seconds if self._held else 0.0
            key = (held.job.user, held.job.id)
            self._ids[key].discard(ticket)
            if not self._ids[key]:
                del self._ids[key]
        return held

    def get(self, ticket: int) -> Held | None:
        """The job of a ticket, while it is here."""
        return self._held.get(ticket)

    def place(self, ticket: int) -> Place | None:
        """Its place in line and the seconds of computing ahead of it; None while it waits for its next attempt."""
        return self._queue.line(ticket) if ticket in self._queue else None

    def serve(self, now_s: float, take: Callable[[Held], bool]) -> None:
        """Offer jobs in fair order; one that is declined holds up its like for this time, and nobody else."""
        while self._delayed and self._delayed[0][0] <= now_s:
            held = self._held.get(heappop(self._delayed)[1])
            if held is not None:
                self._join(held)

        def offer(ticket: int) -> bool:
            taken = take(self._held[ticket])
            if taken:
                self._drop(ticket)
            return taken

        self._queue.serve(offer)

    def expired(self, now_ms: int) -> list[Held]:
        """Take out the jobs whose deadline has passed."""
        gone: list[Held] = []
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            held = self.remove(heappop(self._deadlines)[1])
            if held is not None:
                gone.append(held)
        return gone

    def held_since(self, before_s: float) -> list[Held]:
        """Take out the jobs that arrived before that moment."""
        gone: list[Held] = []
        while self._held and (oldest := next(iter(self._held.values()))).arrived_s < before_s:
            self.remove(oldest.ticket)
            gone.append(oldest)
        return gone

    def find(self, user: str, job: str, sent_by_ms: int) -> list[Held]:
        """Take out the jobs of this id, but for those that were sent after that moment."""
        tickets = [
            ticket
            for ticket in sorted(self._ids.get((user, job), ()))
            if (self._held[ticket].sent_ms or 0) <= sent_by_ms
        ]
        return [held for ticket in tickets if (held := self.remove(ticket)) is not None]

    def correct(self, user: str, seconds: float) -> None:
        """A job of the user took so many seconds more (or less) than predicted."""
        self._queue.correct(user, seconds)

    def queued(self, user: str) -> int:
        """How many jobs the user has in line."""
        return self._queue.queued(user)

    def seconds(self, user: str) -> float:
        """The predicted computing time of the user's jobs in line."""
        return self._queue.seconds(user)

    def busiest(self) -> tuple[UserBacklog, ...]:
        """Who has most in line."""
        rows = self._queue.busiest(SHOWN_USERS)
        return tuple(UserBacklog(user=user, queued=jobs, seconds=round(seconds, 2)) for user, jobs, seconds in rows)
