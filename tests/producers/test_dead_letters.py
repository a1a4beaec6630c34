"""The dead queue on a real broker: looked at unchanged, sent again, taken out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest

from bus.errors import Disconnected, Refused
from bus.events import JobEvent, read_event
from bus.messages import Job, Message
from bus.rabbit import Bus, Delivery
from bus.replies import bury
from bus.topology import DEAD, DIRECT_REPLY_TO, EVENTS, LANES, Queue, Topology, lane, shared
from producers.dead_letters import DeadLetters, NoSuchLetter, NotReplayable, Outcome
from producers.letter import Letter
from tests.bus.rabbit.foreign import Foreign, Network, eventually

pytestmark = pytest.mark.broker


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Bus]:
    async with Bus(amqp_url, name="operator", topology=shared()) as bus:
        await bus.declare(Topology(queues=(Queue("replies"),)))  # anna waits there
        yield bus


@pytest.fixture
def foreign(amqp_url: str, bus: Bus) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


async def buried(bus: Bus, *jobs: str, replays: int = 0, reply_to: str = "replies") -> None:
    """Let jobs die."""
    for job in jobs:
        headers = {"user": "anna", "attempt": 3, "deadline_ms": 5, "replays": replays}
        await bury(
            bus,
            Message(b"picture of " + job.encode(), "sketch", headers, message_id=job, reply_to=reply_to),
            f"{job} failed",
        )


async def seen(bus: Bus) -> dict[str, str]:
    """The letters' ids by their jobs'."""
    return {letter.job: letter.id for letter in (await DeadLetters(bus).list()).letters}


async def in_the_lanes(bus: Bus) -> list[Message]:
    """What comes out of the lanes, acked."""
    came: list[Message] = []

    def take(delivery: Delivery) -> None:
        came.append(delivery.message)
        bus.ack(delivery)

    for number in range(LANES):
        await bus.consume(lane(number), take, prefetch=8)
    await eventually(lambda: came)
    return came


async def test_letters_are_looked_at_and_all_stay(bus: Bus, foreign: Foreign) -> None:
    await buried(bus, "a", "b", "c")
    letters = DeadLetters(bus)
    first, second = await letters.list(), await letters.list(limit=2)
    assert sorted(letter.reason for letter in first.letters) == ["a failed", "b failed", "c failed"]
    assert {letter.dead_ms is not None for letter in first.letters} == {True}
    assert (first.more, second.more, len(second.letters)) == (False, True, 2)
    await eventually(lambda: foreign.depth(DEAD) == 3)


async def test_a_letter_sent_again_is_a_job_in_a_lane_and_dead_no_more(bus: Bus) -> None:
    await buried(bus, "a", "b")
    letter = await DeadLetters(bus).replay((await seen(bus))["a"], by="o")
    (message,) = await in_the_lanes(bus)
    job = Job.from_message(message, 9)
    assert (letter.job, job.id, job.body, job.attempt, job.replays) == ("a", "a", b"picture of a", 0, 1)
    assert list(await seen(bus)) == ["b"]


async def test_it_is_not_sent_again_for_ever_unless_someone_insists(bus: Bus) -> None:
    await buried(bus, "a", replays=3)
    letter_id = (await seen(bus))["a"]
    with pytest.raises(NotReplayable, match="3 times already"):
        await DeadLetters(bus).replay(letter_id, by="o")
    assert await seen(bus) == {"a": letter_id}
    await DeadLetters(bus).replay(letter_id, by="o", force=True)
    assert await seen(bus) == {}


@pytest.mark.parametrize("reply_to", ["amq.gen-gone", f"{DIRECT_REPLY_TO}.g1h2AA"])
async def test_one_whose_reply_queue_is_gone_stays_unless_someone_insists(bus: Bus, reply_to: str) -> None:
    await buried(bus, "a", reply_to=reply_to)
    letter_id = (await seen(bus))["a"]
    with pytest.raises(NotReplayable, match=f"the reply queue {reply_to} is gone"):
        await DeadLetters(bus).replay(letter_id, by="o")
    refused = await all_of(DeadLetters(bus).replay_all([letter_id], by="o"))
    assert "is gone" in str(refused["a"])
    assert await seen(bus) == {"a": letter_id}
    assert await all_of(DeadLetters(bus).replay_all([letter_id], by="o", force=True)) == {"a": None}


async def test_a_caller_who_still_waits_on_a_queue_of_his_own_has_his_answer(bus: Bus, foreign: Foreign) -> None:
    await buried(bus, "a", reply_to=foreign.channel.queue_declare("", exclusive=True).method.queue)
    await buried(bus, "b", reply_to="amq.gen-gone")
    ids = await seen(bus)
    assert await DeadLetters(bus).gone((await DeadLetters(bus).list()).letters) == {"amq.gen-gone"}
    outcomes = await all_of(DeadLetters(bus).replay_all(ids.values(), by="o"))
    assert (outcomes["a"], "is gone" in str(outcomes["b"])) == (None, True)


async def test_letters_are_listed_in_the_order_of_their_deaths_however_they_lie(bus: Bus) -> None:
    for job, dead_ms in zip("dbca", (4, 2, 3, 1), strict=True):
        await bus.publish("", Message(b"picture", DEAD, {"dead_ms": dead_ms}, message_id=job))
    letters = DeadLetters(bus)
    for _ in range(3):
        assert [letter.job for letter in (await letters.list()).letters] == [*"abcd"]


async def test_what_is_no_job_can_only_be_taken_out(bus: Bus) -> None:
    await bury(bus, Message(b"?", "knit", message_id="a"), "no such operation")
    letter_id = (await seen(bus))["a"]
    with pytest.raises(NotReplayable, match="not an operation"):
        await DeadLetters(bus).replay(letter_id, by="o")
    assert (await DeadLetters(bus).purge(letter_id, by="o")).job == "a"
    assert await seen(bus) == {}


async def test_a_letter_that_is_not_there_is_told_so(bus: Bus) -> None:
    await buried(bus, "a")
    for ask in (DeadLetters(bus).replay, DeadLetters(bus).purge):
        with pytest.raises(NoSuchLetter):
            await ask("0" * 32, by="o")
    assert list(await seen(bus)) == ["a"]


async def test_two_pages_at_once_find_every_letter_in_the_end(bus: Bus, amqp_url: str) -> None:
    await buried(bus, *"abcdef")
    ids = await seen(bus)
    async with Bus(amqp_url, name="other", topology=shared()) as other:
        pages = (DeadLetters(bus), DeadLetters(other))
        await asyncio.gather(*(pages[n % 2].purge(ids[job], by="o") for n, job in enumerate("abcd")))
    assert sorted(await seen(bus)) == ["e", "f"]


async def test_a_connection_lost_while_they_are_looked_at_loses_none(bus: Bus, amqp_url: str) -> None:
    await buried(bus, *"abc")
    network = Network(amqp_url)
    await network.start()
    async with Bus(network.url, name="other", topology=shared()) as other:
        looking = asyncio.create_task(DeadLetters(other).list())
        await asyncio.sleep(0.01)
        network.cut()
        await asyncio.gather(looking, return_exceptions=True)
        with pytest.raises(Disconnected):
            await DeadLetters(other).replay("0" * 32, by="o")
    await network.stop()
    there: dict[str, str] = {}
    while len(there) < 3:
        there = await seen(bus)
    assert sorted(there) == ["a", "b", "c"]


async def test_what_is_around_the_sending_sees_it_fail_and_the_letter_stays(bus: Bus) -> None:
    await buried(bus, "a")
    told: list[str] = []

    @asynccontextmanager
    async def within(letter: Letter) -> AsyncIterator[None]:
        told.append(letter.job)
        try:
            yield
        except RuntimeError as error:
            told.append(str(error))
            raise

    letter_id = (await seen(bus))["a"]
    with pytest.raises(NoSuchLetter):
        await DeadLetters(bus).replay("0" * 32, by="o", within=within)
    with pytest.raises(RuntimeError):
        await DeadLetters(Refusing(bus)).replay(letter_id, by="o", within=within)
    assert (told, await seen(bus)) == (["a", "no"], {"a": letter_id})
    await DeadLetters(bus).replay(letter_id, by="o", within=within)
    assert (told, await seen(bus)) == (["a", "no", "a"], {})


async def all_of(outcomes: AsyncGenerator[Outcome, None]) -> dict[str, str | None]:
    """What became of each job."""
    return {outcome.letter.job: outcome.refused async for outcome in outcomes}


async def test_many_are_sent_again_in_one_pass_and_those_that_can_not_be_say_why(bus: Bus) -> None:
    await buried(bus, *"abc")
    await buried(bus, "tired", replays=3)
    ids = await seen(bus)
    outcomes = await all_of(DeadLetters(bus).replay_all([ids["a"], ids["c"], ids["tired"], "0" * 32], by="o"))
    assert (outcomes["a"], outcomes["c"], len(outcomes)) == (None, None, 3)
    assert "3 times already" in str(outcomes["tired"])
    assert sorted(await seen(bus)) == ["b", "tired"]
    assert await all_of(DeadLetters(bus).replay_all([ids["tired"]], by="o", force=True)) == {"tired": None}
    came = await in_the_lanes(bus)
    await eventually(lambda: len(came) == 3)


async def test_one_that_dies_again_meanwhile_is_not_sent_again_in_the_same_run(bus: Bus) -> None:
    """The lanes lead back into the dead queue here, faster than the pass over it."""
    await buried(bus, *"abcd")
    ids = await seen(bus)
    died: list[str] = []

    def die(delivery: Delivery) -> None:
        died.append(str(delivery.message.message_id))
        bury(bus, delivery.message, "it died again")
        bus.ack(delivery)

    for number in range(LANES):
        await bus.consume(lane(number), die, prefetch=8)
    run = DeadLetters(bus).replay_all(ids.values(), by="o")
    for _ in range(2):
        await anext(run)
    await eventually(lambda: len(died) == 2)
    assert len(await all_of(run)) == 2
    await eventually(lambda: len(died) == 4)
    there: dict[str, str] = {}
    while len(there) < 4:
        there = await seen(bus)
    assert sorted(died) == sorted(there) == [*"abcd"]
    assert set(there.values()).isdisjoint(ids.values())


async def test_a_pass_that_is_left_early_leaves_the_rest(bus: Bus) -> None:
    await buried(bus, *"abc")
    run = DeadLetters(bus).purge_all((await seen(bus)).values(), by="o")
    gone = (await anext(run)).letter.job
    await run.aclose()
    assert {*(await seen(bus)), gone} == {*"abc"}


async def test_letters_that_are_alike_are_as_many_as_they_are(bus: Bus) -> None:
    twin = Message(b"picture", DEAD, {"user": "anna"}, message_id="twin", reply_to="replies")
    for _ in range(3):
        await bus.publish("", twin)
    (letter_id,) = (await seen(bus)).values()
    assert len([outcome async for outcome in DeadLetters(bus).purge_all([letter_id] * 2, by="o")]) == 2
    assert list((await seen(bus)).values()) == [letter_id]


async def test_what_the_lanes_refuse_stays_and_the_others_go_on(bus: Bus) -> None:
    await buried(bus, *"ab")
    ids = (await seen(bus)).values()
    outcomes = await all_of(DeadLetters(Full(bus)).replay_all(ids, by="o"))
    assert outcomes == dict.fromkeys("ab", "The lanes don't take it: full")
    with pytest.raises(Disconnected):
        await all_of(DeadLetters(Cut(bus)).replay_all(ids, by="o"))
    assert sorted(await seen(bus)) == ["a", "b"]


async def test_what_is_done_with_a_letter_is_told(bus: Bus) -> None:
    told: list[JobEvent] = []

    def hear(delivery: Delivery) -> None:
        event = read_event(delivery.message.body)
        assert isinstance(event, JobEvent)
        told.append(event)

    await bus.listen([(EVENTS, "job.replayed.*"), (EVENTS, "job.purged.*")], hear)
    await buried(bus, "a", replays=1)
    await buried(bus, "b")
    ids = await seen(bus)
    await DeadLetters(bus).replay(ids["a"], by="anna@host")
    await DeadLetters(bus).purge(ids["b"], by="anna@host")
    await eventually(lambda: len(told) == 2)
    assert [(event.key, event.job, event.user, event.reason) for event in told] == [
        ("job.replayed.sketch", "a", "anna", "by anna@host, for the 2nd time"),
        ("job.purged.sketch", "b", "anna", "by anna@host"),
    ]


async def test_a_letter_whole_is_looked_at_and_stays(bus: Bus) -> None:
    await buried(bus, "a")
    letter_id = (await seen(bus))["a"]
    assert (await DeadLetters(bus).open(letter_id)).body == b"picture of a"
    assert await seen(bus) == {"a": letter_id}


class Full(Bus):
    """A bus whose lanes take no job."""

    def __init__(self, bus: Bus) -> None:
        self.__dict__.update(bus.__dict__)

    def publish(self, *_: object, **__: object) -> NoReturn:
        raise Refused("full")


class Cut(Full):
    """A bus whose connection goes when a job is sent."""

    def publish(self, *_: object, **__: object) -> NoReturn:
        raise Disconnected("gone")


class Refusing(Bus):
    """A bus that takes no job."""

    def __init__(self, bus: Bus) -> None:
        self.__dict__.update(bus.__dict__)

    def publish(self, *_: object, **__: object) -> NoReturn:
        raise RuntimeError("no")
