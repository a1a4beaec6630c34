"""What each user has used, and whose turn it is by that: the tags, clocks and heaps under `fairness`. Pure.

Tags and clocks are whole microseconds: ties are exact, and sums don't drift however long a router runs.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any

SECOND = 1_000_000
MOST_CORRECTED_S = 60.0
"""What one correction counts at most, and what corrections may weigh on a user who comes back, in computing seconds."""


@dataclass(slots=True, eq=False)
class User:
    """While a user waits their tags only grow: a heap may hold a tag that is too small, never one that is too large."""

    name: str
    weight: float
    debt: int = 0  # corrections against them since they were last served; the tags hold it
    credit: int = 0  # corrections in their favour, taken off the next charges
    standings: "list[Standing]" = field(default_factory=list)  # of batch, of interactive

    @property
    def jobs(self) -> int:
        """How many wait."""
        return self.standings[0].jobs + self.standings[1].jobs

    @property
    def micros(self) -> int:
        """The predicted microseconds of those that wait."""
        return self.standings[0].micros + self.standings[1].micros

    @property
    def passed(self) -> bool:
        """Whether coming back as a stranger would put them where they are: at the clock of each tier they were in."""
        for standing in [standing for standing in self.standings if standing.joined] or self.standings:
            if standing.tag - self.credit > standing.tier.clock:
                return False
        return True

    def charge_of(self, seconds: float) -> int:
        """What their tags go up for so many seconds."""
        return round(seconds * SECOND / self.weight)

    def pay(self, charge: int, turn: int) -> None:
        """Charge a job that is served; from now on they stand behind those who came to the same tag before."""
        spared = min(self.credit, charge)
        self.credit -= spared
        self.debt = 0
        for standing in self.standings:
            standing.tag += charge - spared
            standing.turn = turn

    def correct(self, seconds: float) -> None:
        """Charge more at once, or less from the next job on: a tag that went down would be lost in the heaps."""
        most = self.charge_of(MOST_CORRECTED_S)
        balance = self.credit - max(-most, min(self.charge_of(seconds), most))
        self.credit = max(0, min(balance, most))
        if balance < 0:
            self.debt -= balance
            self._move(-balance)

    def come_back(self) -> None:
        """Settle the corrections that came while they were away; only now, being in no heap, may their tags go down."""
        forgiven = max(0, self.debt - self.charge_of(MOST_CORRECTED_S))
        self.debt -= forgiven
        self._move(-forgiven - self.credit)
        self.credit = 0

    def _move(self, by: int) -> None:
        for standing in self.standings:
            standing.tag += by


@dataclass(slots=True, eq=False)
class Standing:
    """A user in a tier, and what waits: jobs, predicted microseconds, and what will be charged for those."""

    user: User
    tier: "Tier"
    tag: int
    turn: int = 0  # who came to the same tag first goes first
    joined: bool = False
    jobs: int = 0
    micros: int = 0
    charge: int = 0
    queues: "dict[Hashable, Queue]" = field(default_factory=dict)

    @property
    def start(self) -> int:
        """The tag of their next job. Who lags, because their kinds were closed, starts at the clock like the idle."""
        return max(self.tag, self.tier.clock)

    def join(self, turn: int) -> None:
        """Begin to wait, at the clock: nothing was saved up."""
        self.tag = self.start
        self.turn, self.joined = turn, True
        self.tier.waiting[self.user.name] = self

    def open(self, kind: Hashable, number: int) -> "Queue":
        """A new queue; `number` tells it from all others."""
        queue = self.queues[kind] = Queue(self, kind)
        self.tier.lines.setdefault(kind, Line()).push(queue, number)
        return queue

    def put(self, entry: "Entry") -> None:
        """Add to the end of the entry's queue."""
        entry.queue.entries[entry.number] = entry
        self.jobs += 1
        self.micros += entry.micros
        self.charge += entry.charge

    def take_out(self, entry: "Entry") -> None:
        """Undo `put`, and drop what stands empty then."""
        queue = entry.queue
        del queue.entries[entry.number]
        self.jobs -= 1
        self.micros -= entry.micros
        self.charge -= entry.charge
        if not queue.entries:
            del self.queues[queue.kind]
            self.tier.emptied(queue.kind)
        if not self.queues:
            self.tier.left(self.user.name)


@dataclass(slots=True, eq=False)
class Queue:
    """The entries of one user, tier and kind, by their numbers, first come first served."""

    standing: Standing
    kind: Hashable
    entries: "OrderedDict[int, Entry]" = field(default_factory=OrderedDict)

    @property
    def head(self) -> "Entry":
        """The next to be served."""
        return next(iter(self.entries.values()))

    @property
    def rank(self) -> tuple[int, int, int]:
        """What the kinds' first queues are compared by. No two are equal, and while they wait it only grows."""
        standing = self.standing
        return standing.start, standing.turn, next(iter(self.entries))


@dataclass(slots=True, eq=False)
class Entry:
    """An item that waits; entries are numbered as they come. Any: whose item it is knows its type."""

    item: Any
    number: int
    queue: Queue
    micros: int
    charge: int


class Line:
    """The queues of one tier and kind, smallest tag first; tags in the heap are mended when they come to its top."""

    __slots__ = ("_emptied", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, Queue]] = []
        self._emptied = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def push(self, queue: Queue, number: int) -> None:
        """List a queue that is about to be filled."""
        heappush(self._heap, (queue.standing.tag, queue.standing.turn, number, queue))

    def head(self) -> Queue:
        """The queue with the smallest tag. There is one as long as the line is true."""
        while True:
            tag, turn, number, queue = self._heap[0]
            standing = queue.standing
            if not queue.entries:
                heappop(self._heap)
                self._emptied -= 1
            elif tag == standing.tag and turn == standing.turn:
                return queue
            else:
                heapreplace(self._heap, (standing.tag, standing.turn, number, queue))

    def emptied(self) -> None:
        """Note that a queue ran empty: once these are half of the heap, it is rid of them."""
        self._emptied += 1
        if self._emptied * 2 > len(self._heap):
            self._heap = [listed for listed in self._heap if listed[3].entries]
            self._emptied = 0
            heapify(self._heap)


@dataclass(slots=True, eq=False)
class Tier:
    """Interactive or batch: its users who wait, by name, and a line for each kind."""

    clock: int = 0
    finish: int = 0
    waiting: dict[str, Standing] = field(default_factory=dict)
    lines: dict[Hashable, Line] = field(default_factory=dict)

    def charge(self, entry: Entry, turn: int) -> None:
        """Serve an entry: the clock goes on to where it started."""
        standing = entry.queue.standing
        self.clock = standing.tag = standing.start
        standing.user.pay(entry.charge, turn)
        self.finish = max(self.finish, standing.tag)

    def emptied(self, kind: Hashable) -> None:
        """Note that a queue of `kind` ran empty."""
        line = self.lines[kind]
        line.emptied()
        if not line:
            del self.lines[kind]

    def left(self, name: str) -> None:
        """Note that nothing of a user waits any more."""
        del self.waiting[name]
        if not self.waiting:
            self.clock = max(self.clock, self.finish)  # the busy period ends: all who were served in it are even


class Offers:
    """The first queues of a tier's kinds, for one call: each is looked at again only when it comes to the top."""

    __slots__ = ("_heap", "_tier")

    def __init__(self, tier: Tier) -> None:
        self._tier = tier
        self._heap = [(line.head().rank, kind) for kind, line in tier.lines.items()]
        heapify(self._heap)

    def first(self, closed: set[Hashable]) -> Queue | None:
        """The queue whose head is next, of the kinds that aren't closed."""
        while self._heap:
            rank, kind = self._heap[0]
            line = self._tier.lines.get(kind)
            if line is None or kind in closed:
                heappop(self._heap)
                continue
            queue = line.head()
            if len(self._heap) == 1 or rank == (now := queue.rank):
                return queue
            heapreplace(self._heap, (now, kind))
        return None
