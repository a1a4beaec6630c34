"""Whether a job may go to the cloud now, and what the bridge tells routers of that. Pure.

One place weighs all that may stand against it: the breaker, the caps, what the cloud has room for and what it serves.
`refusal` and `status` rest on the same judgement, so a router that believes a status sends no job that is refused.
"""

from typing import Final, Literal, NamedTuple, Protocol, Self

from bridge.breaker import Breaker
from bridge.budget import Budget
from bus.events import BridgeStatus
from bus.prices import Prices
from bus.reach import reads_blobs
from bus.settings import Settings

SHUT_S: Final = 300.0
"""How long an operation is not sent again after a service gave a job of it back."""
_SLACK_S: Final = 60.0
"""What the bridge may be late in giving up a job that is overdue."""
MS: Final = 1000
State = Literal["ready", "full", "broken", "draining"]


class Takes(Protocol):
    """What is asked of a cloud here; `bridge.cloud.Cloud` is one."""

    @property
    def largest_bytes(self) -> int:
        """The largest body of a parcel it takes."""

    @property
    def operations(self) -> tuple[str, ...]:
        """What it can be sent."""

    def capacity(self) -> int | None:
        """Parcels it could take on top of those it has, or None when it can't tell."""


class Counts(NamedTuple):
    """What a bridge has counted since it started, for its status."""

    answered: int = 0
    gone: int = 0
    late: int = 0


class Refusal(NamedTuple):
    """Why a job may not go now, in a few words."""

    reason: str
    passes: bool = False
    """Whether it may as soon as another has come back from the cloud: nothing else stands against it."""


class _HeldBack(NamedTuple):
    """What stands against every job."""

    state: State
    reason: str
    passes: bool = False


class Gate:
    """The judgement of one bridge.

    Args:
        bridge: Its name.
        cloud: Where the jobs go.
        budget: The caps by the minute and by the day.
        breaker: Whether the cloud is able.
        most: Jobs in the cloud at a time.
        largest_claim: The largest picture in the blob store, bytes; None where the cloud can read none there.
    """

    def __init__(
        self,
        bridge: str,
        cloud: Takes,
        budget: Budget,
        breaker: Breaker,
        *,
        most: int,
        largest_claim: int | None = None,
    ) -> None:
        self.budget = budget
        self.breaker = breaker
        self.active = False
        """Whether this bridge works, or stands by."""
        self.draining = False
        self.unsure: str | None = None
        """Why it can't begin to work yet though it should."""
        self._bridge = bridge
        self._cloud = cloud
        self._most = most
        self._largest_claim = largest_claim
        self._shut_until: dict[str, float] = {}

    @classmethod
    def of(cls, settings: Settings, cloud: Takes, bridge: str) -> Self:
        """The gate of the settings' caps and prices, with a new breaker and nothing spent."""
        return cls(
            bridge,
            cloud,
            Budget(Prices.of(settings), settings.cloud_jobs_per_minute, settings.cloud_money_per_day),
            Breaker(patience_s=settings.cloud_timeout_s + _SLACK_S),
            most=settings.cloud_in_flight,
            largest_claim=settings.max_claim_bytes if reads_blobs(settings) else None,
        )

    @property
    def largest_bytes(self) -> int:
        """The largest picture that can go: in a parcel, or through the blob store."""
        return max(self._cloud.largest_bytes, self._largest_claim or 0)

    def operations(self, now: float) -> tuple[str, ...]:
        """What the cloud serves, as far as it has not given jobs back."""
        return tuple(name for name in self._cloud.operations if now >= self._shut_until.get(name, now))

    def refusal(self, operation: str, size: int | None, in_flight: int, now: float, wall_s: float) -> Refusal | None:
        """Why a job may not go now, or None when it may.

        Args:
            operation: What is to be done.
            size: Bytes of the picture; None when it lies in the blob store already.
            in_flight: Jobs in the cloud, this one not counted.
            now: Seconds of a monotonic clock.
            wall_s: Seconds since the epoch.
        """
        if not self.active:
            return Refusal("this bridge stands by")
        held = self._held_back(in_flight, now, wall_s)
        if held is not None and not held.passes:
            return Refusal(f"{held.state}: {held.reason}")
        if operation not in self.operations(now):
            return Refusal(f"the cloud does not serve {operation}")
        if misfit := self._misfit(size):
            return Refusal(misfit)
        if over := self.budget.over(self.budget.estimate(operation, size or 0), now, wall_s):
            return Refusal(over)
        return Refusal(f"{held.state}: {held.reason}", passes=True) if held else None

    def _misfit(self, size: int | None) -> str | None:
        """Why a picture can't go to this cloud in any state of it."""
        if size is None:
            return "the picture lies in a blob store that the cloud can't read" if self._largest_claim is None else None
        if size > self.largest_bytes:
            return f"{size:,} bytes are more than the {self.largest_bytes:,} the cloud takes"
        return None

    def sent(self, cost: float, now: float, wall_s: float) -> None:
        """A job goes, as `refusal` allowed; told before its sending begins, so that the next refusal counts it."""
        self.breaker.sent(now)
        self.budget.sent(cost, now, wall_s)

    def returned(self, operation: str, now: float) -> None:
        """A service gave a job back: it does not serve the operation."""
        self._shut_until[operation] = now + SHUT_S

    def state(self, in_flight: int, now: float, wall_s: float) -> State:
        """What `status` would say in one word, for less work."""
        held = self._held_back(in_flight, now, wall_s)
        return held.state if held else "ready"

    def status(self, in_flight: int, now: float, wall_s: float, counts: Counts) -> BridgeStatus:
        """What to tell routers; the arguments are those of `refusal`."""
        held, budget = self._held_back(in_flight, now, wall_s), self.budget
        return BridgeStatus(
            bridge=self._bridge,
            state=held.state if held else "ready",
            reason=held.reason if held else None,
            at_ms=int(wall_s * MS),
            active=self.active,
            in_flight=in_flight,
            capacity=max(1, self._capacity(in_flight, now)),  # 0 would tell of no limit
            sent_last_minute=budget.sent_last_minute(now),
            jobs_per_minute=budget.jobs_per_minute,
            spent_today=round(budget.spent_today(wall_s), 7),
            money_per_day=budget.money_per_day,
            spent_by_hour=budget.by_hour(),
            seconds=budget.seconds,
            operations=self.operations(now),
            largest_bytes=self.largest_bytes,
            **counts._asdict(),
        )

    def _held_back(self, in_flight: int, now: float, wall_s: float) -> _HeldBack | None:
        if self.draining:
            return _HeldBack("draining", "the bridge is stopping")
        if self.unsure is not None:
            return _HeldBack("broken", self.unsure)
        if self.breaker.state(now) == "open":
            return _HeldBack("broken", f"{self.breaker.reason}")
        if not self.operations(now):
            return _HeldBack("broken", "the cloud serves no operation")
        return self._full(in_flight, now) or self._spent(now, wall_s)

    def _full(self, in_flight: int, now: float) -> _HeldBack | None:
        if not self.breaker.may_send(now):
            return _HeldBack("full", f"one job is on trial, since the cloud failed: {self.breaker.reason}")
        if in_flight == 0 and self._cloud.capacity() == 0:
            return _HeldBack("full", "no service of the cloud is up")
        capacity = self._capacity(in_flight, now)
        is_full = in_flight >= capacity
        return _HeldBack("full", f"{in_flight} of {capacity} jobs are in the cloud", passes=True) if is_full else None

    def _spent(self, now: float, wall_s: float) -> _HeldBack | None:
        cheapest = min(self.budget.estimate(operation, 0) for operation in self.operations(now))
        over = self.budget.over(cheapest, now, wall_s)
        return _HeldBack("full", over) if over else None

    def _capacity(self, in_flight: int, now: float) -> int:
        """Jobs to have in the cloud at a time.

        Half-open it is one more than are there, and not one: those that were sent before the breaker opened are there
        until they are answered or overdue, and would keep the trial out for as long.
        """
        limits = [self._most]
        if (room := self._cloud.capacity()) is not None:
            limits.append(in_flight + room)
        if self.breaker.state(now) == "half-open":
            limits.append(in_flight + self.breaker.may_send(now))
        return min(limits)
