"""A cloud and its bridge: what overflows runs there, comes home while the cloud is down, and is told of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from bus.copies import like
from bus.events import AnyEvent, BridgeStatus, JobEvent
from bus.messages import Job
from bus.prices import Prices
from producers.simulation.engine import Engine

PRICES: Final = Prices(2 * 0.000_024 + 4 * 0.000_002_5, 0.000_000_4, 80.0 / 2**40)
"""Two processors and 4 GiB at the settings' prices."""
STATUS_S: Final = 1.0
_EVENT = JobEvent(state="done", job="0", operation="sketch", at_ms=0, route="cloud", vm="rev-1")


@dataclass(frozen=True, slots=True)
class CloudSpec:
    """A cloud: seconds until it begins a job, its speed, how many it takes at a time (0 is any number), its prices.

    Between the moments of each of `downs`, seconds, its bridge sends home what it gets; between those of `absent`
    there is no bridge. The rest is what its bridge tells.
    """

    latency_s: float = 2.0
    speed: float = 1.0
    capacity: int = 0
    downs: tuple[tuple[float, float], ...] = ()
    absent: tuple[tuple[float, float], ...] = ()
    prices: Prices = field(default=PRICES)
    seconds: Mapping[str, float] = field(default_factory=dict)
    money_per_day: float | None = None
    jobs_per_minute: int | None = None
    operations: tuple[str, ...] = ()
    largest_bytes: int = 0
    spent_before: float = 0.0
    """US dollars that count against a day's cap already."""


class Site(Protocol):
    """Where the bridge stands."""

    engine: Engine

    @property
    def now_ms(self) -> int:
        """The time, Unix epoch."""
        ...

    def tell(self, event: AnyEvent) -> None:
        """Send an event on its way."""
        ...

    def work_s(self, job: Job) -> float:
        """What a job takes on a VM of speed 1."""
        ...

    def cloud_s(self, job: Job) -> float | None:
        """What it takes in the cloud, as far as that is known."""
        ...

    def began_in_cloud(self, job: Job, at_s: float) -> None:
        """The cloud begins a job then."""
        ...

    def ended_in_cloud(self, job: Job, ran_s: float, cost: float) -> None:
        """The cloud has answered a job."""
        ...

    def sent_home(self, job: Job) -> None:
        """A job comes back without having run."""
        ...


class SimulatedCloud:
    """One cloud, and the one bridge that leads to it."""

    def __init__(self, spec: CloudSpec, site: Site) -> None:
        self._spec = spec
        self._site = site
        self._running = 0
        self._spent = spec.spent_before
        self._word: BridgeStatus | None = None
        self.most = 0
        """The most jobs that ran at a time."""

    @property
    def bridges(self) -> int:
        """How many consume `overflow` now."""
        return 0 if _within(self._spec.absent, self._site.engine.now) else 1

    def start(self) -> None:
        """Tell of itself from now on."""
        self._site.engine.after(STATUS_S, self.start)
        if not self.bridges:
            return
        broken, spec = self._is_down, self._spec
        self._word = self._word or BridgeStatus(
            bridge="bridge",
            state="ready",
            at_ms=0,
            capacity=spec.capacity,
            money_per_day=spec.money_per_day,
            jobs_per_minute=spec.jobs_per_minute,
            seconds=dict(spec.seconds),
            operations=spec.operations,
            largest_bytes=spec.largest_bytes,
        )
        state = {"state": "broken", "reason": "503"} if broken else {"state": "ready", "reason": None}
        self._word = like(
            self._word, in_flight=self._running, at_ms=self._site.now_ms, spent_today=self._spent, **state
        )
        self._site.tell(self._word)

    def take(self, job: Job) -> None:
        """A job has overflowed."""
        if self._is_down or not self.bridges:
            self._site.sent_home(job.failed(at_ms=self._site.now_ms, reason="503", vm="cloud"))
            self._tell(job, "retried")
            return
        self._running += 1
        self.most = max(self.most, self._running)
        told_s, now = self._site.cloud_s(job), self._site.engine.now
        ran_s = self._site.work_s(job) / self._spec.speed if told_s is None else told_s
        self._site.began_in_cloud(job, now + self._spec.latency_s)
        self._tell(job, "sent", cost=self._cost(job, ran_s))
        self._site.engine.after(self._spec.latency_s + ran_s, self._end, job, ran_s)

    @property
    def _is_down(self) -> bool:
        return _within(self._spec.downs, self._site.engine.now)

    def _cost(self, job: Job, ran_s: float) -> float:
        return self._spec.prices.job(ran_s, 2 * len(job.body))

    def _end(self, job: Job, ran_s: float) -> None:
        self._running -= 1
        cost = self._cost(job, ran_s)
        self._spent += cost
        self._site.ended_in_cloud(job, ran_s, cost)
        self._tell(job, "done", ran_ms=int(ran_s * 1000), cost=cost)

    def _tell(self, job: Job, state: Literal["sent", "done", "retried"], **more: Any) -> None:
        told = {"job": job.id, "operation": job.operation, "user": job.user, "placement": job.placement}
        self._site.tell(like(_EVENT, state=state, at_ms=self._site.now_ms, **told, **more))


def _within(spans: tuple[tuple[float, float], ...], now: float) -> bool:
    return any(start <= now < end for start, end in spans)
