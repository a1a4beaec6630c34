"""A bench on a broker: its client, its pictures, and what is told on the way."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from producers.client import AsyncClient, Options
from ui.bench.figures import Figures, Seen, figures_of, latencies
from ui.bench.generator import generate
from ui.bench.histogram import Times
from ui.bench.replies import Picture, reply_of
from ui.bench.schedule import Due, Load, schedule
from ui.bench.search import Step, best, next_rate, step_of
from ui.bench.tally import Reply, Tally

_GRACE_S: Final = 3.0
"""Waited past a job's time to live: the problem that it ran out says more than silence."""
_TELL_EVERY_S: Final = 0.5

Tell = Callable[[Tally, float], None]
"""Told now and then how it goes, and the seconds since the bench began."""


@dataclass(frozen=True, slots=True)
class Order:
    """A bench: what is asked, of which pictures, and how answers are judged.

    `params` are by operation; a job without an answer within `timeout_s` seconds is lost. The first `warm_up_s` seconds
    of `load` are not counted. `seed` makes the same schedule again.
    """

    load: Load
    pictures: list[Picture] = field(repr=False)
    params: Mapping[str, Mapping[str, Any]]
    options: Options
    warm_up_s: float = 0.0
    timeout_s: float = 60.0
    check: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a bench: its figures, and all the latencies they are from."""

    figures: Figures
    latencies: Times


class Bench:
    """Runs orders through one client, whose jobs bear the names of many users."""

    def __init__(self, client: AsyncClient, stop: asyncio.Event, tell: Tell) -> None:
        """`stop` ends sending and waiting at once; `tell` hears twice a second how it goes."""
        self._client = client
        self._stop = stop
        self._tell = tell

    async def run(self, order: Order) -> Ran:
        """Send the jobs, wait for their ends, and give the figures."""
        tally = Tally(order.warm_up_s)
        telling = asyncio.create_task(self._keep_telling(tally))
        duplicates, strangers = self._client.duplicates, self._client.strangers
        dues = schedule(order.load, random.Random(order.seed).random)  # noqa: S311 (no secret)
        try:
            await generate(dues, self._sender(order), tally, self._stop, order.load.for_s)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        seen = Seen(
            duplicates=self._client.duplicates - duplicates, strangers=self._client.strangers - strangers, cpu=tally.cpu
        )
        return Ran(figures_of(tally, seen), latencies(tally))

    async def search(self, order: Order, slo_s: float, told: Callable[[Step], None]) -> tuple[list[Step], Ran]:
        """Try rates until the highest one that the system holds is known; gives the steps, and what came of the best.

        Each is as `order`, at a rate of its own, once all jobs of the one before have ended.
        """
        steps: list[Step] = []
        ran: dict[float, Ran] = {}
        rate = next_rate(steps, order.load.rate)
        while rate is not None and not (steps and self._stop.is_set()):
            ran[rate] = await self.run(replace(order, load=replace(order.load, rate=rate)))
            if steps and self._stop.is_set():
                break  # a step cut short says nothing
            steps.append(step_of(rate, ran[rate].figures, slo_s))
            told(steps[-1])
            rate = next_rate(steps, order.load.rate)
        found = best(steps) or steps[-1]
        return steps, ran[found.rate]

    def _sender(self, order: Order) -> Callable[[Due], Any]:
        timeout_s = order.timeout_s + _GRACE_S

        async def send(due: Due) -> Reply:
            picture = order.pictures[due.picture]
            options: Options = {**order.options, "expiration_s": order.timeout_s, "user": due.user}
            params = order.params[due.operation]
            outcome = await self._client.outcome(picture.body, due.operation, params, timeout_s, **options)
            return reply_of(outcome, picture if order.check else None)

        return send

    async def _keep_telling(self, tally: Tally) -> None:
        began_s = time.monotonic()
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            self._tell(tally, time.monotonic() - began_s)
