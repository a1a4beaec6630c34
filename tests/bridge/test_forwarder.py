"""From `overflow` to the cloud: what is sent, what is refused, and what goes home."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.endings import now_ms
from bridge.forwarder import Forwarder
from bus.errors import Refused
from bus.settings import Settings
from bus.topology import CLOUD_TICKETS, OVERFLOW
from tests.bridge.far_side import FarSide
from tests.bridge.yard import HOME, PICTURE, SETTINGS, yard
from tests.bus.rabbit.foreign import Got, eventually, network

pytestmark = pytest.mark.broker


def slug(reply: Got) -> str:
    told: dict[str, Any] = json.loads(reply.body)
    assert told["instance"] == "urn:overspill:job:j1"
    return str(told["type"]).rpartition(":")[2]


async def test_jobs_that_may_not_go_are_answered_or_buried_and_none_is_sent(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send(headers={"deadline_ms": 1})
        assert slug(await there.reply()) == "expired"
        there.send(headers={"operation": "sharpen"})
        assert slug(await there.reply()) == "unknown-operation"
        there.send(priority=200)
        assert slug(await there.reply()) == "bad-field"
        there.send(reply_to=None)
        assert "no reply_to" in (await there.dead()).headers["reason"]
        there.send(priority=200, reply_to=None)
        assert "priority" in (await there.dead()).headers["reason"]
        assert there.far.taken == 0
        await there.all_settled()


async def test_a_local_job_is_never_sent_and_goes_home_as_it_came(
    amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send(headers={"site": "local", "attempt": 2, "params": '{"format": "png"}'}, priority=7)
        home = await there.home()
        assert (home.body, home.properties.reply_to, home.properties.correlation_id) == (PICTURE, there.replies, "c1")
        told = {name: home.headers[name] for name in ("site", "attempt", "user", "params")}
        assert told == {"site": "local", "attempt": 1, "user": "anna", "params": '{"format": "png"}'}
        assert (await there.told("retried")).reason == "the job is kept on local machines"
        assert there.far.taken == 0
        assert "not sent" in caplog.text
        await there.all_settled()


async def test_a_cancelled_job_is_not_sent(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        there.cancel()
        await eventually(lambda: len(running.bridge._cancels))
        there.send()
        assert slug(await there.reply()) == "cancelled"
        await there.all_settled()


async def test_a_job_that_the_cloud_does_not_take_goes_home_and_so_do_the_next(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(down="no route")) as there:
        await there.start()
        for number in range(6):
            there.send(message_id=f"j{number}")
        reasons = set()
        for _ in range(6):
            await there.home()
        reasons = {step.reason for step in there.steps() if step.state == "retried"}
        assert "no route" in reasons
        assert (await there.status(state="broken")).reason == "no route"
        there.send()
        await there.home()
        assert (await there.told("retried")).reason == "broken: no route"
        await there.all_settled()


async def test_jobs_that_can_not_be_sent_go_home_and_do_not_break_the_cloud(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(unsendable="a header too many")) as there:
        await there.start()
        for number in range(6):
            there.send(message_id=f"j{number}")
            await there.home()
        assert {step.reason for step in there.steps()} == {"a header too many"}
        there.far.unsendable = ""
        there.send()
        there.far.answer(await there.far.job())
        await there.reply()
        await there.all_settled()


async def test_over_budget_goes_home(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start(SETTINGS.model_copy(update={"cloud_jobs_per_minute": 1}))
        there.send()
        job = await there.far.job()
        there.send(message_id="j2")
        assert (await there.home()).properties.message_id == "j2"
        assert (await there.status(state="full")).reason == "budget spent: 1 of 1 jobs this minute"
        there.far.answer(job)
        await there.reply()
        await there.all_settled()


async def test_no_more_are_in_the_cloud_than_may_be(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        for number in range(6):
            there.send(message_id=f"j{number}")
        await there.start(SETTINGS.model_copy(update={"cloud_in_flight": 4}))
        jobs = [await there.far.job() for _ in range(4)]
        for _ in range(2):
            await there.home()
        assert there.far.taken == 4
        for job in jobs:
            there.far.answer(job)
            await there.reply()
        await there.all_settled()


def with_store(folder: Path) -> Settings:
    return SETTINGS.model_copy(update={"blobs": f"file://{folder}", "max_image_bytes": 1000})


async def test_a_picture_too_large_for_the_cloud_goes_through_the_blob_store(amqp_url: str, tmp_path: Path) -> None:
    async with yard(amqp_url, FarSide(largest_bytes=10)) as there:
        await there.start(with_store(tmp_path))
        there.send(b"a picture of more than ten bytes")
        job = await there.far.job()
        assert job.body == b""
        stowed = tmp_path / job.attributes["claim"]
        assert stowed.read_bytes() == b"a picture of more than ten bytes"
        there.far.answer(job)
        await there.reply()
        await eventually(lambda: not stowed.exists())
        await there.all_settled()


async def test_a_callers_own_claim_is_passed_on_and_stays(amqp_url: str, tmp_path: Path) -> None:
    claim = "pictures/20300131/" + 32 * "a"
    (tmp_path / claim).parent.mkdir(parents=True)
    (tmp_path / claim).write_bytes(PICTURE)
    async with yard(amqp_url) as there:
        await there.start(with_store(tmp_path))
        there.send(b"", headers={"claim": claim})
        job = await there.far.job()
        assert job.attributes["claim"] == claim
        there.far.answer(job)
        await there.reply()
        await there.all_settled()
        assert (tmp_path / claim).exists()


async def test_a_picture_too_large_for_the_cloud_goes_home_where_no_store_is(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(largest_bytes=10)) as there:
        await there.start()
        there.send(b"a picture of more than ten bytes")
        await there.home()
        assert "more than the 10" in ((await there.told("retried")).reason or "")
        await there.all_settled()


async def test_a_blob_store_that_fails_sends_the_job_home(amqp_url: str, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    async with yard(amqp_url, FarSide(largest_bytes=10)) as there:
        await there.start(with_store(in_the_way))
        there.send(b"a picture of more than ten bytes")
        await there.home()
        assert "fails (NotADirectoryError" in ((await there.told("retried")).reason or "")
        await there.all_settled()


async def test_a_connection_lost_meanwhile_neither_loses_nor_repeats_a_job(amqp_url: str) -> None:
    async with yard(amqp_url) as there, network(amqp_url) as between:
        running = await there.start(url=between.url)
        there.far.after_taking.clear()
        there.send(headers={"placement": "p1"})
        await eventually(lambda: there.far.taken)
        await eventually(lambda: running.bridge.in_flight == 1)
        between.cut()
        await eventually(lambda: not running.bus.connected)
        there.far.after_taking.set()  # the cloud has it, and its ack is lost
        between.mend()
        await running.working()
        await eventually(lambda: there.foreign.depth(OVERFLOW) == 0)
        for job in [await there.far.job() for _ in range(there.far.taken)]:
            there.far.answer(job)
        assert (await there.reply()).body == b"drawn"
        await there.all_settled()


async def test_an_ack_lost_after_the_answer_is_absorbed(amqp_url: str) -> None:
    async with yard(amqp_url) as there, network(amqp_url) as between:
        running = await there.start(url=between.url)
        await running.working()
        assert running.bridge._crew is not None
        running.bridge._crew.shift.withhold()
        there.send(headers={"placement": "p1"})
        there.far.answer(await there.far.job())
        await there.reply()
        between.cut()
        await eventually(lambda: not running.bus.connected)
        between.mend()
        await running.working()
        await asyncio.sleep(0.2)
        await there.all_settled()
        assert there.far.taken == 1


async def test_a_fault_of_ours_is_answered_by_the_router(amqp_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()

        def wrong(*_args: object) -> None:
            raise ZeroDivisionError

        running.bridge._gate.refusal = wrong  # type: ignore[method-assign, assignment]
        there.send()
        returned = await there.foreign.get("jobs.returned")
        assert returned.properties.message_id == "j1"
        assert "could not be forwarded" in caplog.text
        await there.all_settled()


async def test_a_full_lane_is_tried_again(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.endings.AGAIN_S", 0.05)
    async with yard(amqp_url) as there:
        await there.start()
        there.foreign.channel.queue_unbind(HOME, "jobs.lanes", "1")
        there.send(headers={"site": "local"})
        await asyncio.sleep(0.2)
        assert there.steps() == []
        there.foreign.channel.queue_bind(HOME, "jobs.lanes", "1")
        await there.home()
        await there.all_settled()


async def test_no_ticket_is_written_for_a_cloud_that_keeps_nothing(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(keeps=False)) as there:
        await there.start()
        there.send(headers={"placement": "p1"})
        job = await there.far.job()
        await there.told("sent")
        assert there.foreign.depth(CLOUD_TICKETS) == 0
        there.far.answer(job)
        await there.reply()
        await there.all_settled()


async def test_a_ticket_that_the_broker_refuses_sends_the_job_home(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refused.set_exception(Refused("no quorum"))
        running.bridge._queue.write = lambda ticket: refused  # type: ignore[method-assign]
        there.send()
        await there.home()
        assert (await there.told("retried")).reason == "no quorum"
        assert there.far.taken == 0
        await there.all_settled()


async def test_a_job_cancelled_while_its_ticket_is_written_is_not_sent(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        running.bridge._queue.write = lambda ticket: written  # type: ignore[method-assign]
        there.send()
        await eventually(lambda: running.bridge.in_flight)
        there.cancel()
        assert slug(await there.reply()) == "cancelled"
        written.set_result(None)
        await there.all_settled()
        assert there.far.taken == 0


async def test_a_job_cancelled_while_the_cloud_does_not_take_it_does_not_go_home(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        there.far.before_taking.clear()
        there.send()
        await eventually(lambda: running.bridge.in_flight)
        there.cancel()
        assert slug(await there.reply()) == "cancelled"
        there.far.down = "no route"
        there.far.before_taking.set()
        await there.all_settled()


@pytest.mark.parametrize("deadline_s", [None, 0.3])
async def test_a_job_with_a_ticket_that_is_not_sent_again_leaves_no_ticket(
    amqp_url: str, deadline_s: float | None
) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        there.far.before_taking.clear()
        deadline = {} if deadline_s is None else {"deadline_ms": now_ms() + int(deadline_s * 1000)}
        there.send(headers={"placement": "p1"} | deadline)
        await eventually(lambda: there.foreign.depth(OVERFLOW) == 0 and first.bridge.in_flight)
        await asyncio.sleep(0.3)
        await first.kill()
        del there.running[0]
        there.far.down = "no route"
        there.far.before_taking.set()
        await there.start(name="b2")
        if deadline_s is None:
            await there.home()
        else:
            assert slug(await there.reply()) == "expired"
        await there.all_settled()


async def test_one_that_is_closed_while_it_opens_consumes_nothing(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        crew = running.bridge._crew
        assert crew is not None
        await crew.stop_taking(1)
        again = Forwarder(crew.shift, running.bridge._queue, running.bridge._cancels, timeout_s=60)
        await asyncio.gather(again.open(32), again.close(1))
        await again.open(32)
        await eventually(lambda: there.foreign.consumers(OVERFLOW) == 0)
        assert [consumer.queue.name for consumer in running.bus._consumers] == ["", CLOUD_TICKETS]
