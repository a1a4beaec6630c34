"""A cloud and its bridge: what overflows runs there, comes home while the cloud is down, and is told of."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bus.events import AnyEvent, BridgeStatus, JobEvent
from bus.messages import Job
from bus.prices import Prices
from bus.settings import Settings
from tests.simulation.copies import like
from tests.simulation.engine import Engine

PRICES = Prices.of(Settings())
STATUS_S = 1.0
_EVENT = JobEvent(state="done", job="0", operation="sketch", at_ms=0, route="cloud", vm="rev-1")


@dataclass(frozen=True, slots=True)
class CloudSpec:
    """A cloud: seconds until it begins a job, its speed, how many it takes at a time (0 is any number), its prices.

    Between the moments of `down`, seconds, its bridge sends home what it gets.
    """

    latency_s: float = 2.0
    speed: float = 1.0
    capacity: int = 0
    down: tuple[float, float] = (0.0, 0.0)
    prices: Prices = field(default=PRICES)


class Site(Protocol):
    """Where the bridge stands."""

    engine: Engine

    def tell(self, event: AnyEvent) -> None: ...

    def work_s(self, job: Job) -> float: ...

    def began_in_cloud(self, job: Job, at_s: float) -> None: ...

    def ended_in_cloud(self, job: Job, cost: float) -> None: ...

    def sent_home(self, job: Job) -> None: ...


class SimulatedCloud:
    """One cloud, and the one bridge that leads to it."""

    def __init__(self, spec: CloudSpec, site: Site) -> None:
        self._spec = spec
        self._site = site
        self._running = 0
        self.most = 0
        """The most jobs that ran at a time."""

    def start(self) -> None:
        """Tell of itself from now on."""
        broken = self._is_down
        self._site.tell(
            BridgeStatus(
                bridge="bridge",
                state="broken" if broken else "ready",
                at_ms=0,
                in_flight=self._running,
                capacity=self._spec.capacity,
                reason="503" if broken else None,
            )
        )
        self._site.engine.after(STATUS_S, self.start)

    def take(self, job: Job) -> None:
        """A job has overflowed."""
        if self._is_down:
            self._site.sent_home(job.failed(at_ms=0, reason="503", vm="cloud"))
            self._tell(job, "retried")
            return
        self._running += 1
        self.most = max(self.most, self._running)
        ran_s = self._site.work_s(job) / self._spec.speed
        self._site.began_in_cloud(job, self._site.engine.now + self._spec.latency_s)
        self._site.engine.after(self._spec.latency_s + ran_s, self._end, job, ran_s)

    @property
    def _is_down(self) -> bool:
        start, end = self._spec.down
        return start <= self._site.engine.now < end

    def _end(self, job: Job, ran_s: float) -> None:
        self._running -= 1
        cost = self._spec.prices.job(ran_s, 2 * len(job.body))
        self._site.ended_in_cloud(job, cost)
        self._tell(job, "done", ran_ms=int(ran_s * 1000), cost=cost)

    def _tell(self, job: Job, state: Literal["done", "retried"], **more: Any) -> None:
        told = {"job": job.id, "operation": job.operation, "user": job.user, "placement": job.placement}
        self._site.tell(like(_EVENT, state=state, **told, **more))
