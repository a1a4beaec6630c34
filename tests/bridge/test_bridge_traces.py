"""What a bridge's spans and log lines tell of a job, and what of its trace the cloud is believed."""

import pytest

from bridge.envelope import Parcel
from bus.problems import Kind, Problem
from tests.bridge.yard import yard
from tests.loglines import logged
from tests.tracing import CALLER, PARENT, TRACE, recorded

pytestmark = pytest.mark.broker
UNDER = {"traceparent": PARENT}
RUN = f"00-{TRACE}-{'1' * 16}-01"
FOREIGN = f"00-{'f' * 32}-{'1' * 16}-01"


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.bridge.TICK_S", 0.1)


async def test_a_job_goes_out_under_one_span_and_its_answer_home_under_another(amqp_url: str) -> None:
    with recorded() as seen:
        async with yard(amqp_url) as there:
            await there.start()
            there.send(headers=UNDER)
            job = await there.far.job()
            await there.told("sent")
            there.far.answer(job, traceparent=RUN)
            answer = await there.reply()
            await there.told("done")
    assert seen.names == ["overflow", "answer"]
    assert (seen.parent("overflow"), seen.parent("answer")) == (CALLER, "1" * 16)
    assert job.attributes["traceparent"] == f"00-{TRACE}-{seen.id('overflow')}-01"
    assert answer.headers["traceparent"] == f"00-{TRACE}-{seen.id('answer')}-01"
    assert (seen.told("overflow")["overspill.job"], seen.told("answer")["overspill.job"]) == ("j1", "j1")


@pytest.mark.parametrize("told", [FOREIGN, "garbage", None])
async def test_a_cloud_does_not_put_a_job_into_another_trace(amqp_url: str, told: str | None) -> None:
    with recorded() as seen:
        async with yard(amqp_url) as there:
            await there.start()
            there.send(headers=UNDER)
            job = await there.far.job()
            answer = there.far.answer(job)
            there.far.results.clear()
            there.far.give(Parcel(answer.body, {**answer.attributes, "traceparent": told or ""}))
            await there.reply()
            await there.told("done")
    assert (seen.trace("answer"), seen.parent("answer")) == (TRACE, seen.id("overflow"))


async def test_a_problem_is_an_error_of_the_answer(amqp_url: str) -> None:
    with recorded() as seen:
        async with yard(amqp_url) as there:
            await there.start()
            there.send(headers=UNDER)
            there.far.refuse(await there.far.job(), Problem.of(Kind.NOT_AN_IMAGE, "It is a letter."))
            await there.reply()
            await there.told("failed")
    assert seen.error("answer") == "not-an-image"


async def test_a_job_that_does_not_get_out_goes_home_in_its_trace_and_the_lines_tell_it(amqp_url: str) -> None:
    with recorded() as seen, logged("bridge") as lines:
        async with yard(amqp_url) as there:
            await there.start()
            there.far.unsendable = "it is too odd"
            there.send(headers=UNDER)
            back = await there.home()
            await there.told("retried")
    assert seen.error("overflow") == "it is too odd"
    assert back.headers["traceparent"] == f"00-{TRACE}-{seen.id('overflow')}-01"
    line = lines.about("goes home")
    assert (line["job"], line["trace"]) == ("j1", TRACE)


async def test_without_a_collector_the_context_that_came_goes_out_and_home(amqp_url: str) -> None:
    async with yard(amqp_url) as there:
        await there.start()
        there.send(headers=UNDER)
        job = await there.far.job()
        assert job.attributes["traceparent"] == PARENT
        there.far.answer(job)
        assert (await there.reply()).headers["traceparent"] == PARENT
