"""A cloud without a network: a far side that outlives bridges, and clients that connect to it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from functools import partial
from typing import Final

from bridge.cloud import CloudDown, Unsendable
from bridge.envelope import Parcel, answer_parcel, read_job, returned_parcel
from bus.answers import Answer
from bus.errors import SetupError
from bus.problems import Problem
from bus.topology import OPERATIONS
from tests.bus.rabbit.foreign import eventually

AGAIN_S: Final = 0.05
"""When a parcel comes again that could not be dealt with."""


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class FarSide:
    """The cloud's own memory, and a test's hands on it."""

    keeps: bool = True
    largest_bytes: int = 100_000
    operations: tuple[str, ...] = OPERATIONS
    down: str = ""
    """Why it takes nothing, while it is set."""
    unsendable: str = ""
    """Why it does not take the next parcel, while it is set."""
    wrong: str = ""
    """Why it can never work, while it is set."""
    jobs: list[Parcel] = field(default_factory=list)
    """What was taken and has not been answered."""
    taken: int = 0
    results: deque[tuple[Parcel, bool]] = field(default_factory=deque)
    """What waits to be pulled; whether each is dead."""
    came_again: int = 0
    settled: int = 0
    clients: int = 0
    before_taking: asyncio.Event = field(default_factory=_set)
    after_taking: asyncio.Event = field(default_factory=_set)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def job(self) -> Parcel:
        """The next job that a bridge has sent, taken out."""
        await eventually(lambda: bool(self.jobs))
        return self.jobs.pop(0)

    def give(self, parcel: Parcel, *, dead: bool = False) -> None:
        """Have a parcel pulled by whoever is connected."""
        self.results.append((parcel, dead))
        self.news.set()

    def answer(self, job: Parcel, body: bytes = b"drawn", **headers: object) -> Parcel:
        """A service did the job; returns the answer, to be given once more perhaps."""
        told, _ = read_job(job)
        began_ms = (told.received_ms or 0) + 40
        known: dict[str, object] = {"vm": "rev-1", "model": "test", "ran_ms": 250} | headers
        answer = Answer.to(told, **{"content_type": "image/png", "body": body, **known})  # type: ignore[arg-type]
        parcel = answer_parcel(answer, began_ms)
        self.give(parcel)
        return parcel

    def refuse(self, job: Parcel, problem: Problem) -> None:
        """A service found fault with the job."""
        told, _ = read_job(job)
        self.give(answer_parcel(Answer.refusal(told, problem)))

    def return_(self, job: Parcel) -> None:
        """A service does not serve the operation."""
        self.give(returned_parcel(job, "no weights"))


class Client:
    """One bridge's cloud: `bridge.cloud.Cloud` as its protocol says. What it has not settled goes back when it ends."""

    def __init__(self, far: FarSide) -> None:
        self.far = far
        self.keeps = far.keeps
        self.largest_bytes = far.largest_bytes
        self.operations = far.operations
        self.unsettled: list[Pulled] = []
        self.sent: list[Parcel] = []
        self.is_open = False
        self.ended = False

    async def open(self) -> None:
        assert not self.is_open
        if self.far.wrong:
            raise SetupError(self.far.wrong)
        self.is_open = True
        self.far.clients += 1

    async def send(self, parcel: Parcel) -> None:
        assert self.is_open
        await self.far.before_taking.wait()
        if self.far.unsendable:
            raise Unsendable(self.far.unsendable)
        if self.far.down:
            raise CloudDown(self.far.down)
        self.far.jobs.append(parcel)
        self.far.taken += 1
        self.sent.append(parcel)
        await self.far.after_taking.wait()

    async def answers(self) -> AsyncIterator["Pulled"]:
        while True:
            while not (self.ended or (self.far.results and self.is_open)):
                self.far.news.clear()
                await self.far.news.wait()
            if self.ended:
                return
            pulled = Pulled(*self.far.results.popleft(), client=self)
            self.unsettled.append(pulled)
            yield pulled

    def capacity(self) -> int | None:
        return None

    async def close(self) -> None:
        self.drop()

    def drop(self) -> None:
        """The connection is gone: what was not settled goes to the next client; a cloud that keeps nothing forgets."""
        if not self.is_open:
            return
        self.is_open = False
        self.far.clients -= 1
        for pulled in self.unsettled:
            self.far.give(replaced(pulled.parcel), dead=pulled.dead)
        self.unsettled.clear()
        if not self.keeps:
            self.far.jobs = [job for job in self.far.jobs if job not in self.sent]


@dataclass(eq=False)
class Pulled:
    """`bridge.cloud.Arrival`."""

    parcel: Parcel
    dead: bool
    client: Client

    def done(self) -> None:
        if self._settle():
            self.client.far.settled += 1

    def again(self) -> None:
        if self._settle():
            self.client.far.came_again += 1
            give = partial(self.client.far.give, self.parcel, dead=self.dead)
            asyncio.get_running_loop().call_later(AGAIN_S, give)

    def _settle(self) -> bool:
        if not self.client.is_open:
            return False
        self.client.unsettled.remove(self)
        return True
