"""Pictures and results too large for a message, as a client sends and gets them, with a folder for a store."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bus.answers import Answer
from bus.blobs import Blobs, BlobsDown
from bus.errors import BadInput, SetupError
from bus.messages import Job, Message
from producers.client.store import Store
from tests.serving import serving

INLINE, MOST = 100, 1000
SOMEONE = "results/20300131/" + "0" * 32
LARGE = Message(body=bytes(INLINE + 1), routing_key="sketch", headers={"user": "ann"}, message_id="1")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(f"file://{tmp_path}/blobs", most_bytes=MOST)


@pytest.fixture
def store(blobs: Blobs) -> Store:
    return Store(blobs, INLINE)


def answer(claim: str | None, link: str | None = None) -> Answer:
    return Answer(job="1", operation="sketch", content_type="image/png", body=b"", claim=claim, link=link)


# -- pictures


async def test_a_picture_that_fits_goes_as_it_is(store: Store) -> None:
    fits = Message(body=bytes(INLINE))
    assert await store.sendable(fits, None) is fits
    assert await Store(None, INLINE).sendable(LARGE, None) is LARGE  # `read` has refused it before


async def test_a_larger_one_is_sent_by_claim(store: Store, blobs: Blobs) -> None:
    job = Job.from_message(await store.sendable(LARGE, None), 0, trusted=False)
    assert (job.body, job.user) == (b"", "ann")
    assert await blobs.get(job.claim or "") == LARGE.body


async def test_a_job_asked_for_again_has_the_same_claim(store: Store) -> None:
    claims = {(await store.sendable(LARGE, asked)).headers["claim"] for asked in (bytes(16), bytes(16), b"\x01" * 16)}
    assert len(claims) == 2
    random = {(await store.sendable(LARGE, None)).headers["claim"] for _ in range(2)}
    assert len(random) == 2


async def test_a_picture_that_must_stay_on_the_site_goes_into_a_folder_and_no_bucket(
    store: Store, gcs_url: str
) -> None:
    local = replace(LARGE, headers={"site": "local"})
    assert "claim" in (await store.sendable(local, None)).headers
    away = Store(Blobs(gcs_url), INLINE)
    with pytest.raises(BadInput) as raised:
        await away.sendable(local, None)
    assert raised.value.problem.slug == "too-many-bytes"
    assert "a folder" in (raised.value.problem.remedy or "")
    assert "claim" in (await away.sendable(LARGE, None)).headers


async def test_a_picture_that_goes_no_way_is_refused_with_the_remedy(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(bytes(MOST + 1))
    for able, limit, remedy in ((Store(None, INLINE), INLINE, "BLOBS"), (store, MOST, "MAX_CLAIM_BYTES")):
        for image in (file, bytes(MOST + 1)):
            with pytest.raises(BadInput) as raised:
                await able.read(image)
            problem = raised.value.problem
            assert (problem.slug, problem.limit) == ("too-many-bytes", limit)
            assert f"OVERSPILL_{remedy}" in (problem.remedy or "")
    assert await store.read(bytes(MOST)) == bytes(MOST)


# -- results


async def test_a_result_that_came_whole_is_left_as_it_is(store: Store) -> None:
    whole = answer(None)
    assert await store.whole(whole) is whole


async def test_a_claimed_result_is_fetched(store: Store, blobs: Blobs) -> None:
    claim = await blobs.put("results", b"result")
    assert (await store.whole(answer(claim))).body == b"result"


async def test_without_a_store_and_a_link_the_setting_is_named() -> None:
    with pytest.raises(SetupError, match=re.escape(f"{SOMEONE}: name that store to the client (`blobs=`, OVERSPILL_")):
        await Store(None, INLINE).whole(answer(SOMEONE))


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[str]:
    """A link to a result, as signed ones are."""
    (tmp_path / "result").write_bytes(b"result")

    with serving(tmp_path) as address:
        yield f"{address}/result"


async def test_a_link_will_do_where_the_store_does_not(store: Store, linked: str, tmp_path: Path) -> None:
    for able in (Store(None, INLINE), store):
        assert (await able.whole(answer(SOMEONE, linked))).body == b"result"
    (tmp_path / "blobs").write_text("a file where a folder should be")
    assert (await store.whole(answer(SOMEONE, linked))).body == b"result"
    with pytest.raises(BlobsDown):
        await store.whole(answer(SOMEONE))
