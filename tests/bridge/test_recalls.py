"""Jobs in the cloud that are answered without it, and what that says of the cloud."""

import json

import pytest

from bridge import bridge as module
from bridge.recalls import LEAST_S, TYPICAL, is_clouds_fault, overdue_problem
from tests.bridge.test_tickets import NOW, ticket
from tests.bridge.yard import SETTINGS, Yard, yard
from tests.bus.rabbit.foreign import eventually


def test_the_problem_tells_whose_time_was_over() -> None:
    assert overdue_problem(ticket(deadline_ms=NOW + 5), NOW + 5).slug == "expired"
    late = overdue_problem(ticket(due=NOW + 60_000), NOW + 60_000)
    assert (late.slug, late.limit) == ("timed-out", 60)
    assert "OVERSPILL_CLOUD_TIMEOUT_S" in (late.remedy or "")


def test_callers_in_a_hurry_do_not_shut_the_cloud() -> None:
    def blamed(after_s: float, typical_s: float | None = None) -> bool:
        after_ms = NOW + int(after_s * 1000)
        return is_clouds_fault(ticket(deadline_ms=after_ms), after_ms, typical_s)

    assert [blamed(0.5), blamed(LEAST_S - 1), blamed(LEAST_S)] == [False, False, True]
    assert [blamed(TYPICAL * 20 - 1, 20.0), blamed(TYPICAL * 20, 20.0)] == [False, True]
    assert is_clouds_fault(ticket(), NOW + 60_000, 1000.0)  # the cloud's own time was over


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.05)


async def _answered(there: Yard, slug: str) -> None:
    reply = await there.reply()
    assert json.loads(reply.body)["type"].endswith(slug)
    assert (reply.properties.correlation_id, reply.headers["route"]) == ("c1", "cloud")
    assert (await there.told("failed")).problem == slug


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
async def test_what_was_overdue_while_no_bridge_was_there_is_answered_by_the_next(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        first = await there.start(SETTINGS.model_copy(update={"cloud_timeout_s": 0.3}))
        there.send()
        await there.far.job()
        await there.told("sent")
        await first.kill()
        del there.running[0]
        await there.start(name="b2")
        await _answered(there, "timed-out")
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
