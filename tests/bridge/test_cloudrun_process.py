"""The cloud service as a process: its port, its topics on the official emulator, its beginning and its end."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bridge.cloudrun import listen
from bridge.envelope import read_answer
from bridge.service.publishing import PubSubResults
from bus.errors import SetupError
from tests.bridge.a_service import PHOTOGRAPH, envelope, pushed, service
from tests.bridge.topics import Topics
from ui.stack.emulator import PubSubEmulator
from ui.stack.processes import free_port, wait_until

ROOT = Path(__file__).parents[2]
PROCESS = [
    sys.executable,
    "-c",
    "from bridge.cloudrun import serve_cloud; from bus import settings; serve_cloud(settings.load())",
]


def test_a_port_that_is_taken_says_so() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(SetupError, match="PORT"):
        listen("127.0.0.1", taken.getsockname()[1])


@pytest.fixture
def topics(pubsub_emulator: PubSubEmulator) -> Iterator[Topics]:
    topics = Topics(pubsub_emulator.port)
    topics.make_results()
    yield topics
    topics.close()


async def test_jobs_go_from_topic_to_topic_on_pubsub_itself(topics: Topics) -> None:
    results = PubSubResults(topics.settings)
    async with service(results) as running:
        await asyncio.to_thread(topics.make_jobs, f"{running.url}/push")
        for ticket, body in {"t1": PHOTOGRAPH, "t2": b"no picture"}.items():
            await asyncio.to_thread(topics.send, pushed(ticket, body))
        parcels = await asyncio.to_thread(topics.answers, 2)
        await asyncio.to_thread(topics.stop_pushing)
    await results.close()
    answers = {answer.ticket: answer.content_type for answer in map(read_answer, parcels)}
    assert answers == {"t1": "image/jpeg", "t2": "application/problem+json"}


def test_the_process_answers_and_ends_as_it_is_told(topics: Topics) -> None:
    told = topics.settings
    assert told.cloud_project is not None
    assert told.pubsub_emulator_host is not None
    environment = {
        **os.environ,
        "PORT": str(port := free_port()),
        "PUBSUB_EMULATOR_HOST": told.pubsub_emulator_host,
        "OVERSPILL_CLOUD_PROJECT": told.cloud_project,
        "OVERSPILL_CLOUD_PUSH_UNVERIFIED": "true",
        "OVERSPILL_OPERATIONS": "sketch",
        "OVERSPILL_SLOTS": "1",
    }
    process = subprocess.Popen(PROCESS, cwd=ROOT, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    try:
        assert wait_until(port, process, timeout_s=60, amqp=False)
        response = httpx.post(f"http://127.0.0.1:{port}/push", json=envelope(pushed("t1")), timeout=60)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert response.status_code == 204
    assert process.returncode == 0
    assert [parcel.ticket for parcel in topics.answers(1)] == ["t1"]
    assert b"sketch: done after" in said
