"""From the cloud to the caller: answers, jobs that come back, and what comes too late."""

import asyncio
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from bridge.envelope import CloudAnswer, Parcel
from bridge.returns import AT_ONCE, DELIVERIES, LARGEST_PROBLEM, may_go_home, waited_ms
from bridge.waiting_room import LEAST, WaitingRoom
from bus import replies
from bus.clock import now_ms
from bus.messages import Job
from bus.prices import Prices
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.settings import Settings
from tests.bridge.far_side import FarSide
from tests.bridge.yard import PICTURE, SETTINGS, Yard, yard
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


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.bridge.TICK_S", 0.1)


@pytest.mark.broker
async def test_problems_and_what_is_none(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send(correlation_id=None)
        there.far.refuse(await there.far.job(), Problem.of(Kind.NOT_AN_IMAGE, "It is text."))
        reply = await there.reply()
        assert problem(reply)["instance"] == "urn:overspill:job:j1"  # not its ticket
        assert (problem(reply)["detail"], reply.properties.correlation_id) == ("It is text.", "j1")
        failed = await there.told("failed")
        assert (failed.problem, failed.reason) == ("not-an-image", "It is text.")
        for unread in (b"{}", Problem.of(Kind.NOT_AN_IMAGE, LARGEST_PROBLEM * "x").to_json()):
            there.send(message_id=f"{len(unread)}")
            there.far.answer(await there.far.job(), unread, content_type=PROBLEM_JSON)
            assert problem(await there.reply())["type"].endswith("operation-failed")
        there.send(message_id="j3")
        job = await there.far.job()
        ticket, settled = job.attributes["ticket"], there.far.settled
        for garbage in ({}, {"kind": "job", "ticket": ticket}, {"kind": "answer", "ticket": ticket, "ran_ms": "x"}):
            there.far.give(Parcel(b"?", garbage))
        there.far.give(Parcel(b"?", {"kind": "answer", "ticket": "guessed", "content_type": "text/plain"}))
        await eventually(lambda: there.far.settled == settled + 4)
        there.far.answer(job)
        assert (await there.reply()).body == b"drawn"
        there.send(message_id="j4", reply_to="gone")
        there.far.answer(await there.far.job())
        assert "gone" in ((await there.told("unanswerable")).reason or "")
        await there.status(gone=1, answered=4, in_flight=0)
        await there.all_settled()


@pytest.mark.broker
async def test_what_a_service_tells_of_itself_is_believed_within_bounds(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start(SETTINGS.model_copy(update={"cloud": "pubsub"}))
        there.send()
        there.far.answer(await there.far.job(), ran_ms=10**12, vm=5000 * "v", model=5000 * "m")
        reply = await there.reply()
        assert (len(reply.headers["vm"]), len(reply.headers["model"])) == (255, 255)
        done = await there.told("done")
        assert done.vm == 255 * "v"
        assert float(reply.headers["cost"]) == done.cost
        assert float(reply.headers["cost"]) < Prices.of(Settings()).job(30.0, 1000)  # it was not there for 31 years
        await there.all_settled()


@pytest.mark.broker
async def test_problems_do_not_teach_how_long_an_operation_runs(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        there.send()
        there.far.refuse(await there.far.job(), Problem.of(Kind.NOT_AN_IMAGE, "It is text."))
        await there.reply()
        assert (await there.status(answered=1)).seconds == {}
        there.send(message_id="j2")
        there.far.answer(await there.far.job())
        await there.reply()
        assert [*(await there.status(answered=2)).seconds] == ["sketch"]
        await there.all_settled()


@pytest.mark.broker
@pytest.mark.parametrize(("own_ms", "slug"), [(None, "timed-out"), (60_000, "timed-out"), (20_000, "expired")])
async def test_no_service_begins_a_job_after_its_caller_has_an_answer(
    amqp_url: str, own_ms: int | None, slug: str
) -> None:
    async with yard(amqp_url) as there:
        await there.start(SETTINGS.model_copy(update={"cloud_timeout_s": 30}))
        before = now_ms()
        there.send(headers={} if own_ms is None else {"deadline_ms": before + own_ms})
        job = await there.far.job()
        assert 0 <= int(job.attributes["deadline_ms"]) - before - min(30_000, own_ms or 30_000) < 10_000
        there.far.refuse(job, Problem.of(Kind.EXPIRED, "The job's time to live ran out before a slot was free."))
        assert problem(await there.reply())["type"].endswith(slug)
        await there.all_settled()


@pytest.mark.broker
async def test_a_job_given_up_costs_the_time_that_it_was_there(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start(SETTINGS.model_copy(update={"cloud": "pubsub"}))
        await running.working()
        budget = running.bridge._gate.budget
        for _ in range(60):
            budget.learnt("sketch", 0.0)
        spent = 0.0
        for told in ({}, {DELIVERIES: "10"}):
            there.send()
            job = await there.far.job()
            await asyncio.sleep(0.2)
            there.far.give(Parcel(job.body, {**job.attributes, **told}), dead=True)
            await there.home()
            spent += budget.cost(0.2, 0)
            await eventually(lambda least=spent: budget.spent_today(time.time()) > least)  # type: ignore[misc]
        await there.all_settled()


@pytest.mark.broker
async def test_a_job_that_the_cloud_gives_back_goes_home(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        there.send(headers={"attempt": 2})
        job = await there.far.job()
        there.far.give(Parcel(job.body, {**job.attributes, "kind": "returned", "reason": "no room", "served": "yes"}))
        home = await there.home()
        assert (home.body, home.headers["attempt"], home.properties.correlation_id) == (PICTURE, 1, "c1")
        assert json.loads(home.headers["history"])[-1]["vm"] == "cloud"
        assert (await there.told("retried")).reason == "the cloud gave it back: no room"

        really, told = running.shift.endings.hand_home, []

        async def hand_home(*args: Any) -> Any:
            told.append(running.bridge._gate.operations(time.monotonic()))
            return await really(*args)

        running.shift.endings.hand_home = hand_home  # type: ignore[method-assign, assignment]
        there.send()  # the operation is served all the same
        there.far.return_(await there.far.job())
        await there.home()
        assert told == [("remove-background", "caption")]  # before the router has the job again
        assert (await there.told("retried")).reason == "the cloud gave it back: no weights"
        await there.status(operations=told[0])
        there.send()
        await there.home()
        assert there.far.taken == 2
        await there.all_settled()


def given_up(job: Parcel, reason: str = "it says 500") -> Parcel:
    """A job on which services failed that began it."""
    return Parcel(job.body, {**job.attributes, "reason": reason})


@pytest.mark.broker
async def test_a_job_that_nobody_is_known_to_have_begun_goes_home_once_and_its_attempt_counts(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send(headers={"attempt": 2})
        there.far.give(await there.far.job(), dead=True)
        home = await there.home()
        assert (home.body, home.headers["attempt"], home.properties.correlation_id) == (PICTURE, 2, "c1")
        last = json.loads(home.headers["history"])[-1]
        assert (last["vm"], last["problem"]) == ("cloud", "too-many-attempts")
        assert (await there.told("retried")).reason == last["reason"]

        there.send(headers={"attempt": 3, "history": home.headers["history"]})
        there.far.give(await there.far.job(), dead=True)
        told = problem(await there.reply())
        assert told["type"].endswith("too-many-attempts")
        assert told["detail"].endswith("however often it was tried.")
        dead = await there.dead()
        assert (dead.body, dead.headers["operation"]) == (PICTURE, "sketch")
        assert [each["problem"] for each in json.loads(dead.headers["history"])] == 2 * ["too-many-attempts"]
        await there.all_settled()


@pytest.mark.broker
async def test_a_job_that_services_failed_on_is_answered_and_kept_for_the_operator(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send()
        there.far.give(given_up(await there.far.job(), "it failed: it says 500"), dead=True)
        assert "the last time it failed: it says 500" in problem(await there.reply())["detail"]
        dead = await there.dead()
        assert "it says 500" in dead.headers["reason"]
        assert (dead.body, json.loads(dead.headers["history"])[0]["problem"]) == (PICTURE, "too-many-attempts")
        await there.all_settled()


def test_what_came_home_for_other_reasons_may_be_given_up_once_more() -> None:
    job = Job(id="j1", operation="sketch", body=b"")
    assert may_go_home(Parcel(b"", {}), job.failed(at_ms=1, reason="full", vm="cloud"))
    assert may_go_home(Parcel(b"", {}), job.failed(at_ms=1, reason="it died", vm="vm1", problem="too-many-attempts"))
    assert not may_go_home(Parcel(b"", {}), job.failed(at_ms=1, reason="?", vm="cloud", problem="too-many-attempts"))
    assert not may_go_home(Parcel(b"", {"reason": "it says 500"}), job)


def with_store(folder: Path, largest: int = 1000) -> Settings:
    return SETTINGS.model_copy(update={"blobs": f"file://{folder}", "max_image_bytes": largest})


@pytest.mark.broker
async def test_a_stowed_picture_comes_home_with_its_job_or_is_told_to_be_lost(amqp_url: str, tmp_path: Path) -> None:
    async with yard(amqp_url, FarSide(largest_bytes=5)) as there:
        await there.start(with_store(tmp_path))
        there.send(headers={"operation": "caption"})
        there.far.return_(await there.far.job())
        home = await there.home()
        assert (home.body, "claim" in home.headers) == (PICTURE, False)
        there.send()
        there.far.give(await there.far.job(), dead=True)
        assert (await there.home()).body == PICTURE
        there.send()
        there.far.give(given_up(await there.far.job()), dead=True)
        assert (await there.dead()).body == PICTURE
        await there.reply()
        await eventually(lambda: not [path for path in tmp_path.rglob("*") if path.is_file()])

        there.send()
        job = await there.far.job()
        (tmp_path / job.attributes["claim"]).unlink()
        there.far.give(job, dead=True)
        assert (await there.dead()).body == b""
        await there.reply()
        there.send()
        job = await there.far.job()
        (tmp_path / job.attributes["claim"]).unlink()
        there.far.return_(job)
        assert problem(await there.reply())["type"].endswith("no-such-claim")
        await there.all_settled()


def stored(folder: Path, body: bytes, name: str = "b") -> str:
    claim = "results/20300131/" + 32 * name
    (folder / claim).parent.mkdir(parents=True, exist_ok=True)
    (folder / claim).write_bytes(body)
    return claim


@pytest.mark.broker
async def test_results_travel_inline_as_far_as_a_message_holds_them(amqp_url: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    async with yard(amqp_url) as there:
        await there.start(with_store(store, largest=10))
        there.send()
        claim = stored(store, b"a result")
        there.far.answer(await there.far.job(), b"", claim=claim)
        reply = await there.reply()
        assert (reply.body, "claim" in reply.headers) == (b"a result", False)
        await eventually(lambda: not (store / claim).exists())

        there.send(message_id="j2")
        claim = stored(store, b"a larger result")
        there.far.answer(await there.far.job(), b"", claim=claim)
        reply = await there.reply()
        assert (reply.body, reply.headers["claim"]) == (b"", claim)
        assert (store / claim).exists()

        there.send(message_id="j3")  # a pool of services answers with the body as it is
        there.far.answer(await there.far.job(), b"a larger result")
        reply = await there.reply()
        assert (reply.body, (store / reply.headers["claim"]).read_bytes()) == (b"", b"a larger result")

        shutil.rmtree(store)
        store.write_bytes(b"in the way")  # an answer waits for a store that fails
        there.send(message_id="j4")
        there.far.answer(await there.far.job(), b"", claim=claim)
        await eventually(lambda: there.far.came_again > 1)
        store.unlink()
        stored(store, b"late")
        assert (await there.reply()).body == b"late"
        await there.all_settled()


@pytest.mark.broker
async def test_without_a_store_a_result_that_needs_one_is_a_problem(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start(SETTINGS.model_copy(update={"max_image_bytes": 10}))
        there.send()
        there.far.answer(await there.far.job(), b"", claim="results/20300131/" + 32 * "b")
        told = problem(await there.reply())
        assert told["type"].endswith("no-such-claim")
        assert "OVERSPILL_BLOBS" in told["detail"]
        there.send(message_id="j2")
        there.far.answer(await there.far.job(), b"a larger result")
        assert problem(await there.reply())["type"].endswith("too-many-bytes")
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
async def test_an_answer_that_comes_while_its_job_is_ended_otherwise_waits_for_that(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        there.send()
        job = await there.far.job()
        await there.told("sent")
        tickets = running.shift.tickets
        tickets.take(job.attributes["ticket"])
        there.far.answer(job)
        await eventually(lambda: there.far.came_again > 1)
        tickets.put_back(job.attributes["ticket"])
        assert (await there.reply()).body == b"drawn"
        await there.all_settled()


@pytest.mark.broker
async def test_a_fault_of_ours_meets_an_answer_once_and_leaves_no_caller_without_one(
    amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with yard(amqp_url) as there:
        running = await there.start(SETTINGS.model_copy(update={"cloud_timeout_s": 1.0}))
        await running.working()
        really = running.shift.endings.answer

        async def wrong(*_args: object, **_kwargs: object) -> None:
            running.shift.endings.answer = really  # type: ignore[method-assign]
            raise ZeroDivisionError

        running.shift.endings.answer = wrong  # type: ignore[method-assign]
        there.send()
        there.far.answer(await there.far.job())
        assert problem(await there.reply())["type"].endswith("timed-out")
        assert (there.far.settled, there.far.came_again) == (1, 0)
        assert "could not be dealt with" in caplog.text
        await there.all_settled()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds a reply queue full waits for longer than any test does, and looks often."""
    monkeypatch.setattr(replies, "_AGAIN_AFTER_S", 1000 * (0.05,))


def full_queue(there: Yard) -> str:
    """A reply queue that holds one message, and has it."""
    queue = there.foreign.queue("full", x_max_length=1, x_overflow="reject-publish")
    there.foreign.publish("", queue, b"in the way")
    return queue


@pytest.mark.broker
@pytest.mark.usefixtures("patient")
async def test_a_full_reply_queue_holds_up_nobody_elses_answers_and_loses_none(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        full, many = full_queue(there), 2 * AT_ONCE
        for number in range(many):
            there.send(reply_to=full, message_id=f"mallory {number}")
            there.far.answer(await there.far.job(), f"drawn {number}".encode())
        there.send(message_id="bob")
        there.far.answer(await there.far.job())
        assert (await there.reply()).body == b"drawn"
        came = [(await there.foreign.get(full)).body for _ in range(1 + many)]
        assert sorted(came[1:]) == sorted(f"drawn {number}".encode() for number in range(many))
        assert there.far.came_again == 0
        await there.all_settled()


@pytest.mark.broker
@pytest.mark.usefixtures("patient")
async def test_an_answer_that_may_not_even_wait_for_its_queue_comes_again(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WaitingRoom.__init__, "__defaults__", (LEAST, LEAST))
    async with yard(amqp_url) as there:
        await there.start()
        full = full_queue(there)
        for number in range(AT_ONCE + 1):
            there.send(reply_to=full, message_id=f"mallory {number}")
            there.far.answer(await there.far.job(), f"{number}".encode())
        await eventually(lambda: there.far.came_again > AT_ONCE)
        there.send(message_id="bob")
        there.far.answer(await there.far.job())
        assert (await there.reply()).body == b"drawn"
        came = {(await there.foreign.get(full)).body for _ in range(AT_ONCE + 2)}
        assert came == {b"in the way", *(f"{number}".encode() for number in range(AT_ONCE + 1))}
        await there.all_settled()


@pytest.mark.broker
@pytest.mark.usefixtures("patient")
async def test_a_job_given_up_is_buried_once_however_long_its_answer_takes(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WaitingRoom.__init__, "__defaults__", (LEAST, LEAST))
    async with yard(amqp_url) as there:
        await there.start()
        full = full_queue(there)
        for number in range(2):
            there.send(reply_to=full, message_id=f"mallory {number}")
            there.far.give(given_up(await there.far.job()), dead=True)
        assert {(await there.dead()).properties.message_id for _ in range(2)} == {"mallory 0", "mallory 1"}
        came = [(await there.foreign.get(full)).properties.correlation_id for _ in range(3)]
        assert came[1:] == 2 * ["c1"]
        assert there.far.came_again == 0
        await there.all_settled()


@pytest.mark.broker
async def test_a_job_given_up_whose_caller_takes_nothing_leaves_one_letter(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.replies._AGAIN_AFTER_S", ())
    async with yard(amqp_url) as there:
        await there.start()
        there.send(reply_to=full_queue(there), message_id="j1")
        there.far.give(given_up(await there.far.job()), dead=True)
        assert (await there.dead()).properties.message_id == "j1"
        await there.told("unanswerable")
        await there.all_settled()
        assert there.foreign.taken("dead") is None


@pytest.mark.broker
@pytest.mark.usefixtures("patient")
async def test_how_long_a_caller_takes_is_not_how_long_the_cloud_takes(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        full, learnt = full_queue(there), list[float]()

        def learn(_operation: str, seconds: float, _ran_s: float | None = None) -> None:
            learnt.append(seconds)

        running.bridge._gate.budget.learnt = learn  # type: ignore[method-assign, assignment]
        there.send(reply_to=full)
        job = await there.far.job()
        sent_s = time.monotonic()
        there.far.answer(job)
        await asyncio.sleep(1.0)
        held_up_s = time.monotonic() - sent_s
        await there.foreign.get(full)
        assert (await there.foreign.get(full)).body == b"drawn"
        await eventually(lambda: learnt)
        assert learnt[0] < held_up_s
        await there.all_settled()
