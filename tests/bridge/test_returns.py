"""From the cloud to the caller: answers, jobs that come back, and what comes too late."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.envelope import CloudAnswer, Parcel
from bridge.returns import waited_ms
from bus.messages import Job
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.settings import Settings
from tests.bridge.far_side import FarSide
from tests.bridge.yard import PICTURE, SETTINGS, yard
from tests.bus.rabbit.foreign import Got, eventually, network


def problem(reply: Got) -> dict[str, Any]:
    assert reply.properties.content_type == PROBLEM_JSON
    told: dict[str, Any] = json.loads(reply.body)
    return told


def test_the_wait_ends_where_the_run_began() -> None:
    told = CloudAnswer(ticket="t", content_type="image/png", body=b"", began_ms=1_500)
    job = Job(id="j1", operation="sketch", body=b"", received_ms=1_000)
    assert waited_ms(told, job) == 500
    assert waited_ms(told, job.model_copy(update={"received_ms": 2_000})) == 0  # two machines' clocks
    assert waited_ms(told, job.model_copy(update={"received_ms": None})) is None
    assert waited_ms(told.model_copy(update={"began_ms": None}), job) is None


@pytest.mark.broker
async def test_a_problem_names_the_callers_job_and_not_its_ticket(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send(correlation_id=None)
        there.far.refuse(await there.far.job(), Problem.of(Kind.NOT_AN_IMAGE, "It is text."))
        reply = await there.reply()
        assert problem(reply)["instance"] == "urn:overspill:job:j1"
        assert (problem(reply)["detail"], reply.properties.correlation_id) == ("It is text.", "j1")
        failed = await there.told("failed")
        assert (failed.problem, failed.reason) == ("not-an-image", "It is text.")
        await there.all_settled()


@pytest.mark.broker
async def test_an_answer_that_can_not_be_sent_is_told_and_settled(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send(reply_to="gone")
        there.far.answer(await there.far.job())
        assert "gone" in ((await there.told("unanswerable")).reason or "")
        await there.status(gone=1, answered=0, in_flight=0)
        await there.all_settled()


@pytest.mark.broker
async def test_what_is_not_an_answer_does_no_harm(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send()
        job = await there.far.job()
        ticket = job.attributes["ticket"]
        for garbage in ({}, {"kind": "job", "ticket": ticket}, {"kind": "answer", "ticket": ticket, "ran_ms": "x"}):
            there.far.give(Parcel(b"?", garbage))
        there.far.give(Parcel(b"?", {"kind": "answer", "ticket": "guessed", "content_type": "text/plain"}))
        await eventually(lambda: there.far.settled == 4)
        there.far.answer(job)
        assert (await there.reply()).body == b"drawn"
        await there.all_settled()


@pytest.mark.broker
async def test_a_problem_that_can_not_be_read_is_one_all_the_same(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send()
        there.far.answer(await there.far.job(), b"{}", content_type=PROBLEM_JSON)
        assert problem(await there.reply())["type"].endswith("operation-failed")
        await there.all_settled()


@pytest.mark.broker
async def test_a_service_that_does_not_serve_an_operation_gives_it_back(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send(headers={"attempt": 2})
        there.far.return_(await there.far.job())
        home = await there.home()
        assert (home.body, home.headers["attempt"], home.properties.correlation_id) == (PICTURE, 1, "c1")
        assert (await there.told("retried")).reason == "the cloud gave it back: no weights"
        await there.status(operations=("remove-background", "caption"))
        there.send()
        await there.home()
        assert there.far.taken == 1
        await there.all_settled()


@pytest.mark.broker
async def test_a_job_given_up_is_answered_and_kept_for_the_operator(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send()
        there.far.give(await there.far.job(), dead=True)
        assert problem(await there.reply())["type"].endswith("too-many-attempts")
        dead = await there.dead()
        assert (dead.body, dead.headers["operation"]) == (PICTURE, "sketch")
        assert json.loads(dead.headers["history"])[0]["problem"] == "too-many-attempts"
        await there.all_settled()


def with_store(folder: Path, largest: int = 1000) -> Settings:
    return SETTINGS.model_copy(update={"blobs": f"file://{folder}", "max_image_bytes": largest})


@pytest.mark.broker
async def test_a_stowed_picture_comes_home_with_its_job(amqp_url: str, tmp_path: Path) -> None:
    async with yard(amqp_url, FarSide(largest_bytes=5)) as there:
        await there.start(with_store(tmp_path))
        there.send(headers={"operation": "caption"})
        there.far.return_(await there.far.job())
        home = await there.home()
        assert (home.body, "claim" in home.headers) == (PICTURE, False)
        there.send()
        there.far.give(await there.far.job(), dead=True)
        assert (await there.dead()).body == PICTURE
        await there.reply()
        await eventually(lambda: not [path for path in tmp_path.rglob("*") if path.is_file()])
        await there.all_settled()


@pytest.mark.broker
async def test_a_stowed_picture_that_is_lost_is_told(amqp_url: str, tmp_path: Path) -> None:
    async with yard(amqp_url, FarSide(largest_bytes=5)) as there:
        await there.start(with_store(tmp_path))
        there.send(headers={"operation": "caption"})
        job = await there.far.job()
        (tmp_path / job.attributes["claim"]).unlink()
        there.far.return_(job)
        assert problem(await there.reply())["type"].endswith("no-such-claim")
        there.send()
        job = await there.far.job()
        (tmp_path / job.attributes["claim"]).unlink()
        there.far.give(job, dead=True)
        assert (await there.dead()).body == b""
        await there.reply()
        await there.all_settled()


def stored(folder: Path, body: bytes) -> str:
    claim = "results/20300131/" + 32 * "b"
    (folder / claim).parent.mkdir(parents=True)
    (folder / claim).write_bytes(body)
    return claim


@pytest.mark.broker
async def test_a_result_in_the_store_is_sent_inline_where_it_fits(amqp_url: str, tmp_path: Path) -> None:
    async with yard(amqp_url) as there:
        await there.start(with_store(tmp_path))
        there.send()
        claim = stored(tmp_path, b"a result")
        there.far.answer(await there.far.job(), b"", claim=claim)
        reply = await there.reply()
        assert (reply.body, "claim" in reply.headers) == (b"a result", False)
        await eventually(lambda: not (tmp_path / claim).exists())
        await there.all_settled()


@pytest.mark.broker
async def test_a_larger_result_stays_in_the_store(amqp_url: str, tmp_path: Path) -> None:
    async with yard(amqp_url) as there:
        await there.start(with_store(tmp_path, largest=5))
        there.send(b"x")
        claim = stored(tmp_path, b"a result")
        there.far.answer(await there.far.job(), b"", claim=claim)
        reply = await there.reply()
        assert (reply.body, reply.headers["claim"]) == (b"", claim)
        assert (tmp_path / claim).exists()
        await there.all_settled()


@pytest.mark.broker
async def test_a_result_that_can_not_be_had_is_a_problem(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send()
        there.far.answer(await there.far.job(), b"", claim="results/20300131/" + 32 * "b")
        told = problem(await there.reply())
        assert told["type"].endswith("no-such-claim")
        assert "OVERSPILL_BLOBS" in told["detail"]
        await there.all_settled()


@pytest.mark.broker
async def test_an_answer_waits_for_a_store_that_fails(
    amqp_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.returns.AGAIN_AFTER_S", 0.05)
    store = tmp_path / "store"
    store.write_bytes(b"in the way")
    async with yard(amqp_url) as there:
        await there.start(with_store(store))
        there.send()
        there.far.answer(await there.far.job(), b"", claim="results/20300131/" + 32 * "b")
        await eventually(lambda: there.far.came_again > 1)
        store.unlink()
        stored(store, b"a result")
        assert (await there.reply()).body == b"a result"
        await there.all_settled()


@pytest.mark.broker
async def test_an_answer_that_comes_while_the_connection_is_lost_is_sent_after_it(amqp_url: str) -> None:
    async with yard(amqp_url) as there, network(amqp_url) as between:
        running = await there.start(url=between.url)
        there.send()
        job = await there.far.job()
        await there.told("sent")
        between.freeze()
        there.far.answer(job)
        await eventually(lambda: running.clients[0].unsettled)
        between.cut()
        await eventually(lambda: not running.bus.connected)
        between.mend()
        assert (await there.reply()).body == b"drawn"
        await eventually(lambda: there.far.settled == 1)
        await there.all_settled()


@pytest.mark.broker
async def test_an_answer_that_comes_while_its_job_is_ended_otherwise_waits_for_that(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.returns.AGAIN_AFTER_S", 0.05)
    async with yard(amqp_url) as there:
        running = await there.start()
        there.send()
        job = await there.far.job()
        await there.told("sent")
        assert running.bridge._crew is not None
        tickets = running.bridge._crew.shift.tickets
        tickets.take(job.attributes["ticket"])
        there.far.answer(job)
        await eventually(lambda: there.far.came_again > 1)
        tickets.put_back(job.attributes["ticket"])
        assert (await there.reply()).body == b"drawn"
        await there.all_settled()


@pytest.mark.broker
async def test_a_fault_of_ours_does_not_meet_the_same_answer_for_ever(
    amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()

        async def wrong(*_args: object, **_kwargs: object) -> None:
            raise ZeroDivisionError

        running.bridge._endings.answer = wrong  # type: ignore[method-assign]
        there.send()
        there.far.answer(await there.far.job())
        await eventually(lambda: there.far.settled == 1)
        await asyncio.sleep(0)
        assert "could not be dealt with" in caplog.text
