"""Jobs of a desk that end otherwise than by their first answer: called off, or sent again."""

from pathlib import Path

import pytest

from bus.errors import BadInput, Disconnected
from bus.events import event_message
from bus.messages import Message
from bus.replies import send_answer
from bus.topology import CONTROL, EVENTS
from producers.letter import Letter, letter_of
from tests.bus.rabbit.foreign import Foreign, eventually
from tests.producers.client.responder import Responder, complaint, echo
from tests.ui.web.jobs.office import NOW, NOWHERE, PHOTO, book_of, desk_at, hand_in, queued, refused, step
from ui.web.jobs.record import Change

SOON = 20.0


def letter(job_id: str, replies: str | None, user: str = "anna") -> Letter:
    """A job that died, as the dead queue has it."""
    return letter_of(Message(PHOTO, "sketch", {"user": user}, message_id=job_id, reply_to=replies), NOW)


async def test_what_was_not_sent_is_cancelled_at_once(tmp_path: Path) -> None:
    async with desk_at(tmp_path, NOWHERE, connect=False) as desk:
        job = await desk.cancel("anna", (await hand_in(desk)).record.id)
        assert job.state == "cancelled"
        with pytest.raises(BadInput) as error:
            await desk.cancel("anna", job.id)
        assert refused(error) == "not-now"


async def test_what_was_placed_is_cancelled_by_whoever_has_it(amqp_url: str, tmp_path: Path, foreign: Foreign) -> None:
    async with desk_at(tmp_path, amqp_url) as desk:
        job_id = (await hand_in(desk)).record.id
        await queued(desk, job_id)
        routed = step("routed", "p1", vm="vm1").model_copy(update={"job": job_id})
        foreign.publish(EVENTS, routed.key, event_message(routed, routed.key).body)
        await eventually(lambda: book_of(desk).under_way[job_id].state == "routed")
        orders = foreign.listen(CONTROL, "job.cancel")
        job = await desk.cancel("anna", job_id)
        assert (job.state, job.cancel_asked) == ("routed", True)
        order = await foreign.get(orders)
        assert job_id.encode() in order.body
        assert b'"anna"' in order.body
        assert (await desk.ended("anna", job_id, 0.1)).state == "routed"


async def test_what_no_router_has_taken_up_ends_though_nobody_answers(
    amqp_url: str, tmp_path: Path, foreign: Foreign
) -> None:
    ends: list[str] = []
    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url, holding=True) as vms:
        desk.at_end(lambda _connection, job: ends.append(job.state))
        orders = foreign.listen(CONTROL, "job.cancel")
        job_id = (await hand_in(desk)).record.id
        await vms.has_seen(1)
        await desk.cancel("anna", job_id)
        job = await desk.ended("anna", job_id, SOON)
        assert (job.state, job.cancel_asked, desk.counts("anna").under_way) == ("cancelled", True, 0)
        assert job_id.encode() in (await foreign.get(orders)).body
        vms.release()  # it was taken up just before the order came: the answer is of no use any more
        await desk.ended("anna", (await hand_in(desk)).record.id, SOON)
        assert await desk.get("anna", job_id) == job
        assert not desk.files.result_path(job).exists()
        await eventually(lambda: foreign.depth(vms.seen[0].reply_to or "") == 0)
    assert ends == ["cancelled", "done"]


async def test_a_failed_job_that_is_sent_again_ends_by_its_answer(amqp_url: str, tmp_path: Path) -> None:
    ends: list[str] = []
    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url, complaint) as vms:
        desk.at_end(lambda _db, job: ends.append(job.state))
        job = await desk.ended("anna", (await hand_in(desk)).record.id, SOON)
        replies = vms.seen[0].reply_to or ""
        for user, elsewhere in ("ben", replies), ("anna", "somebody's"), ("anna", None):
            async with desk.reopened(letter(job.id, elsewhere, user)):
                assert await desk.get("anna", job.id) == job
        with desk.follow("anna", job.id) as changes:
            async with desk.reopened(letter(job.id, replies)):
                change = await anext(changes)
                opened = await desk.get("anna", job.id)
                assert isinstance(change, Change)
                assert (change.record, change.id) == (opened, await desk.last_change("anna"))
                assert opened is not None
                assert (opened.state, opened.problem, opened.ended_ms) == ("queued", None, None)
                for sent in vms.seen[0], vms.seen[0].model_copy(update={"replays": 1}):
                    send_answer(vms.bus, (echo if sent.replays else complaint)(sent)[0].to_message(replies))
        ended = await desk.ended("anna", job.id, SOON)
        assert (ended.state, ended.problem) == ("done", None)
    assert ends == ["failed", "done"]


async def test_a_job_that_can_not_be_sent_again_after_all_is_put_back(amqp_url: str, tmp_path: Path) -> None:
    async with desk_at(tmp_path, amqp_url) as desk, Responder(amqp_url, complaint) as vms:
        job = await desk.ended("anna", (await hand_in(desk)).record.id, SOON)
        with pytest.raises(Disconnected):
            async with desk.reopened(letter(job.id, vms.seen[0].reply_to)):
                raise Disconnected("gone")
        after = await desk.get("anna", job.id)
        assert after is not None
        assert after.model_copy(update={"updated_ms": job.updated_ms}) == job
        assert desk.counts("anna").under_way == 0
