"""A shift's beginning and end, in order, on a real broker."""

import asyncio

import pytest

from bus.topology import CLOUD_TICKETS, OVERFLOW
from tests.bridge.far_side import FarSide
from tests.bridge.yard import Yard, yard
from tests.bus.rabbit.foreign import eventually

pytestmark = pytest.mark.broker


async def _sent(there: Yard, count: int) -> None:
    await eventually(lambda: len([step for step in there.steps() if step.state == "sent"]) == count)


async def test_a_bridge_that_stops_finishes_what_is_in_hand(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        await first.working()
        there.far.before_taking.clear()
        for number in range(20):
            there.send(message_id=f"j{number}")
        await eventually(lambda: first.bridge.in_flight == 8)
        stopping = asyncio.create_task(first.stop())
        await there.status(state="draining")
        there.far.before_taking.set()
        await stopping
        # What was in hand went; what came after the order to stop went home, or waits for the next bridge.
        home, waiting = there.foreign.depth("home") or 0, there.foreign.depth(OVERFLOW) or 0
        assert there.far.taken == 8
        assert home + waiting == 12
        assert there.foreign.depth(CLOUD_TICKETS) == 8 + 1
        assert there.far.clients == 0


async def test_a_cloud_that_keeps_nothing_is_waited_for(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(keeps=False)) as there:
        first = await there.start()
        for number in range(2):
            there.send(message_id=f"j{number}")
        jobs = [await there.far.job() for _ in range(2)]
        await _sent(there, 2)
        stopping = asyncio.create_task(first.stop())
        await there.status(state="draining")
        for job in jobs:
            there.far.answer(job)
        await stopping
        assert {(await there.reply()).headers["job"] for _ in jobs} == {"j0", "j1"}
        await there.all_settled()


async def test_what_a_cloud_that_keeps_nothing_had_is_sent_by_the_next_bridge(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(keeps=False)) as there:
        first = await there.start()
        there.send(headers={"placement": "p1"})
        await there.far.job()
        await _sent(there, 1)
        await first.kill()
        del there.running[0]
        await there.start(name="b2")
        there.far.answer(await there.far.job())
        assert (await there.reply()).body == b"drawn"
        await there.all_settled()


async def test_two_deliveries_of_one_placement_are_one_job_there_and_end_together(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(keeps=False)) as there:
        running = await there.start()
        await running.working()
        for _ in range(2):
            there.send(headers={"placement": "p1"})
        there.far.answer(await there.far.job())
        await there.reply()
        await there.all_settled()
        assert there.far.taken == 1


async def test_a_cloud_that_keeps_nothing_is_not_waited_for_in_vain(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.bridge.GRACE_S", 0.1)
    async with yard(amqp_url, FarSide(keeps=False)) as there:
        first = await there.start()
        there.send()
        await there.far.job()
        await _sent(there, 1)
        await first.stop()
        await eventually(lambda: there.foreign.depth(OVERFLOW) == 1)
