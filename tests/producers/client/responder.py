"""A stand-in for router and VMs: takes jobs out of the lanes and answers as a test wants."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from bus.answers import Answer
from bus.messages import Job
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Delivery
from bus.replies import send_answer
from bus.topology import LANES, lane, shared

Answers = Callable[[Job], list[Answer]]


def echo(job: Job) -> list[Answer]:
    """The picture back, as it came."""
    return [Answer.to(job, content_type="image/jpeg", body=job.body, route="vm", vm="vm1", ran_ms=1)]


def twice(job: Job) -> list[Answer]:
    return echo(job) * 2


def silence(_job: Job) -> list[Answer]:
    return []


def complaint(job: Job) -> list[Answer]:
    return [Answer.refusal(job, Problem.of(Kind.NOT_AN_IMAGE, "The body begins with b'hell'."))]


@dataclass
class Responder:
    """Answers each job with `answers(job)`, or keeps it back while `holding`."""

    url: str
    answers: Answers = echo
    holding: bool = False
    seen: list[Job] = field(default_factory=list)
    held: list[tuple[Delivery, Job]] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        self.bus = Bus(self.url, name="responder", topology=shared())
        for number in range(LANES):
            await self.bus.consume(lane(number), self._on_job, prefetch=100)
        await self.bus.start(30)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.bus.close()

    def _on_job(self, delivery: Delivery) -> None:
        job = Job.from_message(delivery.message, 0)
        self.seen.append(job)
        self.held.append((delivery, job))
        if not self.holding:
            self.release()
        self._came.set()

    def release(self) -> None:
        """Answer what is held, and from now on at once."""
        self.holding = False
        for delivery, job in self.held:
            if not self.bus.is_live(delivery):
                continue  # it comes again
            for answer in self.answers(job):
                send_answer(self.bus, answer.to_message(job.reply_to or ""))
            self.bus.ack(delivery)
        self.held.clear()

    async def has_seen(self, count: int) -> None:
        """Return once `count` jobs have come."""
        while len(self.seen) < count:
            self._came.clear()
            await self._came.wait()
