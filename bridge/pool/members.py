"""Which service of an HTTP pool gets the next job, and which is left alone for a while. Pure: `now` is in seconds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bus.topology import OPERATIONS

LONGEST_REST_S: Final = 60.0
WAITING_PER_SLOT: Final = 2
"""Jobs a service is sent for each of its slots: one to run, and one to begin the moment that one ends."""


@dataclass(slots=True, eq=False)
class Member:
    """One service. It is `up` once it has said so on /ready, and until it fails; then it rests, ever longer."""

    url: str
    named: frozenset[str]
    """The operations that the settings give it."""
    rest_s: float = 1.0
    """Its first rest; doubled with each failure in a row."""
    up: bool = False
    why: str | None = "has not been reached yet"
    not_served: frozenset[str] = frozenset()
    slots: int | None = None
    in_flight: int = 0
    last_used: float = 0.0
    rests_until: float = 0.0
    failures: int = 0
    looked: float = 0.0

    @property
    def load(self) -> float:
        """Jobs it has from us, for each of its slots."""
        return self.in_flight / (self.slots or 1)

    def offers(self, operation: str) -> bool:
        """Whether it serves an operation, as far as is known, now or once it is up again."""
        return operation in self.named and operation not in self.not_served

    def wants_look(self, now: float, every_s: float) -> bool:
        """Whether it is time to ask it for its /ready: every so often, and as soon as its rest is over."""
        return now >= (self.looked + every_s if self.up else self.rests_until)

    def ready(self, operations: Iterable[str], slots: int | None) -> None:
        """It said on /ready that it is, what it serves, and how many jobs it runs at a time (None: not told)."""
        self.up, self.why = True, None
        self.not_served, self.slots = self.named - frozenset(operations), slots

    def lost(self, operation: str) -> None:
        """It said that it does not serve an operation after all."""
        self.not_served |= {operation}

    def answered(self) -> None:
        """It did what it is there for: the next failure is again the first."""
        self.failures = 0

    def failed(self, why: str, now: float) -> None:
        """It failed. What was under way on it fails with it: only the first of those prolongs its rest."""
        if self.up or self.rests_until <= now:
            self.failures += 1
            self.rests_until = now + min(LONGEST_REST_S, self.rest_s * 2 ** min(self.failures - 1, 16))
        self.up, self.why = False, why

    def refused(self, why: str, now: float, retry_after_s: float | None) -> None:
        """It took no job: it is busy or goes away, which is no failure. It told when to ask again, or not."""
        self.up, self.why = False, why
        self.rests_until = max(self.rests_until, now + min(LONGEST_REST_S, max(self.rest_s, retry_after_s or 0.0)))


@dataclass(slots=True)
class Members:
    """The services of a pool."""

    all: Sequence[Member] = field(default_factory=tuple)

    @classmethod
    def of(cls, services: Iterable[tuple[str, str]], rest_s: float = 1.0) -> "Members":
        """From pairs of operation (empty for all of them) and address; an address named twice is one service."""
        named: dict[str, frozenset[str]] = {}
        for operation, url in services:
            named[url] = named.get(url, frozenset()) | (frozenset({operation}) if operation else frozenset(OPERATIONS))
        return cls(tuple(Member(url, operations, rest_s) for url, operations in named.items()))

    @property
    def operations(self) -> tuple[str, ...]:
        """What somebody offers."""
        return tuple(operation for operation in OPERATIONS if any(member.offers(operation) for member in self.all))

    def next(self, operation: str, tried: Mapping[str, int]) -> Member | None:
        """The one to send a job to: the least tried with it (`tried`: address -> times), then the least busy."""
        usable = [member for member in self.all if member.up and member.offers(operation)]
        return min(usable, key=lambda m: (tried.get(m.url, 0), m.load, m.last_used), default=None)

    def room(self) -> int | None:
        """How many jobs more they would take; None when one of them did not tell its slots."""
        up = [member for member in self.all if member.up]
        if any(member.slots is None for member in up):
            return None
        return sum(max(0, WAITING_PER_SLOT * (member.slots or 0) - member.in_flight) for member in up)

    def troubles(self, operation: str) -> str:
        """Why nobody takes an operation, service by service."""
        told = (_trouble(member, operation) for member in self.all if operation in member.named)
        return "; ".join(told) or f"no address in OVERSPILL_CLOUD_SERVICES is for {operation}"


def _trouble(member: Member, operation: str) -> str:
    return f"{member.url} {member.why if member.offers(operation) else f'does not serve {operation}'}"
