"""A whole desk on a real broker, with a stand-in for router and VMs."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from bus.answers import Answer
from bus.blobs import Blobs
from bus.errors import BadInput, SetupError
from bus.events import event_message
from bus.messages import Job
from bus.problems import PROBLEM_JSON
from bus.topology import EVENTS
from tests.bus.rabbit.foreign import Foreign, eventually, network
from tests.producers.client.responder import Responder, complaint, echo, twice
from tests.ui.web.jobs.office import (
    NOWHERE,
    PHOTO,
    desk_at,
    hand_in,
    office_at,
    picture,
    queued,
    refused,
    settings,
    step,
)
from ui.web.jobs.desk import Desk
from ui.web.jobs.record import JOB_BYTES, Change

SOON = 20.0
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_from_picture_to_result(amqp_url: str, tmp_path: Path) -> None:
    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url) as vms:
        accepted = await hand_in(desk, traceparent=TRACE, params={"format": "png"}, priority=7)
        assert accepted.is_new
        assert accepted.record.picture.model_dump() == {
            "bytes": len(PHOTO),
            "type": "image/png",
            "width": 16,
            "height": 32,
        }
        job = await desk.ended("anna", accepted.record.id, SOON)
        assert (job.state, job.vm, job.route, job.ran_ms) == ("done", "vm1", "vm", 1)
        assert desk.files.result_path(job).read_bytes() == PHOTO
        assert job.result is not None
        assert (job.result.bytes, job.result.type) == (len(PHOTO), "image/png")
        assert desk.counts("anna").under_way == 0
        assert desk.counts("anna").kept_bytes == JOB_BYTES + 2 * len(PHOTO)
    sent = vms.seen[0]
    assert (sent.id, sent.user, sent.priority, sent.params, sent.traceparent) == (
        *(job.id, "anna", 7, {"format": "png"}, TRACE),
    )
    assert sent.correlation_id == job.id
    assert sent.deadline_ms is not None
    assert 3_590_000 < sent.deadline_ms <= 3_600_000  # of a clock that shows 0


async def test_a_problem_for_an_answer(amqp_url: str, tmp_path: Path) -> None:
    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url, complaint):
        job = await desk.ended("anna", (await hand_in(desk)).record.id, SOON)
        assert job.state == "failed"
        assert job.problem is not None
        assert job.problem.slug == "not-an-image"


async def test_a_caption(amqp_url: str, tmp_path: Path) -> None:
    def caption(job: Job) -> list[Answer]:
        body = '{"caption": "a cup – on a table"}'.encode()
        return [Answer.to(job, content_type="application/json", body=body)]

    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url, caption):
        job = await desk.ended("anna", (await hand_in(desk, operation="caption")).record.id, SOON)
        assert job.result is not None
        assert (job.result.type, job.result.caption) == ("application/json", "a cup – on a table")


async def test_a_second_answer_changes_nothing(amqp_url: str, tmp_path: Path) -> None:
    def changing_its_mind(job: Job) -> list[Answer]:
        return [*echo(job), *complaint(job)]

    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url, changing_its_mind):
        job = await desk.ended("anna", (await hand_in(desk)).record.id, SOON)
        again = await desk.ended("anna", (await hand_in(desk)).record.id, SOON)
        assert (job.state, again.state) == ("done", "done")
        assert (await desk.get("anna", job.id)) == job


async def test_garbage_on_the_reply_queue_is_passed_over(amqp_url: str, tmp_path: Path, foreign: Foreign) -> None:
    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url) as vms:
        first = (await hand_in(desk)).record
        await desk.ended("anna", first.id, SOON)
        replies = vms.seen[0].reply_to or ""
        foreign.publish("", replies, b"\xff\xfe garbage")
        foreign.publish("", replies, PHOTO, headers={"job": "nobody's", "operation": "sketch"})
        foreign.publish("", replies, b"{", content_type=PROBLEM_JSON, headers={"job": first.id, "operation": "sketch"})
        assert (await desk.ended("anna", (await hand_in(desk)).record.id, SOON)).state == "done"
        await eventually(lambda: foreign.depth(replies) == 0)


async def test_a_page_that_is_down_while_its_jobs_are_answered(amqp_url: str, tmp_path: Path) -> None:
    async with Responder(amqp_url, twice, holding=True) as vms:
        async with desk_at(tmp_path, amqp_url) as desk:
            ids = [(await hand_in(desk)).record.id for _ in range(5)]
            await queued(desk, *ids)
        await vms.has_seen(5)
        vms.release()
        async with desk_at(tmp_path, amqp_url) as desk:
            jobs = [await desk.ended("anna", job_id, SOON) for job_id in ids]
            assert [job.state for job in jobs] == ["done"] * 5
            assert desk.counts("anna").under_way == 0
        assert len(vms.seen) == 5  # none was sent twice


async def test_jobs_accepted_without_a_broker_are_sent_when_there_is_one(amqp_url: str, tmp_path: Path) -> None:
    async with desk_at(tmp_path, amqp_url, connect=False) as desk:
        job_id = (await hand_in(desk)).record.id
        assert (await desk.ended("anna", job_id, 0.05)).state == "accepted"
    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url):
        assert (await desk.ended("anna", job_id, SOON)).state == "done"


async def test_a_cut_connection_loses_nothing(amqp_url: str, tmp_path: Path) -> None:
    async with network(amqp_url) as between, desk_at(tmp_path, between.url) as desk, Responder(amqp_url) as vms:
        ids = [(await hand_in(desk)).record.id for _ in range(10)]
        between.cut()
        ids += [(await hand_in(desk)).record.id for _ in range(10)]
        between.mend()
        jobs = [await desk.ended("anna", job_id, SOON) for job_id in ids]
        assert [job.state for job in jobs] == ["done"] * 20
        assert {job.id for job in vms.seen} == set(ids)


async def test_a_job_is_seen_moving(amqp_url: str, tmp_path: Path, foreign: Foreign) -> None:
    async with desk_at(tmp_path, amqp_url) as desk:
        job_id = (await hand_in(desk)).record.id
        await queued(desk, job_id)
        seen: list[str] = []
        with desk.follow("anna", job_id) as changes:
            for told in [step("waiting", place=4), step("routed", "p1", vm="vm1"), step("running", "p1", vm="vm1")]:
                event = told.model_copy(update={"job": job_id})
                foreign.publish(EVENTS, event.key, event_message(event, event.key).body)
                async for change in changes:
                    assert isinstance(change, Change)
                    assert change.record is not None
                    if change.record.step:
                        seen.append(change.record.state)
                        assert (change.id is None) == (change.record.place is not None) or change.id
                        break
        assert seen == ["queued", "routed", "running"]
        assert [event["state"] for event in await desk.why("anna", job_id)] == ["routed", "running"]


async def test_the_same_order_under_the_same_key_is_one_job(amqp_url: str, tmp_path: Path) -> None:
    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url) as vms:
        many = await asyncio.gather(*(hand_in(desk, idempotency_key="k") for _ in range(4)))
        assert len({each.record.id for each in many}) == 1
        assert sum(each.is_new for each in many) == 1
        await desk.ended("anna", many[0].record.id, SOON)
        assert not (await hand_in(desk, idempotency_key="k")).is_new
        assert (await hand_in(desk, user="ben", idempotency_key="k")).is_new
        with pytest.raises(BadInput) as error:
            await hand_in(desk, idempotency_key="k", operation="caption")
        assert refused(error) == "key-reused"
        assert desk.counts("anna").under_way == 0
        assert desk.counts("anna").kept_bytes == JOB_BYTES + 2 * len(PHOTO)
        assert len(list((tmp_path / "pictures").rglob("?" * 32))) == 2
        await vms.has_seen(2)
    assert len({job.id for job in vms.seen}) == 2


async def test_another_users_job_is_not_there(tmp_path: Path) -> None:
    async with desk_at(tmp_path, NOWHERE, connect=False) as desk:
        job_id = (await hand_in(desk)).record.id
        assert await desk.get("ben", job_id) is None
        assert await desk.page_of("ben") == []
        for asked in [desk.cancel, desk.retry, desk.remove, desk.why]:
            with pytest.raises(BadInput) as error:
                await asked("ben", job_id)
            assert refused(error) == "not-found"
        with pytest.raises(BadInput) as error:
            await desk.ended("ben", job_id, 0)
        assert refused(error) == "not-found"


async def test_the_list_newest_first_by_pages(tmp_path: Path) -> None:
    async with desk_at(tmp_path, NOWHERE, connect=False) as desk:
        ids = [(await hand_in(desk, operation=operation)).record.id for operation in ["sketch", "caption", "sketch"]]
        assert [job.id for job in await desk.page_of("anna")] == ids[::-1]
        first = await desk.page_of("anna", limit=2)
        assert [job.id for job in await desk.page_of("anna", before=first[-1].number)] == ids[:1]
        assert [job.id for job in await desk.page_of("anna", operation="caption")] == [ids[1]]
        await desk.cancel("anna", ids[0])
        assert [job.id for job in await desk.page_of("anna", state="cancelled")] == [ids[0]]


async def test_a_job_once_more_and_its_removal(amqp_url: str, tmp_path: Path) -> None:
    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url):
        first = (await hand_in(desk)).record
        with pytest.raises(BadInput) as error:
            await desk.remove("anna", first.id)
        assert refused(error) == "not-now"
        await desk.ended("anna", first.id, SOON)
        second = await desk.retry("anna", first.id)
        assert (second.retry_of, second.name, second.picture) == (first.id, "cup.png", first.picture)
        await desk.remove("anna", first.id)
        assert await desk.get("anna", first.id) is None
        assert (await desk.ended("anna", second.id, SOON)).state == "done"
        assert desk.files.picture_path(second).read_bytes() == PHOTO
        assert not desk.files.picture_path(first).exists()
        assert desk.counts("anna").kept_bytes == JOB_BYTES + 2 * len(PHOTO)


async def test_a_stream_is_taken_up_where_it_was_cut(tmp_path: Path) -> None:
    async with desk_at(tmp_path, NOWHERE, connect=False) as desk:
        start = await desk.last_change("anna")
        first, second = [(await hand_in(desk)).record.id for _ in range(2)]
        await hand_in(desk, user="ben")
        middle = await desk.last_change("anna")
        await desk.cancel("anna", first)
        missed = await desk.changes_after("anna", middle)
        assert missed is not None
        assert [(change.job_id, change.record and change.record.state) for change in missed] == [(first, "cancelled")]
        await desk.remove("anna", first)
        everything = await desk.changes_after("anna", start)
        assert everything is not None
        assert [(change.job_id, change.record is None) for change in everything] == [(second, False), (first, True)]
        assert await desk.changes_after("anna", 10_000) is None


async def test_a_large_picture_and_its_result_go_by_claim(amqp_url: str, tmp_path: Path) -> None:
    store = Blobs(f"file://{tmp_path}/blobs")
    large = picture() + bytes(3000)

    page = desk_at(tmp_path, amqp_url, store=store, max_image_bytes=2000)
    async with Responder(amqp_url, holding=True) as vms, page as desk:
        job_id = (await hand_in(desk, large)).record.id
        await vms.has_seen(1)
        claim = vms.seen[0].claim or ""
        assert claim.endswith(job_id)
        assert await store.get(claim) == large
        result = await store.put("results", large)
        vms.answers = lambda job: [Answer.to(job, content_type="image/png", body=b"", claim=result)]
        vms.release()
        job = await desk.ended("anna", job_id, SOON)
        assert job.state == "done"
        assert desk.files.result_path(job).read_bytes() == large


async def test_a_folder_has_one_page_at_a_time(tmp_path: Path) -> None:
    async with desk_at(tmp_path, NOWHERE, connect=False):
        with pytest.raises(SetupError, match="Another page uses"):
            async with desk_at(tmp_path, NOWHERE, connect=False):
                pass


async def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    async with office_at(tmp_path / "other", NOWHERE, connect=False) as office:
        await office.database.run(lambda connection: connection.execute("DROP TABLE job_event"))
        desk = Desk(settings(tmp_path), office.bus, office.database)
        with pytest.raises(sqlite3.OperationalError, match="job_event"):
            await desk.start()
        await desk.close()
    async with desk_at(tmp_path, NOWHERE, connect=False) as after:
        assert await after.page_of("anna") == []


async def test_a_hook_is_part_of_the_end(tmp_path: Path) -> None:
    ends: list[tuple[str, int]] = []
    async with desk_at(tmp_path, NOWHERE, connect=False) as desk:
        desk.at_end(lambda db, job: ends.append((job.state, db.execute("SELECT count(*) FROM job").fetchone()[0])))
        await desk.cancel("anna", (await hand_in(desk)).record.id)
    assert ends == [("cancelled", 1)]
