"""A job that is sent more than once, on a real broker: one run in the cloud, and an answer to each who asked."""

import pytest

from bridge import bridge as module
from bus.clock import now_ms
from tests.bridge.far_side import FarSide
from tests.bridge.yard import PICTURE, SETTINGS, Running, yard
from tests.bus.rabbit.foreign import eventually

pytestmark = pytest.mark.broker
REPEATS = 5


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.1)


async def one_waits(running: Running) -> None:
    """Until a repeat waits in this bridge."""
    await eventually(lambda: running.bridge._crew is not None and running.bridge._crew._forwarder._followers._waiting)


@pytest.mark.parametrize("keeps", [True, False])
async def test_repeats_of_a_job_in_the_cloud_are_answered_by_its_one_run(amqp_url: str, keeps: bool) -> None:
    async with yard(amqp_url, FarSide(keeps=keeps)) as there:
        await there.start(SETTINGS.model_copy(update={"cloud": "pubsub"}))
        for number in range(REPEATS):
            there.send(headers={"placement": f"p{number}"}, correlation_id=f"c{number}")
        job = await there.far.job()
        there.send(b"another picture", message_id="j2", correlation_id="c9")
        there.far.answer(await there.far.job(), b"another")  # by when those before it have been judged
        assert (await there.reply()).body == b"another"
        there.far.answer(job)
        replies = [await there.reply() for _ in range(REPEATS)]
        assert {reply.body for reply in replies} == {b"drawn"}
        assert {reply.properties.correlation_id for reply in replies} == {f"c{number}" for number in range(REPEATS)}
        there.send(headers={"placement": "later"}, correlation_id="later")
        assert (await there.reply()).properties.correlation_id == "later"
        assert there.far.taken == 2
        await eventually(lambda: [step for step in there.steps() if step.placement == "later"])
        done = [step for step in there.steps() if step.state == "done" and step.job == "j1"]
        assert {step.placement for step in done} == {*(f"p{number}" for number in range(REPEATS)), "later"}
        assert sorted(step.ran_ms or 0 for step in done) == [0] * REPEATS + [250]
        costs = sorted(step.cost or 0.0 for step in done)
        assert costs[:-1] == [0.0] * REPEATS
        assert costs[-1] > 0
        await there.all_settled()


async def test_a_repeat_of_a_job_that_came_to_nothing_is_sent_itself(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        there.send(headers={"placement": "p1", "deadline_ms": now_ms() + 60_000})
        await there.far.job()
        there.send(headers={"placement": "p2"})
        await one_waits(running)
        (first,) = running.shift.tickets.all()
        running.shift.tickets.send(first.model_copy(update={"due_ms": 1}))
        running.shift.tickets.sent(first.number)
        assert b"timed-out" in (await there.reply()).body
        there.far.answer(await there.far.job())
        assert (await there.reply()).body == b"drawn"
        await there.all_settled()


async def test_repeats_are_known_to_the_bridge_that_takes_over(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        there.send(headers={"placement": "p1"})
        job = await there.far.job()
        there.send(headers={"placement": "p2"}, correlation_id="c2")
        await one_waits(first)
        await first.kill()
        del there.running[0]
        second = await there.start(name="b2")
        await one_waits(second)
        there.far.answer(job)
        assert {(await there.reply()).properties.correlation_id for _ in range(2)} == {"c1", "c2"}
        assert there.far.taken == 1
        await there.all_settled()


async def test_more_repeats_than_may_wait_go_home(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        for number in range(REPEATS + 1):
            there.send(headers={"placement": f"p{number}"})
        assert (await there.home()).body == PICTURE
        there.far.answer(await there.far.job())
        for _ in range(REPEATS):
            assert (await there.reply()).body == b"drawn"
        await there.all_settled()
