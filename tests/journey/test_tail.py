"""Who listens with any AMQP client, who runs `overspill tail`, and who asks later are told the same of a job."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.events import JobEvent, read_event
from tests.bus.rabbit.foreign import PATIENCE_S, Foreign
from tests.journey.pictures import photograph
from ui.commands.why_view import in_order

pytestmark = [pytest.mark.journey, pytest.mark.broker]

JOBS = ("first", "second", "third")
STEPS = {(job, state) for job in JOBS for state in ("routed", "running", "done")}
TAIL = [sys.executable, "-m", "ui.cli", "tail", "job.#"]


def step(body: bytes) -> JobEvent:
    event = read_event(body)
    assert isinstance(event, JobEvent)
    return event


def environment(url: str, folder: Path) -> dict[str, str]:
    return os.environ | {"AMQP_URL": url, "OVERSPILL_STATE_DIR": str(folder)}


@pytest.fixture
def tailing(stack: str, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`overspill tail job.#` in a pipe, listening."""
    with subprocess.Popen(
        TAIL, env=environment(stack, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"Listening for job.#\n"
        yield process
        process.terminate()


def all_steps(lines: Iterator[bytes]) -> list[JobEvent]:
    """What is told until each job was placed, ran and ended; a router may tell of it later than a VM."""
    seen: list[JobEvent] = []
    while not {(event.job, event.state) for event in seen} >= STEPS:
        seen.append(step(next(lines)))
    return seen


def taken(client: Foreign, queue: str) -> Iterator[bytes]:
    """What a plain AMQP client finds in its queue."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        if got := client.taken(queue):
            yield got.body
        else:
            time.sleep(0.01)
    raise AssertionError("the jobs never ended")


def of_each_job(events: list[JobEvent]) -> dict[str, list[JobEvent]]:
    """The steps of each job; of two processes that speak at the same moment, the router first."""
    return {job: in_order([event for event in events if event.job == job]) for job in JOBS}


def test_all_are_told_the_same_in_the_same_order(
    stack: str, tailing: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    with Foreign(stack) as client:
        heard, answers = client.listen("events", "job.#"), client.queue()
        for job in JOBS:
            client.publish("jobs", "sketch", photograph(64, 48), message_id=job, reply_to=answers)
        foreign = all_steps(taken(client, heard))
    assert tailing.stdout is not None
    live = all_steps(iter(tailing.stdout))
    assert of_each_job(live) == of_each_job(foreign)
    assert [event.state for event in of_each_job(live)["first"]] == ["routed", "running", "done"]

    later = subprocess.run(
        [*TAIL, "--since", "5m", "--no-follow"], env=environment(stack, tmp_path), capture_output=True, check=True
    )
    assert [event for event in map(step, later.stdout.splitlines()) if event.job in JOBS] == live


def test_one_job_s_story_can_be_had_afterwards(stack: str, tmp_path: Path) -> None:
    with Foreign(stack) as client:
        answers = client.queue()
        heard = client.listen("events", "job.failed.sketch")
        client.publish("jobs", "sketch", b"no picture", message_id="bad", reply_to=answers)
        next(taken(client, heard))
    told = subprocess.run(
        [*TAIL, "--since", "5m", "--no-follow", "--job", "bad"],
        env=environment(stack, tmp_path),
        capture_output=True,
        check=True,
    )
    steps = [step(line) for line in told.stdout.splitlines()]
    assert {event.job for event in steps} == {"bad"}
    assert in_order(steps)[-1].problem == "not-an-image"
