import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from bus.errors import BadInput
from bus.messages import Job
from bus.topology import JOBS, JOBS_LANES, JOBS_UNKNOWN
from tests.bus.rabbit.foreign import Foreign, eventually, network
from tests.producers.client.responder import Responder
from tests.ui.web.jobs.office import DAY_MS, NOW, PHOTO, Office, office_at, record
from ui.web.jobs.moves import cancelled
from ui.web.jobs.record import Picture
from ui.web.jobs.sender import PATIENCE_MS, Room, Sender, message_of

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def sender_of(office: Office) -> Sender:
    return Sender(office.bus, office.book, office.files, office.terms)


def test_a_job_as_a_message() -> None:
    given = record(params={"format": "png"}, site="local", priority=7, traceparent=TRACE)
    message = message_of(given, PHOTO, "page.1", NOW + 600_000)
    job = Job.from_message(message, NOW + 600_000)
    assert (job.id, job.user, job.operation, job.params) == (given.id, "anna", "sketch", {"format": "png"})
    assert (job.site, job.priority, job.traceparent, job.reply_to) == ("local", 7, TRACE, "page.1")
    assert (message.expiration, message.correlation_id, job.body) == ("3000000", given.id, PHOTO)


def test_what_the_contract_forbids_is_refused() -> None:
    with pytest.raises(BadInput, match="params"):
        message_of(record(params={"a": "x" * 20_000}), PHOTO, "page.1", NOW)


async def test_room_is_for_so_many_bytes_or_for_one_picture() -> None:
    room = Room(100)
    await room.take(60)
    second = asyncio.ensure_future(room.take(60))
    third = asyncio.ensure_future(room.take(500))
    await asyncio.sleep(0.01)
    assert (second.done(), third.done()) == (False, False)
    room.give(60)
    await second
    room.give(60)
    await third


async def test_jobs_are_sent_once_and_known_to_be(amqp_url: str, tmp_path: Path) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office, Responder(amqp_url, holding=True) as vms:
        left = await office.add(1)
        sender = sender_of(office)
        sender.start()
        new = await office.add(2, user="ben")
        sender.add(new)
        await vms.has_seen(2)
        await eventually(lambda: {job.state for job in office.book.under_way.values()} == {"queued"})
        assert {job.id for job in vms.seen} == {left.id, new.id}
        await eventually(lambda: not sender.is_sending(left.id))
        await sender.close()
        again = sender_of(office)
        again.start()
        await asyncio.sleep(0.2)
        assert len(vms.seen) == 2
        await again.close()


async def test_a_user_with_many_jobs_keeps_nobody_waiting(amqp_url: str, tmp_path: Path) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office, Responder(amqp_url, holding=True) as vms:
        half = Picture(bytes=16 << 20, type="image/png")  # two at a time
        for number in range(8):
            await office.add(number, picture=half)
        await office.add(99, user="ben", picture=half)
        sender = sender_of(office)
        sender.start()
        await vms.has_seen(9)
        assert "ben" in [job.user for job in vms.seen[:4]]
        await sender.close()


async def test_a_job_that_is_answered_before_it_is_confirmed_stays_ended(amqp_url: str, tmp_path: Path) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office:
        job = await office.add()
        sender = sender_of(office)
        sender._taken(job.id)
        assert await office.state(job) == ["queued"]
        del office.book.under_way[job.id]
        sender._taken(job.id)
        assert job.id not in office.book.under_way


async def test_unconfirmed_jobs_are_sent_again_under_the_same_id(amqp_url: str, tmp_path: Path) -> None:
    async with (
        network(amqp_url) as between,
        office_at(tmp_path, between.url, lanes=True) as office,
        Responder(amqp_url, holding=True) as vms,
    ):
        sender = sender_of(office)
        sender.start()
        between.freeze()
        job = await office.add()
        sender.add(job)
        await eventually(lambda: sender.is_sending(job.id))
        between.cut()
        between.mend()
        await eventually(lambda: office.book.under_way[job.id].state == "queued")
        assert {seen.id for seen in vms.seen} <= {job.id}
        await vms.has_seen(1)
        await sender.close()


async def test_a_broker_that_keeps_refusing_ends_the_job(amqp_url: str, tmp_path: Path, foreign: Foreign) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office:
        foreign.channel.exchange_unbind(JOBS_LANES, JOBS, "sketch")
        foreign.channel.queue_unbind(JOBS_UNKNOWN, JOBS_UNKNOWN, "")
        job = await office.add()
        sender = sender_of(office)
        sender.start()
        await eventually(lambda: sender._refused[job.id].count == 1)
        assert await office.state(job) == ["accepted"]
        office.clock.now_ms += PATIENCE_MS
        await eventually(lambda: job.id not in office.book.under_way)
        ended = await office.book.one("anna", job.id)
        assert ended is not None
        assert ended.problem is not None
        assert (ended.state, ended.problem.slug) == ("failed", "not-ready")
        await sender.close()


async def test_the_time_without_a_broker_is_no_refusal(amqp_url: str, tmp_path: Path, foreign: Foreign) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office:
        foreign.channel.exchange_unbind(JOBS_LANES, JOBS, "sketch")
        foreign.channel.queue_unbind(JOBS_UNKNOWN, JOBS_UNKNOWN, "")
        left = await office.add()
        sender = sender_of(office)
        sender.start()
        office.clock.now_ms += 2 * PATIENCE_MS
        await eventually(lambda: sender._refused[left.id].count == 1)
        assert await office.state(left) == ["accepted"]
        await sender.close()


async def test_what_can_not_be_sent_any_more_ends(amqp_url: str, tmp_path: Path) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office:
        late = await office.add(1, deadline_ms=NOW)
        lost = await office.add(2, body=None)
        wrong = await office.add(3, params={"much": "x" * 20_000})
        unwanted = await office.add(4, cancel_asked=True)
        sender = sender_of(office)
        sender.start()
        await eventually(lambda: not office.book.under_way)
        ended = [await office.book.one("anna", job.id) for job in (late, lost, wrong, unwanted)]
        slugs = [job.problem.slug for job in ended if job is not None and job.problem is not None]
        assert slugs == ["expired", "surprise", "bad-field", "cancelled"]
        await sender.close()


async def test_what_is_called_off_in_line_is_passed_over(amqp_url: str, tmp_path: Path) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office, Responder(amqp_url, holding=True) as vms:
        gone, next_ = await office.add(1), await office.add(2)
        sender = sender_of(office)
        sender.start()
        del office.book.under_way[gone.id]
        await vms.has_seen(1)
        assert [job.id for job in vms.seen] == [next_.id]
        assert not sender.is_sending(gone.id)
        await sender.close()


async def test_what_is_called_off_this_very_moment_is_not_sent(amqp_url: str, tmp_path: Path) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office, Responder(amqp_url, holding=True) as vms:
        gone, next_ = await office.add(1), await office.add(2)
        disk = threading.Event()
        waiting = asyncio.ensure_future(office.database.run(lambda _connection: disk.wait(10)))
        ending = asyncio.ensure_future(office.book.end({gone.id: partial(cancelled, now_ms=NOW, kept_ms=DAY_MS)}))
        sender = sender_of(office)
        sender.start()
        await vms.has_seen(1)
        disk.set()
        await asyncio.gather(waiting, ending)
        await eventually(lambda: not sender.is_sending(gone.id))
        assert [job.id for job in vms.seen] == [next_.id]
        await sender.close()


async def test_what_is_called_off_while_it_is_refused_is_not_tried_again(
    amqp_url: str, tmp_path: Path, foreign: Foreign
) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office:
        foreign.channel.exchange_unbind(JOBS_LANES, JOBS, "sketch")
        foreign.channel.queue_unbind(JOBS_UNKNOWN, JOBS_UNKNOWN, "")
        job = await office.add()
        sender = sender_of(office)
        sending = asyncio.ensure_future(sender._carry(job.id))
        await asyncio.sleep(0)
        del office.book.under_way[job.id]
        await sending
        assert not sender.is_sending(job.id)
        await sender.close()


async def test_a_fault_of_ours_does_not_stop_the_others(
    amqp_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with office_at(tmp_path, amqp_url, lanes=True) as office, Responder(amqp_url, holding=True) as vms:
        odd = await office.add(1, deadline_ms=NOW - 1, name="x" * 100_000, given_up_for="y" * 100_000)
        fine = await office.add(2)
        await office.limit(1)  # it can't even be ended
        sender = sender_of(office)
        sender.start()
        await vms.has_seen(1)
        await eventually(lambda: "could not be sent; trying again" in caplog.text)
        await office.limit(100_000)
        await eventually(lambda: odd.id not in office.book.under_way)
        assert [job.id for job in vms.seen] == [fine.id]
        await sender.close()
