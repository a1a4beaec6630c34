"""The rule in force and the cloud, as lines when they change. Pure."""

from dataclasses import replace
from typing import Any, Final

from bus.events import BridgeStatus, JobEvent, RouterStatus
from producers.flight.recording import RecordedCloud, RecordedRouter

CIRCUMSTANCES: Final = frozenset({"slots", "behind_s", "enough_s"})
"""What a receipt's limits tell of one job and its moment: no settings."""
SLOWLY_MS: Final = 10_000
"""What a bridge estimates changes all the time: it is written this seldom, or with what really changes."""
GONE_MS: Final = 5_000
"""A bridge that is silent for so long is gone; it speaks once a second."""


class RouterLines:
    """What routers tell of how they decide."""

    def __init__(self) -> None:
        self._known: RecordedRouter | None = None

    def status(self, told: RouterStatus) -> list[RecordedRouter]:
        """Once a second; one that stands by decides nothing."""
        if not told.active:
            return []
        known = self._known
        limits = known.limits if known is not None and known.policy == told.policy else {}
        stuck = tuple(sorted(told.quarantined))
        return self._changed(RecordedRouter(told.at_ms, told.policy, limits, told.paused, told.drained, stuck))

    def routed(self, told: JobEvent) -> list[RecordedRouter]:
        """A placement tells which settings its policy read; one that asked no policy, or is cut short, does not."""
        if told.policy is None or told.state != "routed":
            return []
        limits = {name: value for name, value in told.limits.items() if name not in CIRCUMSTANCES}
        known = self._known or RecordedRouter(told.at_ms, told.policy)
        return self._changed(replace(known, at_ms=told.at_ms, policy=told.policy, limits=limits))

    def _changed(self, now: RecordedRouter) -> list[RecordedRouter]:
        if self._known is not None and replace(self._known, at_ms=now.at_ms) == now:
            return []
        self._known = now
        return [now]


class CloudLines:
    """What bridges tell of the cloud."""

    def __init__(self) -> None:
        self._known: RecordedCloud | None = None
        self._heard_ms = 0

    def status(self, told: BridgeStatus) -> list[RecordedCloud]:
        """Once a second; one that stands by holds nothing."""
        if not told.active:
            return []
        self._heard_ms = max(told.at_ms, self._heard_ms)
        now, known = _cloud(told), self._known
        if known is not None and _alike(known, now):
            return []
        self._known = now
        return [now]

    def silent(self, now_ms: int) -> list[RecordedCloud]:
        """The cloud that is gone without a word."""
        if self._known is None or self._known.state is None or now_ms - self._heard_ms < GONE_MS:
            return []
        self._known = RecordedCloud(self._heard_ms + GONE_MS, None)
        return [self._known]


def _cloud(told: BridgeStatus) -> RecordedCloud:
    return RecordedCloud(
        at_ms=told.at_ms,
        state=told.state,
        capacity=told.capacity,
        seconds=dict(told.seconds),
        money_per_day=told.money_per_day,
        jobs_per_minute=told.jobs_per_minute,
        operations=told.operations,
        largest_bytes=told.largest_bytes,
        spent_today=told.spent_today,
    )


def _alike(known: RecordedCloud, now: RecordedCloud) -> bool:
    """Whether what is known still tells enough."""
    passing: dict[str, Any] = {"at_ms": now.at_ms, "spent_today": now.spent_today}
    if now.at_ms - known.at_ms < SLOWLY_MS:
        passing |= {"capacity": now.capacity, "seconds": now.seconds}
    return replace(known, **passing) == now
