import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.cloud import Arrival, Cloud, CloudDown, Unsendable
from bridge.envelope import Parcel
from bridge.pubsub import resources
from bus.errors import SetupError
from bus.settings import Settings
from bus.topology import OPERATIONS
from tests.bridge.tiny_http import Request, TinyHttp, response
from tests.bus.rabbit.foreign import eventually
from tests.emulators import running
from tests.needed import need_package
from ui.stack.emulator import PubSubEmulator

need_package("google.cloud.pubsub_v1", "bridge")
from bridge.pubsub import pubsub_cloud as module  # noqa: E402 (what it needs may be missing)
from bridge.pubsub.clients import Clients  # noqa: E402
from bridge.pubsub.pubsub_cloud import PubSubCloud  # noqa: E402

# What every cloud must keep is in test_clouds.py; here is what is Pub/Sub's own.
PATIENCE_S = 40


def settings(host: str, **given: object) -> Settings:
    told = {
        "pubsub_emulator_host": host,
        "cloud_project": f"test-{uuid.uuid4().hex[:12]}",
        "cloud_services": "sketch=http://127.0.0.1:9",
    }
    return Settings.model_validate({**told, **given})


def job(ticket: str = "ticket", operation: str = "sketch", body: bytes = b"picture") -> Parcel:
    return Parcel(body, {"kind": "job", "ticket": ticket, "operation": operation})


class Far:
    """Who publishes answers."""

    def __init__(self, chosen: Settings) -> None:
        self._clients = Clients(chosen)
        self._topic = resources.results_topic(chosen)

    async def answer(self, *tickets: str) -> None:
        for ticket in tickets:
            await asyncio.wrap_future(self._clients.publisher.publish(self._topic, b"", kind="answer", ticket=ticket))

    def close(self) -> None:
        self._clients.close()


@pytest.fixture
def chosen(pubsub_emulator: PubSubEmulator) -> Settings:
    return settings(pubsub_emulator.host)


@pytest.fixture
def far(chosen: Settings) -> Iterator[Far]:
    far = Far(chosen)
    yield far
    far.close()


@asynccontextmanager
async def opened(chosen: Settings) -> AsyncIterator[tuple[Cloud, AsyncIterator[Arrival]]]:
    cloud = PubSubCloud(chosen)
    await cloud.open()
    try:
        yield cloud, aiter(cloud.answers())
    finally:
        await cloud.close()


async def next_ticket(answers: AsyncIterator[Arrival]) -> str:
    arrival = await asyncio.wait_for(anext(answers), PATIENCE_S)
    arrival.done()
    return arrival.parcel.ticket


def test_without_a_project_there_is_no_cloud() -> None:
    with pytest.raises(SetupError, match="OVERSPILL_CLOUD_PROJECT"):
        PubSubCloud(Settings(cloud_project=None, pubsub_emulator_host=None))


def test_it_takes_the_operations_that_have_a_service_or_all_when_none_is_known() -> None:
    assert PubSubCloud(settings("h:1")).operations == ("sketch",)
    assert PubSubCloud(settings("h:1", cloud_services="")).operations == OPERATIONS
    assert PubSubCloud(settings("h:1")).capacity() is None


async def test_nothing_is_sent_before_it_is_open() -> None:
    with pytest.raises(CloudDown, match="open"):
        await PubSubCloud(settings("h:1")).send(job())


@pytest.mark.parametrize(
    ("parcel", "said"),
    [
        (job(body=bytes(10_000_000)), "bytes are more than the 10,000,000 of a Pub/Sub message. Set OVERSPILL_BLOBS"),
        (job(operation="caption"), "The cloud is sent sketch: see OVERSPILL_CLOUD_SERVICES"),
    ],
    ids=["too large", "no service"],
)
async def test_what_can_never_be_sent_is_told_apart(parcel: Parcel, said: str) -> None:
    with pytest.raises(Unsendable, match=said):
        await PubSubCloud(settings("h:1")).send(parcel)


async def test_answers_to_trials_are_nobody_elses(chosen: Settings, far: Far) -> None:
    async with opened(chosen) as (_, answers):
        await far.answer(f"{resources.CANARY}1", "real")
        assert await next_ticket(answers) == "real"


async def test_parcels_wait_for_their_turn_and_a_large_one_gets_one(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ON_ITS_WAY_BYTES", 1000)
    async with opened(chosen) as (cloud, _):
        await asyncio.gather(*(cloud.send(job(f"{number}", body=bytes(700 * number))) for number in range(8)))


async def test_what_the_service_behind_an_emulator_does_not_serve_is_left_out(chosen: Settings) -> None:
    async def ready(_request: Request) -> bytes:
        return response(200, b'{"operations": ["sketch", "remove-background"]}')

    service = await TinyHttp(ready).start()
    async with opened(chosen.model_copy(update={"cloud_services": (("", service.url),)})) as (cloud, _):
        await eventually(lambda: cloud.operations == ("sketch", "remove-background"))
    await service.stop()


async def test_a_topic_that_is_gone_is_made_anew_on_an_emulator(chosen: Settings) -> None:
    clients = Clients(chosen)
    async with opened(chosen) as (cloud, _):
        clients.publisher.delete_topic(topic=resources.jobs_topic(chosen, "sketch"))
        await cloud.send(job())
    clients.close()


async def test_a_topic_that_would_swallow_jobs_is_not_made_but_told_with_the_remedy(chosen: Settings) -> None:
    nowhere = chosen.model_copy(update={"cloud_services": ()})
    clients = Clients(chosen)
    async with opened(nowhere) as (cloud, _):
        with pytest.raises(CloudDown, match=r"no topic .* `overspill cloud init`"):
            await cloud.send(job())
        clients.publisher.create_topic(name=resources.jobs_topic(chosen, "sketch"))
        await cloud.send(job())
    clients.close()


async def test_what_is_missing_on_google_is_not_made_by_the_bridge(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clients, "emulated", False)
    cloud = PubSubCloud(chosen)
    with pytest.raises(SetupError, match=r"There is no subscription .*overspill-results-pull.* `overspill cloud init`"):
        await cloud.open()
    with pytest.raises(CloudDown, match=r"no topic .* `overspill cloud init`"):
        await cloud.send(job())
    await cloud.close()


async def test_answers_end_when_they_cannot_be_pulled_any_more(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def surprise(*_: object) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("bridge.pubsub.pull.Stream", surprise)
    async with opened(chosen) as (_, answers):
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(answers), PATIENCE_S)
    assert "overspill-results-pull is not pulled any more" in caplog.text
    assert "nobody thought of this" in caplog.text


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[PubSubEmulator]:
    """An emulator of the test's own, to restart."""
    with running(tmp_path / "emulator") as emulator:
        yield emulator


async def test_an_emulator_that_was_restarted_is_set_up_again_and_goes_on(emulator: PubSubEmulator) -> None:
    chosen = settings(emulator.host)
    far = Far(chosen)
    async with opened(chosen) as (cloud, answers):
        await far.answer("before", "under way")
        assert await next_ticket(answers) == "before"
        under_way = await asyncio.wait_for(anext(answers), PATIENCE_S)

        emulator.restart()

        await cloud.send(job())
        await far.answer("after", "again", "kept")
        after, again, _ = [await asyncio.wait_for(anext(answers), PATIENCE_S) for _ in range(3)]
        under_way.done()  # the emulator has forgotten it, and given its name to another message
        after.done()
        again.again()
        assert await next_ticket(answers) == "again"
    async with opened(chosen) as (_, answers):
        assert await next_ticket(answers) == "kept"
    far.close()
