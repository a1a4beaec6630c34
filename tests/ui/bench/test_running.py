"""A bench on a real broker, against a stand-in that answers as a test wants."""

import asyncio
from dataclasses import replace

import pytest

from bus.answers import Answer
from bus.messages import Job
from producers.client import AsyncClient
from tests.producers.client.responder import Answers, Responder, complaint, echo, silence, twice
from ui.bench.mix import mix_of, users_of
from ui.bench.pictures import made
from ui.bench.running import Bench, Order, Ran
from ui.bench.schedule import Load
from ui.bench.search import Step

pytestmark = pytest.mark.broker

LOAD = Load(100, "constant", mix_of("sketch"), users_of(3, "equal"), 8, jobs=20)
ORDER = Order(LOAD, made(0.01), {"sketch": {"style": "charcoal"}}, {"priority": 7, "site": "local"})


def quiet(*_told: object) -> None:
    """Nobody looks."""


async def ran(url: str, answers: Answers, order: Order = ORDER) -> tuple[Ran, list[Job]]:
    async with Responder(url, answers) as responder, AsyncClient(url) as client:
        return await Bench(client, asyncio.Event(), quiet).run(order), responder.seen


async def test_jobs_are_sent_as_ordered_and_their_answers_counted(amqp_url: str) -> None:
    done, seen = await ran(amqp_url, echo)
    figures = done.figures
    assert (figures.offered, figures.good, figures.problems, figures.duplicates) == (20, 20, {}, 0)
    assert len(done.latencies) == 20
    assert {job.user for job in seen} <= {"bench-1", "bench-2", "bench-3"}
    assert {(job.operation, job.priority, job.site, job.params["style"]) for job in seen} == {
        ("sketch", 7, "local", "charcoal")
    }
    assert {job.body for job in seen} <= {picture.body for picture in ORDER.pictures}


async def test_what_goes_wrong_is_counted_by_what_it_is(amqp_url: str) -> None:
    def by_turns(job: Job) -> list[Answer]:
        number = turns.pop()
        return [complaint, silence, twice, wrong, echo][number % 5](job)

    def wrong(job: Job) -> list[Answer]:
        return [Answer.to(job, content_type="image/jpeg", body=b"none", route="vm")]

    turns = list(range(20))
    order = replace(ORDER, timeout_s=0.2)
    figures = (await ran(amqp_url, by_turns, order))[0].figures
    assert figures.problems == {"not-an-image": 4, "wrong-answer": 4}
    assert (figures.good, figures.lost, figures.duplicates) == (8, 4, 4)


async def test_a_search_ends_where_nothing_is_answered_well(amqp_url: str) -> None:
    told: list[Step] = []
    load = replace(LOAD, rate=100, for_s=0.2, jobs=None)
    async with Responder(amqp_url, complaint), AsyncClient(amqp_url) as client:
        steps, found = await Bench(client, asyncio.Event(), quiet).search(replace(ORDER, load=load), 1.0, told.append)
    assert [(step.rate, step.answered) for step in steps] == [(100, False)]
    assert told == steps
    assert found.figures.good == 0


async def test_stopped_in_a_search_it_tells_of_the_step_it_was_in(amqp_url: str) -> None:
    stop = asyncio.Event()
    stop.set()
    async with AsyncClient(amqp_url) as client:
        steps, found = await Bench(client, stop, quiet).search(ORDER, 1.0, quiet)
    assert len(steps) == 1
    assert found.figures.good == 0
