"""`overspill why` on a real broker."""

import json
import time

import pytest

from bus.events import JobEvent, event_message
from bus.rabbit import Bus
from bus.topology import EVENTS, shared
from tests.ui.commands.conftest import Overspill
from ui.commands import why
from ui.commands.why import begins_here, event_of, events_of

pytestmark = pytest.mark.broker


def step(state: str, job: str = "j1", user: str = "anna") -> JobEvent:
    given = {"state": state, "job": job, "operation": "sketch", "user": user, "at_ms": time.time_ns() // 1_000_000}
    return JobEvent.model_validate(given | {"vm": "vm1", "route": "vm"})


async def tell(url: str, *events: JobEvent) -> None:
    async with Bus(url, name="teller", topology=shared()) as bus:
        for event in events:
            await bus.publish(EVENTS, event_message(event, event.key))


@pytest.fixture
async def url(amqp_url: str) -> str:
    """A broker that has heard of three jobs, two of one id."""
    await tell(
        amqp_url, step("running", "j2"), step("running"), step("running", user="ben"), step("done"), step("done", "j2")
    )
    return amqp_url


async def test_a_job_s_story_is_told(overspill: Overspill, url: str) -> None:
    ran = overspill("why", "j1", url=url)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Job j1 of anna: sketch, done after ")
    assert "Job j1 of ben: sketch, running" in ran.stdout
    assert "j2" not in ran.stdout


async def test_programs_get_the_events_of_the_user_they_name(overspill: Overspill, url: str) -> None:
    ran = overspill("why", "j1", "--json", "--user", "anna", "--since", "15m", url=url)
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(event["state"], event["user"]) for event in told] == [("running", "anna"), ("done", "anna")]


async def test_no_trace_is_a_failure_with_a_remedy(overspill: Overspill, url: str) -> None:
    ran = overspill("why", "j1", "--json", "--user", "carl", "--since", "2h", url=url)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "No trace of job j1 of carl in the last 2h" in ran.stderr
    assert "--since" in ran.stderr


async def test_an_id_that_json_writes_otherwise_is_found(amqp_url: str) -> None:
    odd = 'naïve "猫"\n\\\x7f/\x01'
    await tell(amqp_url, step("done", odd), step("done", "naïve"))
    assert [event.job for event in await events_of(odd, amqp_url, 0)] == [odd]


async def test_the_beginning_of_an_id_is_enough_where_it_is_one_job_s(overspill: Overspill, amqp_url: str) -> None:
    await tell(amqp_url, step("done", "0123456789abcdef"), step("done", "01234567"), step("done", "012345678999"))
    only = overspill("why", "0123456789a", "--json", url=amqp_url)
    assert [json.loads(line)["job"] for line in only.stdout.splitlines()] == ["0123456789abcdef"]
    very = overspill("why", "01234567", "--json", url=amqp_url)
    assert [json.loads(line)["job"] for line in very.stdout.splitlines()] == ["01234567"]
    several = overspill("why", "012345678", url=amqp_url)
    assert several.returncode == 1
    assert "2 jobs' ids begin with 012345678; name one by more of it:" in several.stderr
    assert "0123456789abcdef" in several.stderr
    short = overspill("why", "0123456", url=amqp_url).stderr
    assert "No trace of job 0123456 in the last 24h" in short
    assert "As a beginning of one it is too short: 8 characters are needed." in short
    assert "characters" not in overspill("why", "76543210", url=amqp_url).stderr


def test_a_span_that_can_not_be_meant_is_refused_before_anything_is_asked(overspill: Overspill) -> None:
    ran = overspill("why", "j1", "--since", "yesterday", url="amqp://127.0.0.1:1")
    assert ran.returncode == 2
    assert "as in 24h" in ran.stderr


def test_a_span_before_there_was_a_broker_is_refused_as_plainly(overspill: Overspill) -> None:
    ran = overspill("why", "j1", "--since", "30000d", url="amqp://127.0.0.1:1")
    assert ran.returncode == 2
    assert "365d or less" in ran.stderr


async def test_a_year_can_be_looked_back(overspill: Overspill, url: str) -> None:
    assert overspill("why", "j1", "--since", "365d", url=url).returncode == 0


async def test_how_far_the_reading_is_is_shown(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why, "_A_LOOK", 2)
    steps = [step("running", f"j{number}") for number in range(5)]
    await tell(amqp_url, *steps)
    shown: list[int] = []
    await events_of("j0", amqp_url, 0, show=shown.append)
    assert shown[:2] == [steps[1].at_ms, steps[3].at_ms]


@pytest.mark.parametrize(
    ("first", "is_one"),
    [
        (step("routed"), True),
        (step("failed"), True),
        (step("routed").model_copy(update={"attempt": 2}), False),
        (step("running"), False),
        (step("replayed"), False),
        (step("routed").model_copy(update={"waited_ms": 3_600_000}), False),
        (step("failed").model_copy(update={"waited_ms": 1, "ran_ms": 900_000}), False),
    ],
    ids=["routed", "refused", "a second attempt", "running", "sent again", "parked for an hour", "run for long"],
)
def test_a_story_that_begins_in_the_last_minutes_needs_no_more_reading(first: JobEvent, is_one: bool) -> None:
    assert begins_here(first, first.at_ms - 900_000) is is_one


def test_only_a_step_of_the_very_job_counts() -> None:
    event = step("done")
    assert event_of(event.model_dump_json().encode(), "j1") == event
    assert event_of(step("done", user="j1", job="j2").model_dump_json().encode(), "j1") is None
    assert event_of(b'{"job": "j1"', "j1") is None
