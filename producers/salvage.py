"""From which queues jobs are taken home now, and when that is news. Pure; times are seconds."""

from bus.topology import OPERATIONS, OVERFLOW
from producers.cloud import Cloud
from producers.commands import Collect
from producers.stranded import Stranded, Sweep
from telemetry.fleet import Fleet

TAKEOVER_S = 3.0
"""How long jobs are left in `overflow` when no bridge takes them any more: some may be in the cloud already, and would
run twice if they were taken home."""
STANDBY_S = 15.0
"""And how long while one that stands by is heard, which is to take over."""


class Salvage:
    """Looks after the queues of VMs out of use, of parked operations that are served again, and of a cloud cut off."""

    def __init__(self, fleet: Fleet, cloud: Cloud) -> None:
        self._fleet = fleet
        self._cloud = cloud
        self._stranded = Stranded()
        self._sweep = Sweep()
        self._bridgeless_from: float | None = None
        # The stranded VMs and the operations served when it was last planned.
        self._planned: tuple[frozenset[str], frozenset[str]] | None = None
        self.served: frozenset[str] = frozenset()
        """The operations that need wait parked no more, as of the latest plan."""

    @property
    def is_news(self) -> bool:
        """Whether the fleet has other VMs out of use, or serves other operations, than when it was last planned."""
        return self._planned != (self._fleet.stranded, self._fleet.served)

    def bridges(self, consumers: int, now: float, *, waiting: int) -> None:
        """So many consume `overflow`, ourselves included, and so many jobs wait there."""
        others = max(0, consumers - self._stranded.collects(OVERFLOW))
        if others:
            self._bridgeless_from = None
        elif self._bridgeless_from is None:
            self._bridgeless_from = now
        self._cloud.consumers(others, now, waiting=waiting)

    def missing(self, queue: str) -> None:
        """A queue to be collected was not there, or did not answer: it is asked for again."""
        self._stranded.missing(queue)

    def plan(self, paused: frozenset[str], now: float) -> list[Collect]:
        """What to begin and to end now; operations that are `paused` stay parked."""
        stranded, served = self._planned = self._fleet.stranded, self._fleet.served
        swept = self._sweep.now(self._cloud.served(OPERATIONS, now), now)
        self.served = (served | swept) - paused
        return [*self._stranded.plan(stranded, self.served, overflow=self._is_bridgeless(now))]

    def _is_bridgeless(self, now: float) -> bool:
        if self._bridgeless_from is None:
            return False
        patience_s = STANDBY_S if self._cloud.is_bridge_heard(now) else TAKEOVER_S
        return now - self._bridgeless_from >= patience_s
