"""The bridge on a real broker: every job that overflows ends in one answer, whatever dies on the way."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge import bridge as module
from bridge.breaker import Breaker
from bridge.bridge import serve_bridge
from bridge.spending import last_word
from bus.errors import BusError, OverspillError, SetupError
from bus.events import BridgeStatus
from bus.topology import CLOUD_TICKETS, CONTROL, OVERFLOW
from tests.bridge.far_side import Client, FarSide
from tests.bridge.yard import PICTURE, SETTINGS, Running, yard
from tests.bus.rabbit.foreign import eventually, network

pytestmark = pytest.mark.broker


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.1)


async def test_a_job_is_sent_answered_and_told(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send(headers={"params": '{"format": "png"}', "placement": "p1"})
        job = await there.far.job()
        assert job.body == PICTURE
        assert not {"user", "reply_to", "correlation_id", "j1", "anna"} & {*job.attributes, *job.attributes.values()}
        there.far.answer(job)
        reply = await there.reply()
        assert (reply.body, reply.properties.content_type, reply.properties.correlation_id) == (
            b"drawn",
            "image/png",
            "c1",
        )
        told = {name: reply.headers[name] for name in ("job", "route", "vm", "model", "attempt", "ran_ms")}
        assert told == {"job": "j1", "route": "cloud", "vm": "rev-1", "model": "test", "attempt": 1, "ran_ms": 250}
        assert reply.headers["waited_ms"] >= 40
        done = await there.told("done")
        assert (done.placement, done.route, done.vm, done.ran_ms) == ("p1", "cloud", "rev-1", 250)
        assert [step.state for step in there.steps()] == ["sent", "done"]
        status = await there.status(answered=1)
        assert (status.state, status.active, status.in_flight, status.late) == ("ready", True, 0, 0)
        await there.all_settled()


async def test_an_answer_that_comes_again_is_late_and_not_sent_twice(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send()
        answer = there.far.answer(await there.far.job())
        await there.reply()
        there.far.give(answer)
        await there.status(late=1)
        await there.all_settled()
        assert (there.far.settled, there.far.came_again) == (2, 0)


def _at_delivery(running: Running, never: "asyncio.Future[None]", _far: FarSide) -> None:
    running.bridge._queue.write = lambda ticket: never  # type: ignore[method-assign]


def _before_sending(_running: Running, _never: "asyncio.Future[None]", far: FarSide) -> None:
    far.before_taking.clear()


def _before_the_ack(_running: Running, _never: "asyncio.Future[None]", far: FarSide) -> None:
    far.after_taking.clear()


def _in_the_cloud(_running: Running, _never: "asyncio.Future[None]", _far: FarSide) -> None:
    pass


def _before_the_reply(running: Running, never: "asyncio.Future[None]", _far: FarSide) -> None:
    async def answer(*_args: Any, **_kwargs: Any) -> None:
        await never

    running.shift.endings.answer = answer  # type: ignore[method-assign]


def _after_the_reply(running: Running, never: "asyncio.Future[None]", _far: FarSide) -> None:
    really = running.shift.endings.answer

    async def answer(*args: Any, **kwargs: Any) -> None:
        await really(*args, **kwargs)
        await never

    running.shift.endings.answer = answer  # type: ignore[method-assign]


Step = Callable[[Running, "asyncio.Future[None]", FarSide], None]


@pytest.mark.parametrize("step", [_at_delivery, _before_sending, _before_the_ack, _in_the_cloud])
async def test_a_bridge_killed_while_it_sends_is_followed_by_another(amqp_url: str, step: Step) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        await first.working()
        await there.start(name="b2")
        step(first, asyncio.get_running_loop().create_future(), there.far)
        there.send(headers={"placement": "p1"})
        reached: dict[Step, Callable[[], object]] = {
            _at_delivery: lambda: there.running[0].bridge.in_flight,
            _before_sending: lambda: _held(first),
            _before_the_ack: lambda: there.far.taken,
            _in_the_cloud: lambda: "sent" in {event.state for event in there.steps()},
        }
        await eventually(reached[step])
        await first.kill()
        there.far.before_taking.set()
        there.far.after_taking.set()
        await eventually(lambda: there.running[1].bridge.active)
        twice = step is _before_the_ack
        for job in [await there.far.job() for _ in range(1 + twice)]:
            there.far.answer(job)
        assert (await there.reply()).body == b"drawn"
        if twice:  # the cloud was given it twice, under one number: the second answer goes no further
            await there.status("b2", late=1)
        del there.running[0]
        await there.all_settled()


def _held(running: Running) -> bool:
    crew = running.bridge._crew
    return crew is not None and any(crew.shift.tickets._held.values())


@pytest.mark.parametrize(("step", "answers"), [(_before_the_reply, 1), (_after_the_reply, 2)])
async def test_a_bridge_killed_while_it_answers_is_followed_by_another(amqp_url: str, step: Step, answers: int) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        await first.working()
        await there.start(name="b2")
        step(first, asyncio.get_running_loop().create_future(), there.far)
        there.send()
        there.far.answer(await there.far.job())
        await eventually(lambda: first.clients[0].unsettled)
        replies = [await there.reply()] if answers == 2 else []
        await first.kill()
        replies.append(await there.reply())
        # What died between the reply and the ack can't be known: the caller knows a repeat by its job.
        assert [(reply.headers["job"], reply.body) for reply in replies] == [("j1", b"drawn")] * answers
        del there.running[0]
        await there.all_settled()


async def test_a_trial_that_is_lost_with_the_connection_is_followed_by_another(amqp_url: str) -> None:
    async with yard(amqp_url) as there, network(amqp_url) as between:
        running = await there.start(url=between.url)
        await running.working()
        breaker = running.bridge._gate.breaker = Breaker(failures_to_open=1, first_delay_s=0.02)
        breaker.failed("503", time.monotonic())
        await eventually(lambda: breaker.may_send(time.monotonic()))
        there.send()
        await there.far.job()
        await there.told("sent")
        assert not breaker.may_send(time.monotonic())
        between.cut()
        await eventually(lambda: not running.bus.connected)
        between.mend()
        await running.working()
        there.send(message_id="j2")
        there.far.answer(await there.far.job())
        assert (await there.reply()).headers["job"] == "j2"
        await eventually(lambda: breaker.state(time.monotonic()) == "closed")  # once the broker has confirmed the reply


async def test_one_of_two_works_and_the_other_consumes_nothing(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        await first.working()
        await there.start(name="b2")
        await there.status("b2", active=False)
        assert there.foreign.consumers("overflow") == 1
        assert there.far.clients == 1
        there.send()
        await there.far.job()
        assert len(first.clients[0].sent) == 1
        await there.told("sent")


async def test_what_the_cloud_has_is_answered_by_the_next_bridge(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        for number in range(5):
            there.send(message_id=f"j{number}", correlation_id=None)
        jobs = [await there.far.job() for _ in range(5)]
        await eventually(lambda: len([step for step in there.steps() if step.state == "sent"]) == 5)
        await first.stop()
        assert (await there.status(state="draining")).in_flight == 5
        for job in jobs:
            there.far.answer(job)
        del there.running[0]
        second = await there.start(name="b2")
        replies = [await there.reply() for _ in jobs]
        assert {reply.properties.correlation_id for reply in replies} == {f"j{number}" for number in range(5)}
        await eventually(lambda: second.bridge._tally.answered == 5)
        await there.all_settled()


async def test_a_job_that_the_router_took_home_while_no_bridge_was_there_is_answered_once(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        there.far.after_taking.clear()
        there.route("p1")
        there.send(headers={"placement": "p1"})
        job = await there.far.job()
        await eventually(lambda: _held(first))
        await first.kill()
        del there.running[0]
        await there.foreign.get(OVERFLOW)  # as a router does that counts nobody there
        there.route("p2")  # to a VM, which answers
        there.far.after_taking.set()
        there.far.answer(job)
        await there.start(name="b2")
        await there.status("b2", late=1)
        await there.all_settled()


@pytest.mark.parametrize("caller", [True, False])
async def test_a_ticket_that_can_not_be_read_is_kept_and_its_caller_told(amqp_url: str, caller: bool) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        properties = {"message_id": "j1", "reply_to": there.replies if caller else None}
        there.foreign.publish("", CLOUD_TICKETS, b"?", headers={"operation": "sketch"}, **properties)
        dead = await there.dead()
        assert dead.properties.message_id == "j1"
        if caller:
            assert "a ticket that can't be read" in dead.headers["reason"]
            assert (await there.reply()).headers["job"] == "j1"
        await eventually(lambda: {"failed", "unanswerable"} & {step.state for step in there.steps()})
        await there.all_settled()


async def test_with_a_cap_nothing_is_sent_before_it_is_known_what_was_spent(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unread = asyncio.Event()

    async def last_word(*_args: object, **_kwargs: object) -> None:
        if not unread.is_set():
            raise BusError("the history stalled")

    monkeypatch.setattr(module, "last_word", last_word)
    monkeypatch.setattr(module, "RECALL_AGAIN_S", 0.05)
    async with yard(amqp_url) as there:
        running = await there.start(SETTINGS.model_copy(update={"cloud_money_per_day": 1.0}))
        told = await there.status(state="broken", active=False)
        assert told.reason == "what the overflow has cost so far is not known: the history stalled"
        assert not running.task.done()
        unread.set()
        await there.status(state="ready", active=True)
        unread.clear()
        await running.stop()
        del there.running[0]
        await there.start(name="b2")  # without a cap nothing depends on it
        await there.status("b2", state="ready", active=True)


@pytest.mark.parametrize("cap", [1.0, None])
async def test_a_bridge_counts_what_its_predecessor_spent(
    amqp_url: str, cap: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS.model_copy(update={"cloud": "pubsub", "cloud_money_per_day": cap})
    read = last_word

    async def after_a_word_of_our_own(*args: Any, us: str, **how: Any) -> BridgeStatus | None:
        if cap is None:  # nothing depends on what was spent, and it begins before that is known
            await there.status(us, active=True)
        return await read(*args, us=us, **how)

    monkeypatch.setattr(module, "last_word", after_a_word_of_our_own)
    async with yard(amqp_url) as there:
        first = await there.start(settings)
        there.send()
        there.far.answer(await there.far.job())
        spent = (await there.status(answered=1)).spent_today
        assert spent > 0
        await first.stop()
        await there.start(settings, name="b2")
        assert (await there.status("b2", spent_today=spent)).active


async def test_a_cloud_that_can_never_work_ends_the_bridge(amqp_url: str) -> None:
    async with yard(amqp_url, FarSide(wrong="no such project: create it")) as there:
        running = await there.start()
        with pytest.raises(SetupError, match="create it"):
            await running.task


async def test_a_cloud_that_gives_no_more_ends_the_bridge(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        running.clients[0].ended = True
        there.far.news.set()
        with pytest.raises(OverspillError, match="come to an end"):
            await running.task


async def test_garbage_on_control_is_passed_over(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start()
        await running.working()
        there.foreign.publish(CONTROL, "job.cancel", b"?")
        there.cancel("j9")
        await eventually(lambda: len(running.bridge._cancels))
        assert not running.task.done()


async def test_a_standing_bridge_sweeps_the_store(
    amqp_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_S", 0.0)
    old = tmp_path / "pictures" / "20200101" / ("a" * 32)
    old.parent.mkdir(parents=True)
    old.write_bytes(PICTURE)
    async with yard(amqp_url) as there:
        await there.start(SETTINGS.model_copy(update={"blobs": f"file://{tmp_path}"}))
        await eventually(lambda: not old.exists())


async def test_the_process_serves_until_told_to_stop(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        stop = asyncio.Event()
        serving = asyncio.create_task(
            serve_bridge(SETTINGS, amqp_url, stop, make=lambda _settings: Client(there.far), name="b1")
        )
        there.send()
        there.far.answer(await there.far.job())
        await there.reply()
        stop.set()
        await serving
        assert (await there.status(state="draining")).reason == "the bridge is stopping"
        assert there.far.clients == 0
        await there.all_settled()


async def test_a_process_told_to_stop_before_a_broker_answers_stops() -> None:
    stop = asyncio.Event()
    stop.set()
    await serve_bridge(SETTINGS, "amqp://127.0.0.1:1", stop, make=lambda _settings: Client(FarSide()))
