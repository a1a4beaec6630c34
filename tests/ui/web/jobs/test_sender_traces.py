"""The page's spans of a job: one for sending it, however often that is tried, and one for its answer."""

from functools import partial
from pathlib import Path

import pytest

from bus.answers import Answer
from bus.messages import Job
from tests.bus.rabbit.foreign import eventually
from tests.loglines import logged
from tests.producers.client.responder import Responder
from tests.tracing import CALLER, PARENT, TRACE, recorded
from tests.ui.web.jobs.office import DAY_MS, NOW, desk_at, hand_in, office_at
from ui.web.jobs import moves
from ui.web.jobs.record import Result
from ui.web.jobs.sender import Sender

pytestmark = pytest.mark.broker
SOON = 20.0


async def test_a_page_s_job_is_a_trace_of_its_own_or_its_request_s(amqp_url: str, tmp_path: Path) -> None:
    with recorded() as seen:
        async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url) as vms:
            job = (await hand_in(desk)).record
            await desk.ended("anna", job.id, SOON)
            await eventually(lambda: seen.names == ["submit", "receive"])
            assert (seen.parent("submit"), seen.parent("receive")) == (None, seen.id("submit"))
            assert seen.told("submit")["overspill.job"] == job.id
            job = (await hand_in(desk, traceparent=PARENT)).record
            await desk.ended("anna", job.id, SOON)
            await eventually(lambda: len(seen.names) == 4)
    assert (seen.trace("submit"), seen.parent("submit")) == (TRACE, CALLER)
    assert (vms.seen[1].traceparent or "").startswith(f"00-{TRACE}-{seen.id('submit')}")


async def test_however_often_it_is_tried_it_is_sent_once(amqp_url: str, tmp_path: Path) -> None:
    async with office_at(tmp_path, amqp_url) as office:  # without lanes: nobody takes it
        with recorded() as seen, logged("ui.web.jobs.sender") as lines:
            job = await office.add(traceparent=PARENT)
            sender = Sender(office.bus, office.book, office.files, office.terms)
            sender.start()
            await eventually(lambda: len(lines.all) >= 2)
            assert seen.names == []
            office.clock.now_ms += 3_600_000
            await eventually(lambda: not office.book.under_way)
            await sender.close()
    assert (seen.names, seen.parent("submit"), seen.error("submit")) == (["submit"], CALLER, "it was not sent")
    assert seen.spans["submit"].start_time == NOW * 1_000_000
    assert {(line["job"], line["trace"]) for line in lines.all} == {(job.id, TRACE)}


async def test_a_job_that_is_heard_of_has_been_sent_though_nobody_confirmed_it(amqp_url: str, tmp_path: Path) -> None:
    async with office_at(tmp_path, amqp_url) as office:  # without lanes: each publish is refused
        with recorded() as seen, logged("ui.web.jobs.sender") as lines:
            job = await office.add(traceparent=PARENT)
            sender = Sender(office.bus, office.book, office.files, office.terms)
            sender.start()
            await eventually(lambda: len(lines.all) >= 1)
            office.book.move(moves.sent(office.book.under_way[job.id], NOW))
            await eventually(lambda: not sender.is_sending(job.id))
            await sender.close()
    assert (seen.names, seen.error("submit")) == (["submit"], None)


async def test_a_job_that_is_answered_has_been_sent_though_nobody_confirmed_it(amqp_url: str, tmp_path: Path) -> None:
    async with office_at(tmp_path, amqp_url) as office:  # without lanes: each publish is refused
        with recorded() as seen, logged("ui.web.jobs.sender") as lines:
            job = await office.add(traceparent=PARENT)
            sender = Sender(office.bus, office.book, office.files, office.terms)
            sender.start()
            await eventually(lambda: len(lines.all) >= 1)
            asked = Job(id=job.id, operation="sketch", body=b"")
            answer = Answer.to(asked, content_type="image/png", body=b"result", route="vm")
            done = partial(
                moves.done, answer=answer, result=Result(bytes=6, type="image/png"), now_ms=NOW, kept_ms=DAY_MS
            )
            await office.book.end({job.id: done})
            await eventually(lambda: not sender.is_sending(job.id))
            await sender.close()
    assert (seen.names, seen.error("submit")) == (["submit"], None)
