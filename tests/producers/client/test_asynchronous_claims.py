"""The client on a real broker, with pictures and results that don't fit a message."""

from pathlib import Path

import pytest

from bus.answers import Answer
from bus.blobs import Blobs
from bus.errors import BadInput, SetupError
from bus.messages import Job
from producers.client import AsyncClient, Client
from tests.producers.client.responder import Responder

pytestmark = pytest.mark.broker

INLINE = 1000
LARGE = bytes(range(256)) * 8
CLAIM = "results/20300131/" + "0" * 32


def claimed_answer(job: Job) -> list[Answer]:
    return [Answer.to(job, content_type="image/png", body=b"", claim=CLAIM)]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"file://{tmp_path}/blobs"


async def test_a_large_picture_goes_by_claim_and_a_small_one_as_it_is(amqp_url: str, store: str) -> None:
    async with Responder(amqp_url) as responder, AsyncClient(amqp_url, max_image_bytes=INLINE, blobs=store) as client:
        for picture in (LARGE, b"small"):
            await (await client.submit(picture, "sketch")).result(30)
    large, small = responder.seen
    assert (large.body, small.body, small.claim) == (b"", b"small", None)
    assert await Blobs(store).get(large.claim or "") == LARGE


async def test_a_job_submitted_again_has_the_same_claim_and_another_picture_is_refused(
    amqp_url: str, store: str
) -> None:
    async with (
        Responder(amqp_url, holding=True) as responder,
        AsyncClient(amqp_url, max_image_bytes=INLINE, blobs=store) as client,
    ):
        one, two = [await client.submit(LARGE, "sketch", job_id="mine") for _ in range(2)]
        assert one is two
        with pytest.raises(BadInput, match="another job called 'mine'"):
            await client.submit(LARGE + b"!", "sketch", job_id="mine")
        await responder.has_seen(2)
    assert len({job.claim for job in responder.seen}) == 1


async def test_a_result_in_the_store_is_there_as_any_other(amqp_url: str, store: str, tmp_path: Path) -> None:
    async with (
        Responder(amqp_url, claimed_answer),
        AsyncClient(amqp_url, blobs=store) as client,
        AsyncClient(amqp_url) as without,
    ):
        handle = await client.submit(b"picture", "sketch")
        with pytest.raises(BadInput, match="nothing lies at"):
            await handle.result(30)
        file = tmp_path / "blobs" / CLAIM
        file.parent.mkdir(parents=True)
        file.write_bytes(LARGE)
        assert (await handle.result(30)).body == LARGE
        file.unlink()
        assert (await handle.result(30)).body == LARGE  # fetched once
        with pytest.raises(SetupError, match="OVERSPILL_BLOBS"):
            await (await without.submit(b"picture", "sketch")).result(30)


async def test_a_store_that_cannot_be_is_told_at_once() -> None:
    for client in (AsyncClient, Client):
        with pytest.raises(SetupError, match="OVERSPILL_BLOBS is wrong"):
            client("amqp://127.0.0.1/", blobs="carrier-pigeon://loft")
