"""Jobs in the cloud that are answered without it, and what that says of the cloud."""

import asyncio
import json
import time
from typing import Any

import pytest

from bridge import bridge as module
from bridge.recalls import LEAST_S, TYPICAL, is_clouds_fault, overdue_problem
from bus.events import JobEvent
from tests.bridge.test_tickets import NOW, ticket
from tests.bridge.yard import SETTINGS, Yard, yard
from tests.bus.rabbit.foreign import eventually


def test_the_problem_tells_whose_time_was_over() -> None:
    assert overdue_problem(ticket(deadline_ms=NOW + 5), NOW + 5).slug == "expired"
    late = overdue_problem(ticket(due=NOW + 60_000), NOW + 60_000)
    assert (late.slug, late.limit) == ("timed-out", 60)
    assert "OVERSPILL_CLOUD_TIMEOUT_S" in (late.remedy or "")


def test_callers_in_a_hurry_do_not_shut_the_cloud() -> None:
    def blamed(after_s: float, typical_s: float | None = None, since_s: float = 0.0) -> bool:
        after_ms = NOW + int(after_s * 1000)
        return is_clouds_fault(ticket(deadline_ms=after_ms), after_ms, NOW + int(since_s * 1000), typical_s)

    assert [blamed(0.5), blamed(LEAST_S - 1), blamed(LEAST_S)] == [False, False, True]
    assert [blamed(TYPICAL * 20 - 1, 20.0), blamed(TYPICAL * 20, 20.0)] == [False, True]
    assert not blamed(3600, since_s=3599)  # it came back to a bridge that was not there
    assert is_clouds_fault(ticket(), NOW + 60_000, NOW, 1000.0)  # the cloud's own time was over


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.05)


async def _answered(there: Yard, slug: str) -> None:
    reply = await there.reply()
    assert json.loads(reply.body)["type"].endswith(slug)
    assert (reply.properties.correlation_id, reply.headers["route"]) == ("c1", "cloud")
    failed = await there.told("failed")
    assert (failed.problem, failed.cost) == (slug, float(reply.headers["cost"]))


@pytest.mark.broker
async def test_what_the_cloud_never_answers_is_answered_in_time_and_its_answer_dropped(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start(SETTINGS.model_copy(update={"cloud_timeout_s": 0.3}))
        there.send()
        job = await there.far.job()
        await _answered(there, "timed-out")
        there.far.answer(job)
        await there.status(late=1)
        await there.all_settled()


@pytest.mark.broker
async def test_what_the_cloud_never_answers_costs_the_time_that_it_had(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        running = await there.start(SETTINGS.model_copy(update={"cloud": "pubsub", "cloud_timeout_s": 0.3}))
        await running.working()
        budget = running.bridge._gate.budget
        for _ in range(60):
            budget.learnt("sketch", 0.0)
        assert budget.estimate("sketch", 100) < budget.cost(0.2, 0)
        there.send()
        await there.far.job()
        await _answered(there, "timed-out")
        await eventually(lambda: budget.spent_today(time.time()) > budget.cost(0.29, 0))
        await there.all_settled()


@pytest.mark.broker
async def test_what_was_due_while_no_bridge_was_there_may_still_be_answered_by_the_cloud(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with yard(amqp_url) as there:
        first = await there.start(SETTINGS.model_copy(update={"cloud_timeout_s": 0.3}))
        for job in ("j1", "j2"):
            there.send(message_id=job)
        jobs = [await there.far.job() for _ in range(2)]
        await eventually(lambda: [step.state for step in there.steps()] == ["sent", "sent"])
        await first.kill()
        del there.running[0]
        await asyncio.sleep(0.3)
        second = await there.start(name="b2")
        await second.working()
        await asyncio.sleep(0.2)  # in which it would have been given up
        there.far.answer(jobs[0])
        assert (await there.reply()).body == b"drawn"
        assert (await there.status("b2", answered=1)).seconds == {}
        monkeypatch.setattr("bridge.tickets.GRACE_MS", 0)
        await _answered(there, "timed-out")
        await there.all_settled()


@pytest.mark.broker
async def test_a_fault_of_ours_does_not_leave_an_overdue_job_unanswered(
    amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with yard(amqp_url) as there:
        running = await there.start(SETTINGS.model_copy(update={"cloud_timeout_s": 0.3}))
        await running.working()
        endings = running.shift.endings
        really, faults = endings.refuse, iter([ZeroDivisionError])

        async def refuse(*args: Any, **kwargs: Any) -> JobEvent | None:
            for fault in faults:
                raise fault
            return await really(*args, **kwargs)

        endings.refuse = refuse  # type: ignore[method-assign]
        there.send()
        await there.far.job()
        await _answered(there, "timed-out")
        assert "work on the side failed" in caplog.text
        await there.all_settled()


@pytest.mark.broker
async def test_a_cancelled_job_is_answered_at_once(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send()
        job = await there.far.job()
        await there.told("sent")
        there.cancel()
        await _answered(there, "cancelled")
        there.far.answer(job)
        await there.status(late=1)
        await there.all_settled()


@pytest.mark.broker
async def test_a_job_cancelled_while_it_is_sent_is_answered_once(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.far.after_taking.clear()
        there.send()
        await there.far.job()
        there.cancel()
        await _answered(there, "cancelled")
        there.far.after_taking.set()
        await there.all_settled()


@pytest.mark.broker
async def test_a_job_cancelled_while_no_bridge_had_settled_in_is_answered(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        first = await there.start()
        await first.working()
        second = await there.start(name="b2")
        await there.status("b2", active=False)
        there.send()
        await there.far.job()
        await there.told("sent")
        first.bridge._crew.recalls.cancel = lambda _order: None  # type: ignore[union-attr, method-assign]
        there.cancel()
        await eventually(lambda: len(second.bridge._cancels))
        await first.kill()
        del there.running[0]
        await _answered(there, "cancelled")
        await there.all_settled()
