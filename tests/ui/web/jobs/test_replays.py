"""Jobs that are sent again out of the dead queue by somebody else: by event, by answer, in any order."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bus.answers import Answer
from bus.events import JobEvent, event_message
from bus.messages import Job
from bus.problems import Kind, Problem
from bus.rabbit import Bus
from bus.replies import bury
from bus.topology import shared
from producers.dead_letters import DeadLetters
from tests.bus.rabbit.foreign import eventually
from tests.producers.client.responder import Responder, complaint, echo
from tests.ui.web.jobs.office import DAY_MS, NOW, NOWHERE, Office, book_of, desk_at, hand_in, office_at, step
from ui.web.jobs import moves
from ui.web.jobs.book import Book
from ui.web.jobs.progress import Progress
from ui.web.jobs.record import Change, Record

SOON = 20.0
DIED = Problem.of(Kind.TOO_MANY_ATTEMPTS, "Every attempt failed.")


def again(of: Record, replays: int | None = 1, **more: Any) -> JobEvent:
    """What is told when that job's letter is sent again."""
    return step("replayed", replays=replays).model_copy(update={"job": of.id, **more})


def answer(job: Record, replays: int | None) -> Answer:
    return Answer(job=job.id, operation="sketch", content_type="image/png", body=b"", replays=replays)


async def failed(office: Office, number: int = 1) -> Record:
    job = await office.add(number)
    (ended,) = await office.book.end({job.id: partial(moves.failed, problem=DIED, now_ms=NOW, kept_ms=DAY_MS)})
    return ended


async def test_the_event_opens_a_failed_job_once_and_its_followers_are_told(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job, replays = await failed(office), office.replayed
        with office.book._followers.follow("anna") as changes:
            await replays.told(again(job))
            change = await anext(changes)
        assert isinstance(change, Change)
        assert change.record == office.book.under_way[job.id]
        assert (change.record.state, change.record.problem, change.record.replays) == ("queued", None, 1)
        await failed_again(office, job)
        await replays.told(again(job))  # late, or a second time
        assert await office.state(job) == ["failed"]
        await replays.told(again(job, 2))
        assert await office.state(job) == ["queued"]


async def failed_again(office: Office, job: Record) -> None:
    await office.book.end({job.id: partial(moves.failed, problem=DIED, now_ms=NOW, kept_ms=DAY_MS)})


@pytest.mark.parametrize("more", [{"user": "ben"}, {"operation": "caption"}, {"job": "f" * 32}])
async def test_what_is_told_of_other_jobs_opens_none(tmp_path: Path, more: dict[str, Any]) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await failed(office)
        await office.replayed.told(again(job, **more))
        await office.replayed.told(again(job, None))
        assert await office.state(job) == ["failed"]


async def test_jobs_under_way_or_removed_are_left_alone(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        going, gone = await office.add(1), await failed(office, 2)
        await office.book.remove([gone], NOW)
        for job in going, gone:
            await office.replayed.told(again(job))
            await office.replayed.answered(answer(job, 1))
        assert await office.state(going, gone) == ["accepted", "removed"]
        assert office.book.under_way == {going.id: going}


async def test_an_answer_that_comes_before_its_event_opens_the_job(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job, replays = await failed(office), office.replayed
        await replays.answered(answer(job, None))
        assert await office.state(job) == ["failed"]
        await replays.answered(answer(job, 1))
        assert await office.state(job) == ["queued"]
        await failed_again(office, job)
        await replays.told(again(job))
        assert await office.state(job) == ["failed"]


async def test_what_can_not_be_sent_again_leaves_a_job_that_has_not_failed_alone(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await office.add()
        with pytest.raises(ConnectionError):
            async with office.replayed.during("anna", job.id, 1):
                raise ConnectionError
        assert await office.state(job) == ["accepted"]


async def test_a_job_that_ended_before_the_page_was_started_is_opened_too(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await failed(office)
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        await office.replayed.told(again(job))
        assert await office.state(job) == ["queued"]


async def test_steps_told_while_a_job_is_opened_move_it_on_from_there(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await failed(office)
        progress = Progress(office.bus, office.book, office.replayed, office.clock)
        steps = [step("routed", "p9", vm="vm2"), step("running", "p9", vm="vm2")]
        for event in [again(job), *(one.model_copy(update={"job": job.id}) for one in steps), again(job)]:
            progress.heard(event, event_message(event, event.key).body)
        await progress.close()
        now = office.book.under_way[job.id]
        assert (now.state, now.vm) == ("running", "vm2")
        told = [JobEvent.model_validate_json(document).state for document in await office.book.events(job.id)]
        assert told == ["replayed", "routed", "running", "replayed"]


async def test_a_job_that_the_disk_does_not_let_be_opened_stays_failed_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await failed(office)
        await office.database.run(lambda connection: connection.execute("ALTER TABLE job_desk RENAME TO elsewhere"))
        progress = Progress(office.bus, office.book, office.replayed, office.clock)
        progress.heard(again(job), b"{}")
        await progress.close()
        assert await office.state(job) == ["failed"]
        assert "stays as it is until its answer comes" in caplog.text
        await office.database.run(lambda connection: connection.execute("ALTER TABLE elsewhere RENAME TO job_desk"))


async def test_a_step_that_can_not_be_told_is_logged_and_those_after_it_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tell = Book.tell

    def fails(book: Book, job_id: str, at_ms: int, document: bytes) -> None:
        if b'"replayed"' in document:
            raise MemoryError("no room")
        tell(book, job_id, at_ms, document)

    monkeypatch.setattr(Book, "tell", fails)
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job = await failed(office)
        progress = Progress(office.bus, office.book, office.replayed, office.clock)
        for event in (again(job), step("running", "p2").model_copy(update={"job": job.id})):
            progress.heard(event, event_message(event, event.key).body)
        await progress.close()
        assert office.book.under_way[job.id].state == "running"
    assert f"job {job.id}: its step replayed could not be told" in caplog.text


# -- with a broker, a page's whole desk, and somebody else who sends the letters again


async def died(bus: Bus, job: Job) -> None:
    """What a router does with a job that has exhausted its attempts, beside answering it."""
    await bury(bus, job.to_message(job.operation, NOW), "every attempt failed")


async def replay_all(bus: Bus) -> None:
    """What `overspill dead replay --all` does."""
    dead = DeadLetters(bus)
    letters = (await dead.list()).letters
    outcomes = [outcome async for outcome in dead.replay_all([letter.id for letter in letters], by="eva@desk")]
    assert [outcome.refused for outcome in outcomes] == [None]


@pytest.mark.broker
async def test_a_job_of_the_page_that_a_command_sends_again_is_under_way_and_ends_by_its_answer(
    amqp_url: str, tmp_path: Path
) -> None:
    ends: list[str] = []
    async with (
        desk_at(tmp_path, amqp_url) as desk,
        Responder(amqp_url, complaint) as vms,
        Bus(amqp_url, name="operator", topology=shared()) as operator,
    ):
        desk.at_end(lambda _connection, job: ends.append(job.state))
        job_id = (await desk.ended("anna", (await hand_in(desk)).record.id, SOON)).id
        await died(operator, vms.seen[0])
        vms.answers, vms.holding = echo, True
        await replay_all(operator)
        await eventually(lambda: job_id in book_of(desk).under_way)
        await vms.has_seen(2)
        vms.release()
        ended = await desk.ended("anna", job_id, SOON)
        assert (ended.state, ended.problem, ended.vm) == ("done", None, "vm1")
        assert "replayed" in [event["state"] for event in await desk.why("anna", job_id)]
    assert ends == ["failed", "done"]


@pytest.mark.broker
async def test_a_page_that_was_down_when_its_job_was_sent_again_takes_the_answer(amqp_url: str, tmp_path: Path) -> None:
    async with Responder(amqp_url, complaint) as vms, Bus(amqp_url, name="operator", topology=shared()) as operator:
        async with desk_at(tmp_path, amqp_url) as desk:
            job_id = (await desk.ended("anna", (await hand_in(desk)).record.id, SOON)).id
        await died(operator, vms.seen[0])
        vms.answers = echo
        await replay_all(operator)
        await vms.has_seen(2)
        async with desk_at(tmp_path, amqp_url) as desk:
            # It is in memory again only if its answer has opened it.
            await eventually(lambda: (job := book_of(desk).known(job_id)) is not None and job.ended)
            job = await desk.get("anna", job_id)
            assert job is not None
            assert (job.state, job.replays, job.problem) == ("done", 1, None)
