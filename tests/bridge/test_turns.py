"""Who goes to the cloud, who waits for room there, and for how long."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from bridge import turns as module
from bridge.checks import GoHome, Refuse, Wait
from bridge.shift import Shift
from bridge.tickets import Ticket
from bridge.turns import Again, Follow, Go, Join, Settle, Turns
from bus.answers import Answer
from bus.control import Cancel
from bus.messages import Job
from bus.rabbit import Bus
from bus.topology import Topology
from consumers.cancels import Cancels
from tests.bridge.test_shift import shift
from tests.bridge.test_tickets import NOW, ticket

FULL = 32
"""Jobs that may be in the cloud at a time."""


@pytest.fixture
def there(tmp_path: Path) -> Shift:
    """A shift of a bridge that works, on no broker."""
    made, _ = shift(Bus("amqp://localhost", name="test", topology=Topology()), tmp_path)
    made.gate.active = True
    return made


def job(n: int = 100, **fields: Any) -> Job:
    return ticket(n, **fields).job


def fill(there: Shift, count: int = FULL) -> list[Ticket]:
    """So many jobs are in the cloud."""
    sent = [ticket(n) for n in range(count)]
    for each in sent:
        there.tickets.send(each)
    return sent


def comes_back(there: Shift, turns: Turns, ended: Ticket) -> None:
    there.tickets.end(ended.number)
    turns.look()


async def test_a_claimed_picture_that_the_cloud_cannot_read_goes_home(there: Shift) -> None:
    claimed = job(body=b"", claim="pictures/20300131/" + 32 * "a")
    assert await Turns(there, Cancels()).next(claimed) == GoHome(
        "the picture lies in a blob store that the cloud can't read"
    )


async def test_what_need_not_wait_is_told_at_once(there: Shift) -> None:
    cancels = Cancels()
    turns = Turns(there, cancels)
    assert await turns.next(job()) == Go(None)
    before = ticket(1, placement="p1")
    there.tickets.send(before)
    assert await turns.next(job(placement="p1")) == Go(before)
    there.cloud.keeps = False
    assert await turns.next(job(placement="p1")) == Join(before)
    there.cloud.keeps = True
    there.tickets.take(before.number)
    assert await turns.next(job(placement="p1")) == Join(before)
    there.tickets.end(before.number)
    assert await turns.next(job(placement="p1")) == Settle()
    there.memory.sent.add("p2")
    assert await turns.next(job(placement="p2")) == Settle()
    cancels.remember(Cancel(job="j100", user="anna"), NOW)
    assert isinstance(await turns.next(job()), Refuse)


async def test_a_job_waits_for_room_and_those_behind_it_keep_their_order(there: Shift) -> None:
    turns, sent, gone = Turns(there, Cancels()), fill(there), []

    async def go(n: int) -> None:
        assert await turns.next(job(n)) == Go(None)
        there.tickets.send(ticket(n))
        gone.append(n)

    going = [asyncio.create_task(go(n)) for n in (101, 102, 103)]
    await asyncio.sleep(0.01)
    assert gone == []
    comes_back(there, turns, sent[0])
    await going[0]
    assert gone == [101]
    comes_back(there, turns, sent[1])
    comes_back(there, turns, sent[2])
    late = asyncio.create_task(go(104))
    await asyncio.gather(*going)
    comes_back(there, turns, sent[3])
    await late
    assert gone == [101, 102, 103, 104]


async def test_a_job_waits_no_longer_than_makes_sense(there: Shift, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(there, Cancels())
    fill(there)
    monkeypatch.setattr(module, "WAIT_S", 0.05)
    assert await turns.next(job()) == Wait("full: 32 of 32 jobs are in the cloud")
    monkeypatch.setattr(module, "WAIT_S", 60.0)
    there.moved_s -= 60.0  # nothing has come back for a minute: nothing will in the next seconds
    assert isinstance(await turns.next(job()), Wait)


async def test_more_jobs_than_can_be_held_do_not_wait(there: Shift) -> None:
    turns, sent = Turns(there, Cancels()), fill(there)
    waiting = [asyncio.create_task(turns.next(job(200 + n))) for n in range(module.MOST)]
    await asyncio.sleep(0.01)
    assert isinstance(await turns.next(job()), Wait)
    assert [each.done() for each in waiting] == [False] * module.MOST
    comes_back(there, turns, sent[0])
    assert await asyncio.gather(*waiting) == [Go(None)] * module.MOST


async def test_a_bridge_that_stops_keeps_nobody_waiting(there: Shift) -> None:
    turns = Turns(there, Cancels())
    fill(there)
    waiting = [asyncio.create_task(turns.next(job(200 + n))) for n in range(3)]
    await asyncio.sleep(0.01)
    there.gate.draining = True
    turns.look()
    assert await asyncio.gather(*waiting) == [GoHome("draining: the bridge is stopping")] * 3


async def test_what_nobody_tells_is_looked_for(there: Shift, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    turns, sent = Turns(there, Cancels()), fill(there)
    waiting = asyncio.create_task(turns.next(job()))
    await asyncio.sleep(0.005)
    there.tickets.end(sent[0].number)
    assert await waiting == Go(None)


async def test_a_repeat_follows_the_job_that_is_in_the_cloud_and_is_answered_as_it_was(there: Shift) -> None:
    turns = Turns(there, Cancels())
    picture = {"body": b"a picture", "correlation_id": "c1"}
    first, again = job(1, placement="p1", **picture), job(1, placement="p2", **picture | {"correlation_id": "c2"})
    go = await turns.next(first)
    assert isinstance(go, Go)
    sent = ticket(1, placement="p1").model_copy(update={"key": go.key})
    there.tickets.send(sent)
    assert await turns.next(again) == Follow(go.key)
    for other in ({"body": b"another"}, {"user": "ben"}, {"id": "j2"}, {"params": {"format": "png"}}):
        assert await turns.next(again.model_copy(update=other)) == Go(None)
    there.tickets.take(sent.number)
    assert await turns.next(again) == Follow(go.key)  # its answer is on its way
    answer = Answer.to(first, content_type="image/png", body=b"drawn")
    there.memory.answers.keep(go.key, answer, time.monotonic())
    there.tickets.end(sent.number)
    assert await turns.next(again) == Again(answer)
    late = again.model_copy(update={"deadline_ms": 1})
    assert await turns.next(late) == Again(answer)
    assert await turns.next(again.model_copy(update={"site": "local"})) == GoHome("the job is kept on local machines")


async def test_a_repeat_of_what_came_to_nothing_is_sent(there: Shift) -> None:
    turns, first = Turns(there, Cancels()), job(1, placement="p1", body=b"a picture")
    go = await turns.next(first)
    assert isinstance(go, Go)
    there.tickets.send(ticket(1, placement="p1").model_copy(update={"key": go.key}))
    assert isinstance(await turns.next(first), Go)  # the same placement once more: its own ticket is not to be followed
    there.tickets.end(ticket(1).number)
    assert await turns.next(job(1, placement="p2", body=b"a picture")) == Go(None)
