"""Which job is next: every user gets a share of the computing seconds, whatever they send. Pure.

Start-time fair queueing (Goyal, Vin and Cheng 1996): a user's *tag* is what they have used, in predicted seconds over
their weight; of those who wait, the one with the smallest tag is next, and the *clock* stands at that tag. Who comes
back from idle starts at the clock, so nobody saves up, and a newcomer is delayed by one job of each other user at most.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nlargest
from itertools import count
from typing import Generic, TypeVar

from producers.shares import SECOND, Entry, Offers, Queue, Standing, Tier, User

T = TypeVar("T", bound=Hashable)

INTERACTIVE_PER_BATCH = 9
"""Seconds of interactive jobs to one of batch jobs while both wait."""
IDLE_KEPT = 10_000
"""How many idle users are remembered at most, though the clock hasn't passed their tags."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item stands: `place` 1 is next; `seconds_ahead` are predicted computing seconds, of all slots."""

    place: int
    seconds_ahead: float


class FairQueue(Generic[T]):
    """Items of users, offered in fair order; an item's `kind` says what it needs, such as operation, site and slots.

    Two tiers stand above the users: interactive items go first, but of the seconds served while both wait, a tenth is
    for batch. What users are served in one tier counts against their share of the other.

    An item served costs O(log users), a call O(kinds) besides. What users can't use while their kind is closed isn't
    saved up: in a kind that stays scarcer than the others they take turns by the job rather than by its seconds.
    """

    def __init__(self, weights: Mapping[str, float] = {}) -> None:
        self._weights = dict(weights)
        if wrong := [user for user, weight in weights.items() if not 0 < weight < float("inf")]:
            raise ValueError(f"Weights of {', '.join(wrong)}: set numbers above 0 (others' is 1)")
        self._entries: dict[T, Entry] = {}
        self._users: dict[str, User] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._batch = Tier()
        self._interactive = Tier()
        self._earned = (
            0  # interactive microseconds served while batch waited too, less those that batch had its part of
        )
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[T]:
        """All items, first come first."""
        return iter(self._entries)

    def __contains__(self, item: object) -> bool:
        return item in self._entries

    def add(self, item: T, *, user: str, kind: Hashable, seconds: float, interactive: bool = False) -> None:
        """Queue `item`, which is predicted to compute for `seconds`, behind its user's others of the same kind.

        Raises ValueError when the item is queued already, or `seconds` is negative or not finite.
        """
        if item in self._entries:
            raise ValueError(f"{item!r} is queued already: remove it first")
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"{item!r} is predicted to take {seconds} s: give a finite number, 0 or more")
        number = next(self._numbers)
        standing = self._join(user, number, interactive=interactive)
        queue = standing.queues.get(kind) or standing.open(kind, number)
        entry = Entry(item, number, queue, round(seconds * SECOND), standing.user.charge_of(seconds))
        self._entries[item] = entry
        standing.put(entry)

    def remove(self, item: T) -> bool:
        """Take out an item that is cancelled or expired; False when it isn't here."""
        entry = self._entries.pop(item, None)
        if entry is None:
            return False
        standing = entry.queue.standing
        standing.take_out(entry)
        if not self._batch.waiting:
            self._earned = 0
        if not standing.user.jobs:
            self._rest(standing.user)
        return True

    def serve(self, take: Callable[[T], bool]) -> None:
        """Offer items in fair order until nothing that is left may be taken.

        `take` says whether it took the item. Declining one closes its kind for this call: there is no room for its
        like. One that `take` itself removes isn't charged; what it adds may have to wait for the next call.
        """
        closed: set[Hashable] = set()
        tiers = Offers(self._interactive), Offers(self._batch)
        while self._entries and (
            queue := self._next(interactive := tiers[0].first(closed), batch := tiers[1].first(closed))
        ):
            entry = queue.head
            if not take(entry.item):
                closed.add(queue.kind)
            elif self._entries.get(entry.item) is entry:
                self._charge(entry, contested=bool(interactive and batch))
                self.remove(entry.item)

    def correct(self, user: str, seconds: float) -> None:
        """Count what the user's job really computed: `seconds` are actual less predicted ones, at most a minute."""
        owner = self._users.get(user)
        if owner is not None:
            owner.correct(seconds)
        elif seconds > 0:
            owner = self._meet(user)
            owner.correct(seconds)
            self._rest(owner)

    def queued(self, user: str) -> int:
        """How many items of this user wait."""
        return self._users[user].jobs if user in self._users else 0

    def seconds(self, user: str) -> float:
        """The predicted computing seconds of the user's items."""
        return self._users[user].micros / SECOND if user in self._users else 0.0

    def busiest(self, most: int) -> list[tuple[str, int, float]]:
        """Users with the most seconds queued, those first: name, items, seconds."""
        waiting = self._batch.waiting | self._interactive.waiting
        totals = ((name, self.queued(name), self.seconds(name)) for name in waiting)
        return nlargest(most, totals, key=lambda total: (total[2], total[1]))

    def line(self, item: T) -> Place:
        """Where `item` stands, were every kind open and nothing more to come. Raises KeyError when it isn't here.

        Others' jobs count by their mean: exact when all cost the same, weights are 1 and no user waits in both tiers.
        Takes O(users + the user's own items).
        """
        entry = self._entries[item]
        jobs, micros = _ahead_in_tier(entry)
        if entry.queue.standing.tier is self._interactive:
            others, others_micros = _sum_of(self._batch)
            between = _times(self._earned + micros, INTERACTIVE_PER_BATCH * others_micros, others)
        else:
            others, others_micros = _sum_of(self._interactive)
            missing = INTERACTIVE_PER_BATCH * (micros + entry.micros) - self._earned
            rounded_up = missing * others + others_micros - 1
            between = _times(rounded_up, others_micros * others, others)
        total = micros + between * others_micros / (others or 1)
        return Place(jobs + between + 1, total / SECOND)

    def _next(self, interactive: Queue | None, batch: Queue | None) -> Queue | None:
        if interactive and batch and self._earned >= INTERACTIVE_PER_BATCH * batch.head.micros:
            return batch
        return interactive or batch

    def _charge(self, entry: Entry, *, contested: bool) -> None:
        tier = entry.queue.standing.tier
        tier.charge(entry, next(self._numbers))
        if contested:
            self._earned += entry.micros if tier is self._interactive else -INTERACTIVE_PER_BATCH * entry.micros

    def _meet(self, name: str) -> User:
        user = self._users[name] = User(name, self._weights.get(name, 1.0))
        user.standings = [Standing(user, tier, tier.clock) for tier in (self._batch, self._interactive)]
        return user

    def _join(self, name: str, turn: int, *, interactive: bool) -> Standing:
        user = self._users.get(name) or self._meet(name)
        standing = user.standings[interactive]
        if not user.jobs:
            self._idle.pop(name, None)
            user.come_back()
        if not standing.jobs:
            standing.join(turn)
        return standing

    def _rest(self, user: User) -> None:
        """Remember an idle user, and forget such as the clock has passed: two looks for each that comes suffice."""
        self._idle[user.name] = None
        for _ in range(min(2, len(self._idle))):
            name, _none = self._idle.popitem(last=False)
            if self._users[name].passed or len(self._idle) >= IDLE_KEPT:
                self._users.pop(name).standings.clear()  # else the two would hold each other until a sweep
            else:
                self._idle[name] = None


def _sum_of(tier: Tier) -> tuple[int, int]:
    standings = tier.waiting.values()
    return sum(standing.jobs for standing in standings), sum(standing.micros for standing in standings)


def _times(part: int, whole: int, jobs: int) -> int:
    """How many of `jobs`, which are `whole` together, go into `part`; all of them when they are nothing."""
    if part < 0:
        return 0
    return min(part * jobs // whole, jobs) if whole else jobs


def _ahead_in_tier(entry: Entry) -> tuple[int, int]:
    """Jobs and microseconds served of the same tier before `entry`."""
    own = entry.queue.standing
    first = [other for q in own.queues.values() for number, other in q.entries.items() if number < entry.number]
    jobs, micros = len(first), sum(other.micros for other in first)
    start = own.start + max(0, sum(other.charge for other in first) - own.user.credit)
    for standing in own.tier.waiting.values():
        if standing is not own:
            before = _jobs_before(standing, start, tied_steps=len(first) + (standing.turn < own.turn))
            jobs += before
            micros += before * standing.micros // standing.jobs
    return jobs, micros


def _jobs_before(standing: Standing, start: int, tied_steps: int) -> int:
    """How many of a user's jobs start before another user's one does at tag `start`.

    Their job that starts at the same tag goes first when it is one of the first `tied_steps`: users who come to the
    same tags keep their order from then on, and who stands at a tag goes before those who come to it.
    """
    reach = start - standing.start
    if reach < 0:
        return 0
    if not standing.charge:
        return standing.jobs if reach else min(tied_steps, standing.jobs)
    steps, rest = divmod((reach + standing.user.credit) * standing.jobs, standing.charge)
    return min(steps + (rest > 0 or steps < tied_steps), standing.jobs)
