"""From `overflow` to the cloud: what is sent, what is refused, and what goes home."""

import asyncio
import json
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.forwarder import Forwarder
from bus.clock import now_ms
from bus.errors import Refused
from bus.settings import Settings
from bus.topology import CLOUD_TICKETS, OVERFLOW
from tests.bridge.far_side import Client, FarSide
from tests.bridge.yard import HOME, PICTURE, SETTINGS, yard
from tests.bus.rabbit.foreign import Got, eventually, network

pytestmark = pytest.mark.broker


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.bridge.TICK_S", 0.1)


def slug(reply: Got, job: str = "j1") -> str:
    told: dict[str, Any] = json.loads(reply.body)
    assert told["instance"] == f"urn:overspill:job:{job}"
    return str(told["type"]).rpartition(":")[2]


async def test_jobs_that_may_not_go_are_answered_or_buried_and_none_is_sent(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
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
        await running.working()
        there.cancel()
        await eventually(lambda: len(running.bridge._cancels))
        there.send()
        assert slug(await there.reply()) == "cancelled"
        assert there.far.taken == 0
        await there.all_settled()


async def test_a_local_job_is_never_sent_and_goes_home_as_it_came(
    amqp_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.endings.AGAIN_S", 0.05)
    async with yard(amqp_url) as there:
        await there.start()
        there.foreign.channel.queue_unbind(HOME, "jobs.lanes", "1")  # a lane that takes nothing for a while
        there.send(headers={"site": "local", "attempt": 2, "params": '{"format": "png"}'}, priority=7)
        await eventually(lambda: "trying again" in caplog.text)
        assert there.steps() == []
        there.foreign.channel.queue_bind(HOME, "jobs.lanes", "1")
        home = await there.home()
        assert (home.body, home.properties.reply_to, home.properties.correlation_id) == (PICTURE, there.replies, "c1")
        told = {name: home.headers[name] for name in ("site", "attempt", "user", "params")}
        assert told == {"site": "local", "attempt": 1, "user": "anna", "params": '{"format": "png"}'}
        assert (await there.told("retried")).reason == "the job is kept on local machines"
        assert there.far.taken == 0
        assert "not sent" in caplog.text
        await there.all_settled()


async def test_jobs_that_the_cloud_does_not_take_go_home_and_once_it_is_broken_so_do_the_next(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(unsendable="a header too many")) as there:
        await there.start()
        for number in range(6):
            there.send(message_id=f"j{number}")
            await there.home()
        assert {step.reason for step in there.steps()} == {"a header too many"}
        there.far.unsendable = ""
        there.send(message_id="j10")
        there.far.answer(await there.far.job())  # what could not be sent says nothing of the cloud
        await there.reply()
        there.far.down = "no route"
        for number in range(10):
            there.send(message_id=f"j{number}")
        homes = [json.loads((await there.home()).headers["history"])[-1] for _ in range(10)]
        assert {told["vm"] for told in homes} == {"cloud"}  # so the router does not send them straight back
        assert "no route" in {told["reason"] for told in homes}
        assert (await there.status(state="broken")).reason == "no route"
        there.send()
        await there.home()
        assert (await there.told("retried")).reason == "broken: no route"
        await there.all_settled()


async def test_what_may_have_gone_all_the_same_keeps_its_price(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(unsendable="a header too many")) as there:
        running = await there.start(SETTINGS.model_copy(update={"cloud": "pubsub"}))
        there.send()
        await there.home()
        budget = running.bridge._gate.budget
        assert budget.spent_today(time.time()) == 0
        there.far.unsendable, there.far.down = "", "no answer in time"
        there.send()
        await there.home()
        assert budget.spent_today(time.time()) == pytest.approx(budget.estimate("sketch", len(PICTURE)))
        await there.all_settled()


async def test_a_ticket_that_nobody_confirms_sends_its_job_home(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.forwarder.CONFIRM_S", 0.05)
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        unconfirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        running.bridge._queue.write = lambda ticket: unconfirmed  # type: ignore[method-assign]
        there.send()
        await there.home()
        assert (await there.told("retried")).reason == "the broker has not confirmed a ticket in 0.05 s"
        assert there.far.taken == 0
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


async def test_no_more_are_in_the_cloud_than_may_be_and_the_next_waits_for_room(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with yard(amqp_url) as there:
        for number in range(6):
            there.send(message_id=f"j{number}")
        await there.start(SETTINGS.model_copy(update={"cloud_in_flight": 4}))
        jobs = [await there.far.job() for _ in range(4)]
        assert (await there.status(state="full")).reason == "4 of 4 jobs are in the cloud"
        there.far.answer(jobs.pop())
        await there.reply()
        jobs.append(await there.far.job())
        assert there.far.taken == 5
        monkeypatch.setattr("bridge.turns.WAIT_S", 0.0)
        assert (await there.home()).properties.message_id == "j5"
        assert (await there.told("retried")).reason == "full: 4 of 4 jobs are in the cloud"
        for job in jobs:
            there.far.answer(job)
            await there.reply()
        await there.all_settled()


async def test_who_waits_for_room_when_the_connection_is_lost_comes_again(amqp_url: str) -> None:
    async with yard(amqp_url) as there, network(amqp_url) as between:
        running = await there.start(SETTINGS.model_copy(update={"cloud_in_flight": 1}), url=between.url)
        there.send()
        job = await there.far.job()
        await there.told("sent")
        there.send(message_id="j2", headers={"placement": "p2"})
        await eventually(lambda: running.bridge._crew and running.bridge._crew._forwarder._turns._waiting)
        between.cut()
        await eventually(lambda: not running.bus.connected)
        between.mend()
        await running.working()
        there.far.answer(job)
        there.far.answer(await there.far.job())
        assert {(await there.reply()).headers["job"] for _ in range(2)} == {"j1", "j2"}
        await there.all_settled()
        assert there.far.taken == 2


def with_store(folder: Path) -> Settings:
    return SETTINGS.model_copy(update={"blobs": f"file://{folder}", "max_image_bytes": 1000})


async def test_pictures_too_large_for_the_cloud_go_through_the_blob_store(amqp_url: str, tmp_path: Path) -> None:
    store, claim = tmp_path / "store", "pictures/20300131/" + 32 * "a"
    (store / claim).parent.mkdir(parents=True)
    (store / claim).write_bytes(PICTURE)
    async with yard(amqp_url, FarSide(largest_bytes=10)) as there:
        await there.start(with_store(store))
        there.send(b"a picture of more than ten bytes")
        job = await there.far.job()
        assert job.body == b""
        stowed = store / job.attributes["claim"]
        assert stowed.read_bytes() == b"a picture of more than ten bytes"
        there.far.answer(job)
        await there.reply()
        await eventually(lambda: not stowed.exists())

        there.send(b"", headers={"claim": claim})  # a caller's own is passed on, and stays
        job = await there.far.job()
        assert job.attributes["claim"] == claim
        there.far.answer(job)
        await there.reply()

        there.far.unsendable = "a header too many"  # what was stowed in vain does not stay
        there.send(b"a picture of more than ten bytes", message_id="j2")
        assert (await there.home()).body == b"a picture of more than ten bytes"
        await eventually(lambda: [path for path in store.rglob("*") if path.is_file()] == [store / claim])

        shutil.rmtree(store)
        store.write_bytes(b"in the way")
        there.send(b"a picture of more than ten bytes", message_id="j2")
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
        running.shift.withhold()
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


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_fault_of_ours_is_answered_by_the_router_and_by_nobody_else(
    amqp_url: str, caplog: pytest.LogCaptureFixture, keeps: bool
) -> None:
    def wrong(*_args: object) -> None:
        raise ZeroDivisionError

    async def wrong_later(*_args: object) -> None:
        wrong()

    async with yard(amqp_url, FarSide(keeps=keeps)) as there:
        running = await there.start()
        await running.working()
        there.send()
        client, endings, gate = running.clients[0], running.shift.endings, running.bridge._gate
        there.far.answer(await there.far.job())
        await there.reply()

        client.send = wrong_later  # type: ignore[method-assign, assignment]
        there.send(message_id="sending", headers={"placement": "p1"})
        assert (await there.foreign.get("jobs.returned")).properties.message_id == "sending"
        assert running.bridge.in_flight == 0

        there.far.down = "no route"
        client.send = partial(Client.send, client)  # type: ignore[method-assign]
        endings.hand_home = wrong_later  # type: ignore[method-assign, assignment]
        there.send(message_id="going home", headers={"placement": "p2"})
        assert (await there.foreign.get("jobs.returned")).properties.message_id == "going home"

        gate.refusal = wrong  # type: ignore[method-assign, assignment]
        there.send(message_id="judged", headers={"placement": "p3"})
        assert (await there.foreign.get("jobs.returned")).properties.message_id == "judged"
        assert "could not be forwarded" in caplog.text
        await there.all_settled()


async def test_a_fault_of_ours_after_the_job_was_answered_is_nothing(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        sending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def send(_parcel: object) -> None:
            await sending

        running.clients[0].send = send  # type: ignore[method-assign, assignment]
        there.send()
        await eventually(lambda: running.bridge.in_flight)
        there.cancel()
        assert slug(await there.reply()) == "cancelled"
        sending.set_exception(ZeroDivisionError())
        await there.all_settled()
        assert there.foreign.depth("jobs.returned") == 0


async def test_no_ticket_is_written_for_a_cloud_that_keeps_nothing(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(keeps=False, largest_bytes=10)) as there:
        await there.start()
        there.send(headers={"placement": "p1"})
        job = await there.far.job()
        await there.told("sent")
        assert there.foreign.depth(CLOUD_TICKETS) == 0
        there.far.answer(job)
        await there.reply()
        there.send(b"a picture of more than ten bytes")  # and no store is there
        await there.home()
        assert "more than the 10" in ((await there.told("retried")).reason or "")
        await there.all_settled()


async def test_a_job_may_end_otherwise_while_it_is_being_sent(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        loop, queue = asyncio.get_running_loop(), running.bridge._queue
        really = queue.write

        refused: asyncio.Future[None] = loop.create_future()
        refused.set_exception(Refused("no quorum"))
        queue.write = lambda ticket: refused  # type: ignore[method-assign]
        there.send()
        await there.home()
        assert (await there.told("retried")).reason == "no quorum"

        written: asyncio.Future[None] = loop.create_future()
        queue.write = lambda ticket: written  # type: ignore[method-assign]
        there.send(message_id="j2")
        await eventually(lambda: running.bridge.in_flight)
        there.cancel("j2")
        assert slug(await there.reply(), "j2") == "cancelled"
        written.set_result(None)
        assert there.far.taken == 0

        queue.write = really  # type: ignore[method-assign]
        there.far.before_taking.clear()
        there.send(message_id="j3")
        await eventually(lambda: running.bridge.in_flight)
        there.cancel("j3")
        assert slug(await there.reply(), "j3") == "cancelled"
        there.far.down = "no route"
        there.far.before_taking.set()
        await there.all_settled()
        assert there.far.taken == 0


@pytest.mark.parametrize("deadline_s", [None, 3.0])
async def test_a_job_with_a_ticket_that_is_not_sent_again_leaves_no_ticket(
    amqp_url: str, deadline_s: float | None
) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        there.far.before_taking.clear()
        deadline_ms = now_ms() + int((deadline_s or 0.3) * 1000)
        deadline = {} if deadline_s is None else {"deadline_ms": deadline_ms}
        there.send(headers={"placement": "p1"} | deadline)
        await eventually(lambda: there.foreign.depth(OVERFLOW) == 0 and first.bridge.in_flight)
        await asyncio.sleep(max(0.0, deadline_ms - now_ms()) / 1000)  # taken in time, and overdue when it is sent again
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
