"""What a worker's spans and log lines tell of a job."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.bus.rabbit.foreign import eventually
from tests.consumers.desk import SHORT, VM, Desk, desk, problem
from tests.consumers.operations.pictures import photograph
from tests.loglines import logged
from tests.tracing import CALLER, PARENT, TRACE, recorded

pytestmark = pytest.mark.broker
UNDER = {"traceparent": PARENT}


@pytest.fixture
async def short(amqp_url: str) -> AsyncIterator[Desk]:
    """A worker that lets a job run for a moment, twice at most."""
    async with desk(amqp_url, replace(SHORT, max_attempts=2)) as vm:
        yield vm


async def test_a_run_is_a_span_and_the_answer_hangs_under_it(vm: Desk) -> None:
    with recorded() as seen:
        vm.send(headers=UNDER)
        answer = await vm.answer()
        done = await vm.told("done")
        vm.send(photograph("chelsea"), message_id="j2", headers={**UNDER, "params": '{"style": "oil"}'})
        refused = await vm.answer()
        await vm.told("failed")
    assert seen.names == ["run sketch", "run sketch"]
    assert (seen.parent("run sketch"), seen.error("run sketch")) == (CALLER, "bad-field")
    assert refused.headers["traceparent"] == f"00-{TRACE}-{seen.id('run sketch')}-01"
    assert done.traceparent == answer.headers["traceparent"] != PARENT
    told = seen.told("run sketch")
    assert (told["overspill.vm"], told["overspill.job"], told["overspill.attempt"]) == (VM, "j2", 1)
    assert [event.name for event in seen.spans["run sketch"].events] == ["computed"]


async def test_a_repeat_is_answered_under_a_span_of_its_own(vm: Desk) -> None:
    with recorded() as seen:
        vm.send(headers=UNDER)
        first = await vm.answer()
        vm.send(headers=UNDER)
        second = await vm.answer()
        await vm.told("done", 2)
    assert seen.names == ["run sketch", "answer"]
    assert second.headers["traceparent"] == f"00-{TRACE}-{seen.id('answer')}-01"
    assert second.headers["traceparent"] != first.headers["traceparent"]


async def test_an_attempt_that_fails_is_a_span_and_the_next_hangs_under_it(short: Desk) -> None:
    with recorded() as seen, logged("consumers") as lines:
        short.freeze()
        short.send(headers=UNDER)
        back = await short.handed_back()
        await short.told("retried")
        assert back.headers["traceparent"] == f"00-{TRACE}-{seen.id('run sketch')}-01"
        assert seen.error("run sketch") == "timed-out"
        first = seen.id("run sketch")
        await eventually(lambda: short.worker._slots.idle)
        short.freeze()
        short.send(headers={"traceparent": back.headers["traceparent"], "attempt": 2})
        assert problem(await short.answer())["slug"] == "timed-out"
        await short.told("failed")
    assert (seen.names, seen.parent("run sketch"), seen.trace("run sketch")) == (["run sketch"] * 2, first, TRACE)
    line = lines.about("handing it back")
    assert (line["job"], line["trace"]) == ("j1", TRACE)
