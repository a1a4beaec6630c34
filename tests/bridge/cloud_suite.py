"""What every Cloud must keep, as tests: a class for another cloud inherits `CloudSuite` and gives it a `Stand`.

docs/clouds.md tells the rules in words.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from bridge.cloud import Arrival, Cloud, CloudDown
from bridge.envelope import Parcel, job_parcel, read_answer
from bus.messages import Job
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.topology import OPERATIONS

PATIENCE_S = 60
PICTURE = bytes(range(256)) * 4


@dataclass(frozen=True)
class Reply:
    """What a service says to a job."""

    body: bytes = field(default=b"drawn \x00\xff", repr=False)
    content_type: str = "image/jpeg"
    vm: str = "service-00001"
    model: str = "dodge"
    ran_ms: int = 7


NOT_SERVED = "this service does not serve the operation"
BREAKS = "a passing fault"
Said = Reply | str


class Stand(ABC):
    """A cloud's far side under a test's command: one service that does with each job what `says` gives."""

    def __init__(self) -> None:
        self.says: list[Said] = []
        """What to say to each next job; then, and without any, a `Reply`."""
        self.always: Said = Reply()
        self.seen: asyncio.Queue[tuple[Job, str | None]] = asyncio.Queue()
        """Jobs and their links as they came to the service."""
        self.open = asyncio.Event()
        """While not set, the service works on without an end."""
        self.open.set()

    async def reply(self, job: Job, link: str | None) -> Said:
        self.seen.put_nowait((job, link))
        await self.open.wait()
        return self.says.pop(0) if self.says else self.always

    @abstractmethod
    def cloud(self) -> Cloud:
        """A new connection to it, not yet open."""


class Post:
    """An open cloud with its answers."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.answers = aiter(cloud.answers())

    async def send(self, ticket: str, **fields: Any) -> Parcel:
        parcel = job(ticket, **fields)
        await self.cloud.send(parcel)
        return parcel

    async def next(self) -> Arrival:
        return await asyncio.wait_for(anext(self.answers), PATIENCE_S)

    async def next_done(self) -> Arrival:
        arrival = await self.next()
        arrival.done()
        return arrival


def job(ticket: str, link: str | None = None, **fields: Any) -> Parcel:
    given = {"id": "whoever", "operation": "sketch", "body": PICTURE, "attempt": 1, **fields}
    return job_parcel(Job.model_validate(given), ticket, sent_ms=1_900_000_000_000, link=link)


@asynccontextmanager
async def opened(cloud: Cloud) -> AsyncIterator[Post]:
    await cloud.open()
    try:
        yield Post(cloud)
    finally:
        await cloud.close()


class CloudSuite:
    """The rules; subclasses give the fixture `stand`."""

    async def test_a_result_comes_back_under_its_ticket_bytes_and_all(self, stand: Stand) -> None:
        async with opened(stand.cloud()) as post:
            await post.send("ticket-1")
            arrival = await post.next_done()
        answer = read_answer(arrival.parcel)
        assert (arrival.dead, arrival.parcel.kind, answer.ticket) == (False, "answer", "ticket-1")
        assert (answer.body, answer.content_type) == (b"drawn \x00\xff", "image/jpeg")
        assert (answer.vm, answer.model, answer.ran_ms) == ("service-00001", "dodge", 7)
        assert answer.began_ms is not None

    async def test_a_problem_is_an_answer(self, stand: Stand) -> None:
        problem = Problem.of(Kind.NOT_AN_IMAGE, "The body begins with <html>.")
        stand.says = [Reply(problem.to_json(), PROBLEM_JSON)]
        async with opened(stand.cloud()) as post:
            await post.send("ticket-2")
            arrival = await post.next_done()
        answer = read_answer(arrival.parcel)
        assert (arrival.dead, answer.ticket, answer.content_type) == (False, "ticket-2", PROBLEM_JSON)
        assert Problem.model_validate_json(answer.body) == problem

    async def test_the_service_gets_all_that_the_job_is(self, stand: Stand) -> None:
        params = {"format": "png", "words": "é" * 1500, "more": ["x" * 900] * 4}
        deadline_ms = 4_000_000_000_000
        claim, link = f"pictures/20300131/{'0' * 32}", "https://blobs.example/" + "s" * 2000
        async with opened(stand.cloud()) as post:
            fields = {"params": params, "deadline_ms": deadline_ms, "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
            await post.send("ticket-3", **fields)
            await post.send("ticket-4", body=b"", claim=claim, link=link)
            came = [await stand.seen.get(), await stand.seen.get()]
            for _ in came:
                await post.next_done()
        (whole, no_link), (claimed, its_link) = sorted(came, key=lambda job_and_link: job_and_link[0].claim is not None)
        assert (whole.operation, whole.body, whole.params, no_link) == ("sketch", PICTURE, params, None)
        assert (whole.deadline_ms, whole.traceparent) == (deadline_ms, f"00-{'1' * 32}-{'2' * 16}-01")
        assert (claimed.body, claimed.claim, its_link) == (b"", claim, link)

    async def test_the_largest_body_it_claims_to_take_it_takes(self, stand: Stand) -> None:
        async with opened(stand.cloud()) as post:
            body = PICTURE * (post.cloud.largest_bytes // len(PICTURE))
            await post.send("ticket-5", body=body)
            came, _ = await stand.seen.get()
            assert read_answer((await post.next_done()).parcel).ticket == "ticket-5"
        assert len(came.body) == len(body)
        assert came.body == body

    async def test_of_many_at_once_each_comes_back_once(self, stand: Stand) -> None:
        tickets = {f"ticket-{number}" for number in range(24)}
        async with opened(stand.cloud()) as post:
            await asyncio.gather(*(post.send(ticket) for ticket in tickets))
            came = [(await post.next_done()).parcel.ticket for _ in tickets]
        assert sorted(came) == sorted(tickets)

    async def test_what_is_to_come_again_comes_again_and_what_is_done_does_not(self, stand: Stand) -> None:
        async with opened(stand.cloud()) as post:
            await post.send("ticket-6")
            (first := await post.next()).again()
            second = await post.next_done()
            await post.send("ticket-7")
            third = await post.next_done()
        assert first.parcel == second.parcel
        assert third.parcel.ticket == "ticket-7"

    async def test_a_job_that_no_service_serves_comes_back_as_it_came(self, stand: Stand) -> None:
        stand.always = NOT_SERVED
        async with opened(stand.cloud()) as post:
            sent = await post.send("ticket-8", params={"format": "png"})
            arrival = await post.next_done()
        assert (arrival.dead, arrival.parcel.kind, arrival.parcel.body) == (False, "returned", sent.body)
        assert arrival.parcel.attributes.items() >= {**sent.attributes, "kind": "returned"}.items()

    async def test_a_passing_fault_is_tried_again(self, stand: Stand) -> None:
        stand.says = [BREAKS]
        async with opened(stand.cloud()) as post:
            await post.send("ticket-9")
            arrival = await post.next_done()
        assert (arrival.dead, arrival.parcel.kind, arrival.parcel.ticket) == (False, "answer", "ticket-9")

    async def test_a_job_that_breaks_every_service_comes_back_dead(self, stand: Stand) -> None:
        stand.always = BREAKS
        async with opened(stand.cloud()) as post:
            sent = await post.send("ticket-10")
            arrival = await post.next_done()
        assert (arrival.dead, arrival.parcel.kind, arrival.parcel.body) == (True, "job", sent.body)
        assert arrival.parcel.attributes.items() >= sent.attributes.items()

    async def test_a_job_outlives_the_connection_as_far_as_is_promised(self, stand: Stand) -> None:
        stand.open.clear()
        async with opened(stand.cloud()) as post:
            sent = await post.send("ticket-11")
            await asyncio.wait_for(stand.seen.get(), PATIENCE_S)
        stand.open.set()
        async with opened(stand.cloud()) as post:
            if not post.cloud.keeps:  # then the bridge still has the job, and sends it anew
                await post.cloud.send(sent)
            assert (await post.next_done()).parcel.ticket == "ticket-11"

    async def test_answers_end_when_it_is_closed(self, stand: Stand) -> None:
        async with opened(stand.cloud()) as post:
            waiting = asyncio.create_task(post.next())
            await asyncio.sleep(0)
        with pytest.raises(StopAsyncIteration):
            await waiting

    async def test_what_is_not_open_takes_nothing(self, stand: Stand) -> None:
        cloud = stand.cloud()
        with pytest.raises(CloudDown):
            await cloud.send(job("ticket-12"))
        async with opened(cloud):
            pass
        with pytest.raises(CloudDown):
            await cloud.send(job("ticket-13"))

    async def test_it_tells_what_it_takes(self, stand: Stand) -> None:
        async with opened(stand.cloud()) as post:
            cloud = post.cloud
            room = cloud.capacity()
            assert set(cloud.operations) <= set(OPERATIONS)
            assert "sketch" in cloud.operations
            assert cloud.largest_bytes >= 1_000_000
            assert room is None or room >= 0
