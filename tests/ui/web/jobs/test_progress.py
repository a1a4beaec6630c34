from pathlib import Path

from bus.events import JobEvent, event_message
from bus.topology import EVENTS
from tests.bus.rabbit.foreign import Foreign, eventually
from tests.ui.web.jobs.office import NOWHERE, Office, office_at, step
from ui.web.jobs.progress import Progress
from ui.web.jobs.record import Change, Record


def heard(office: Office, progress: Progress, job: Record, *events: JobEvent) -> None:
    for event in events:
        mine = event.model_copy(update={"job": job.id})
        progress.heard(mine, event_message(mine, mine.key).body)


async def test_steps_of_our_jobs_are_heard_and_all_else_passed_over(
    amqp_url: str, tmp_path: Path, foreign: Foreign
) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        job, progress = await office.add(), Progress(office.bus, office.book, office.replayed, office.clock)
        await progress.start()
        running = step("running", "p1").model_copy(update={"job": job.id})
        strangers = [running.model_copy(update={"job": "x"}), running.model_copy(update={"user": "ben"})]
        for body in [b"garbage", b'{"kind": "vm", "state": "lost", "vm": "vm1", "at_ms": 1}']:
            foreign.publish(EVENTS, "job.odd", body)
        for event in [*strangers, running]:
            foreign.publish(EVENTS, event.key, event_message(event, event.key).body)
        await eventually(lambda: office.book.under_way[job.id].state == "running")
        assert len(await office.book.events(job.id)) == 1
        await progress.close()
        await progress.close()


async def test_a_new_place_in_line_is_shown_once_a_second_and_not_kept(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job, progress = await office.add(), Progress(office.bus, office.book, office.replayed, office.clock)
        places, shown = iter(range(100, 1, -1)), []
        with office.book._followers.follow("anna") as changes:
            for passed_ms in [0, 500, 400, 200, 1000]:
                office.clock.now_ms += passed_ms
                heard(office, progress, job, step("waiting", place=next(places)))
                await office.book.write()
                shown.append(office.book.under_way[job.id].place)
            change = await anext(changes)
        assert shown == [100, 99, 99, 99, 96]
        assert isinstance(change, Change)
        assert change.id is None
        assert await office.book.events(job.id) == []
        heard(office, progress, job, step("routed", "p1"), step("retried", "p1"), step("waiting", "p1", place=1))
        assert office.book.under_way[job.id].place == 1


async def test_of_jobs_that_end_unheard_nothing_is_remembered(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        progress = Progress(office.bus, office.book, office.replayed, office.clock)
        in_line = [step("waiting", place=9), step("waiting", place=8)]
        for number in range(5):
            heard(office, progress, await office.add(number, body=None), *in_line)
        office.clock.now_ms += 1000
        heard(office, progress, last := await office.add(9, body=None), *in_line)
        assert list(progress._shown_ms) == [last.id]


async def test_an_event_that_says_nothing_new_is_kept_all_the_same(tmp_path: Path) -> None:
    async with office_at(tmp_path, NOWHERE, connect=False) as office:
        job, progress = await office.add(), Progress(office.bus, office.book, office.replayed, office.clock)
        heard(office, progress, job, step("running", "p1"), step("routed", "p1"))
        assert office.book.under_way[job.id].state == "running"
        assert [step_["state"] for step_ in map(parsed, await office.book.events(job.id))] == ["running", "routed"]


def parsed(document: str) -> dict[str, str]:
    return JobEvent.model_validate_json(document).model_dump()
