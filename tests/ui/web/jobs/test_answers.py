import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bus.answers import Answer
from bus.blobs import Blobs
from bus.problems import PROBLEM_JSON, Kind, Problem
from producers.client.store import Store
from tests.bus.rabbit.foreign import Foreign, eventually
from tests.ui.web.jobs.office import DAY_MS, NOW, PHOTO, Office, office_at
from ui.web.jobs import answers as module
from ui.web.jobs import moves
from ui.web.jobs.answers import Answers
from ui.web.jobs.record import Record
from ui.web.jobs.sender import Terms


def answer(foreign: Foreign, office: Office, job: Record, body: bytes = PHOTO, **more: Any) -> None:
    """What a VM sends."""
    given = {"content_type": "image/png", **more}
    told = Answer(job=job.id, operation=job.operation, body=body, **given)
    message = told.to_message(office.replies)
    headers = {key: str(value) if key == "cost" else value for key, value in message.headers.items()}
    foreign.publish("", office.replies, body, content_type=told.content_type, headers=headers)


async def answered(office: Office, job: Record) -> Record:
    await eventually(lambda: job.id not in office.book.under_way)
    ended = await office.book.one(job.user, job.id)
    assert ended is not None
    return ended


async def test_what_an_answer_tells_is_kept(amqp_url: str, tmp_path: Path, foreign: Foreign) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        job, answers = await office.add(), Answers(office.bus, office.book, office.files, office.terms, office.replayed)
        await answers.start()
        answer(foreign, office, job, vm="vm3", route="cloud", ran_ms=5, waited_ms=6, model="m", cost=0.5, attempt=2)
        ended = await answered(office, job)
        assert (ended.state, ended.vm, ended.route, ended.ran_ms) == ("done", "vm3", "cloud", 5)
        assert (ended.waited_ms, ended.model, ended.cost, ended.attempt) == (6, "m", 0.5, 2)
        assert (ended.ended_ms, ended.expires_ms) == (NOW, NOW + DAY_MS)
        await eventually(lambda: foreign.depth(office.replies) == 0)
        await answers.close()


@pytest.mark.parametrize(
    ("body", "given", "slug"),
    [
        (Problem.of(Kind.BROKEN_IMAGE, "No.").to_json(), {"content_type": PROBLEM_JSON}, "broken-image"),
        (b"{}", {"content_type": PROBLEM_JSON}, "bad-field"),
        (b"", {"claim": "results/20300101/" + "a" * 32}, "not-ready"),  # and no store is named
    ],
)
async def test_answers_that_are_no_result(
    amqp_url: str, tmp_path: Path, foreign: Foreign, body: bytes, given: dict[str, str], slug: str
) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        job, answers = await office.add(), Answers(office.bus, office.book, office.files, office.terms, office.replayed)
        await answers.start()
        answer(foreign, office, job, body, **given)
        ended = await answered(office, job)
        assert ended.state == "failed"
        assert ended.problem is not None
        assert ended.problem.slug == slug
        assert not office.files.result_path(job).exists()
        await answers.close()


async def test_a_result_that_is_not_in_the_store(
    amqp_url: str, tmp_path: Path, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_DELAY_S", 0.01)
    async with office_at(tmp_path, amqp_url) as office:
        in_the_way = tmp_path / "file"
        in_the_way.write_text("no folder")
        stores = [Blobs(f"file://{tmp_path}/blobs"), Blobs(f"file://{in_the_way}/blobs")]
        for number, (store, slug) in enumerate(zip(stores, ["no-such-claim", "not-ready"], strict=True)):
            job = await office.add(number)
            terms = Terms(office.replies, Store(store, 1000), DAY_MS, office.clock)
            answers = Answers(office.bus, office.book, office.files, terms, office.replayed)
            await answers.start()
            answer(foreign, office, job, b"", claim="results/20300101/" + "a" * 32)
            ended = await answered(office, job)
            assert ended.problem is not None
            assert ended.problem.slug == slug
            await answers.close()


async def test_an_answer_that_the_disk_does_not_take_stays_in_its_queue(
    amqp_url: str, tmp_path: Path, foreign: Foreign
) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        job, answers = (
            await office.add(name="x" * 200),
            Answers(office.bus, office.book, office.files, office.terms, office.replayed),
        )
        await office.limit(1)
        await answers.start()
        answer(foreign, office, job, model="m" * 100_000)
        await eventually(lambda: office.files.result_path(job).exists())
        await asyncio.sleep(0.1)
        assert await office.state(job) == ["accepted"]
        await office.limit(100_000)
        assert (await answered(office, job)).state == "done"
        await answers.close()


async def test_a_job_that_we_end_while_its_result_is_fetched_keeps_no_result(
    amqp_url: str, tmp_path: Path, foreign: Foreign
) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        job, answers = await office.add(), Answers(office.bus, office.book, office.files, office.terms, office.replayed)
        ours = partial(moves.cancelled, now_ms=NOW, kept_ms=DAY_MS)
        told = Answer(job=job.id, operation="sketch", content_type="image/png", body=PHOTO)
        await asyncio.gather(answers._keep(told), office.book.end({job.id: ours}))
        assert await office.state(job) == ["cancelled"]
        assert not office.files.result_path(job).exists()


class Faulty(Store):
    """A store with a fault of ours."""

    async def whole(self, answer: Answer) -> Answer:
        raise ZeroDivisionError(answer.job)


async def test_a_fault_of_ours_ends_its_job_and_holds_up_no_other(
    amqp_url: str, tmp_path: Path, foreign: Foreign, caplog: pytest.LogCaptureFixture
) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        jobs = [await office.add(number) for number in range(module.AHEAD + 2)]
        terms = Terms(office.replies, Faulty(None, 1000), DAY_MS, office.clock)
        answers = Answers(office.bus, office.book, office.files, terms, office.replayed)
        for job in jobs:
            answer(foreign, office, job)
        await answers.start()
        ended = [await answered(office, job) for job in jobs]
        assert {job.problem.slug for job in ended if job.problem} == {"surprise"}
        assert "ZeroDivisionError" in caplog.text
        await eventually(lambda: foreign.depth(office.replies) == 0)
        await answers.close()


async def test_an_answer_whose_job_can_not_even_fail_holds_up_no_other(
    amqp_url: str, tmp_path: Path, foreign: Foreign, caplog: pytest.LogCaptureFixture
) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        odd, fine = await office.add(1), await office.add(2)
        office.book.under_way[odd.id] = odd.model_copy(update={"given_up_for": "\ud800"})
        answers = Answers(office.bus, office.book, office.files, office.terms, office.replayed)
        await answers.start()
        answer(foreign, office, odd)
        await eventually(lambda: "has no end" in caplog.text)
        answer(foreign, office, fine)
        assert (await answered(office, fine)).state == "done"
        await eventually(lambda: foreign.depth(office.replies) == 0)
        await eventually(lambda: "moves of jobs are not written" in caplog.text)
        await answers.close()


class Stocktaker(Store):
    """A store that notes how many results were being fetched at a time."""

    under_way = most = 0

    async def whole(self, answer: Answer) -> Answer:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0.02)
            return await super().whole(answer)
        finally:
            self.under_way -= 1


async def test_few_results_of_the_store_are_in_memory_at_a_time(
    amqp_url: str, tmp_path: Path, foreign: Foreign
) -> None:
    blobs = Blobs(f"file://{tmp_path}/blobs")
    claim = await blobs.put("results", PHOTO, None)
    async with office_at(tmp_path, amqp_url) as office:
        store = Stocktaker(blobs, 1000)
        jobs = [await office.add(number) for number in range(8)]
        for job in jobs:
            answer(foreign, office, job, b"", claim=claim)
        answers = Answers(
            office.bus, office.book, office.files, Terms(office.replies, store, DAY_MS, office.clock), office.replayed
        )
        await answers.start()
        assert {(await answered(office, job)).state for job in jobs} == {"done"}
        assert store.most == module.CLAIMS
        await answers.close()
