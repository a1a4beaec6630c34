"""The results topic, on the official emulator."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bridge.envelope import Parcel
from bridge.service.publishing import PubSubResults, ResultsDown
from bus.errors import SetupError
from bus.messages import LARGEST_BODY
from tests.bridge.a_service import settings
from tests.bridge.topics import Topics
from ui.stack.emulator import PubSubEmulator


@pytest.fixture
def topics(pubsub_emulator: PubSubEmulator) -> Iterator[Topics]:
    topics = Topics(pubsub_emulator.port)
    yield topics
    topics.close()


@pytest.fixture
async def results(topics: Topics) -> AsyncIterator[PubSubResults]:
    results = PubSubResults(topics.settings)
    yield results
    await results.close()


async def test_an_answer_is_published_whole(topics: Topics, results: PubSubResults) -> None:
    topics.make_results()
    sent = Parcel(bytes(range(256)) * (LARGEST_BODY // 256), {"kind": "answer", "ticket": "t1"})
    await results.publish(sent)
    assert topics.answers(1) == [sent]


async def test_a_missing_topic_is_a_passing_fault(topics: Topics, results: PubSubResults) -> None:
    small = Parcel(b"x", {"kind": "answer", "ticket": "t1"})
    results._retry = results._retry.with_timeout(0.1)
    for _ in range(3):
        with pytest.raises(ResultsDown, match="overspill-results does not take the answer"):
            await results.publish(small)
    topics.make_results()
    await results.publish(small)
    assert topics.answers(1) == [small]


async def test_an_emulator_that_was_started_anew_is_given_the_time_to_get_its_topics(
    topics: Topics, results: PubSubResults
) -> None:
    small = Parcel(b"x", {"kind": "answer", "ticket": "t1"})
    publishing = asyncio.create_task(results.publish(small))
    await asyncio.sleep(0.3)  # in which it has met no topic
    assert not publishing.done()
    topics.make_results()
    await publishing


def test_without_a_project_or_credentials_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match="OVERSPILL_CLOUD_PROJECT"):
        PubSubResults(settings(cloud_project=None, pubsub_emulator_host=None))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(SetupError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        PubSubResults(settings(cloud_project="mine", pubsub_emulator_host=None))
