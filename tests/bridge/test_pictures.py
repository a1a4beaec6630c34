"""Pictures and results too large for a message, in a store that is a folder."""

import asyncio
import threading
from pathlib import Path

import pytest

from bridge.pictures import Pictures, Result, Stowed
from bus.blobs import Blobs, BlobsDown
from bus.errors import BadInput
from bus.messages import Job

JOB = Job(id="j1", operation="sketch", body=b"0123456789")
CLAIM = "results/20300131/" + 32 * "a"
NAME = 32 * "b"


def pictures(folder: Path) -> Pictures:
    return Pictures(Blobs(f"file://{folder}", most_bytes=100), largest_inline=5, link_s=60)


NONE = Pictures(None, largest_inline=5, link_s=60)


async def test_what_fits_is_sent_as_it_is(tmp_path: Path) -> None:
    assert await NONE.stow(JOB, 10) == Stowed(JOB)
    assert await pictures(tmp_path).stow(JOB, 10) == Stowed(JOB)
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240 (a folder of the test)


async def test_what_does_not_fit_is_stowed_and_had_back(tmp_path: Path) -> None:
    store = pictures(tmp_path)
    stowed = await store.stow(JOB, 9)
    assert stowed.claim is not None
    assert (stowed.job.body, stowed.job.claim, stowed.link) == (b"", stowed.claim, None)
    assert await store.fetch(stowed.job, stowed.claim) == JOB
    store.remove(stowed.claim)
    await store.close()
    with pytest.raises(BadInput):
        await store.fetch(stowed.job, stowed.claim)


async def test_without_a_store_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BlobsDown, match="without a blob store"):
        await NONE.stow(JOB, 9)


async def test_a_callers_claim_is_not_ours(tmp_path: Path) -> None:
    job = JOB.model_copy(update={"body": b"", "claim": CLAIM})
    assert await pictures(tmp_path).stow(job, 9) == Stowed(job)
    assert await NONE.stow(job, 9) == Stowed(job)
    assert await NONE.fetch(job, None) == job


async def test_a_result_is_inline_where_it_fits(tmp_path: Path) -> None:
    path = tmp_path / CLAIM
    path.parent.mkdir(parents=True)
    path.write_bytes(b"12345")
    assert await pictures(tmp_path).result(b"", CLAIM, NAME) == Result(b"12345", {}, CLAIM)
    path.write_bytes(b"123456")
    assert await pictures(tmp_path).result(b"", CLAIM, NAME) == Result(b"", {"claim": CLAIM, "link": None})
    with pytest.raises(BadInput, match="OVERSPILL_BLOBS"):
        await NONE.result(b"", CLAIM, NAME)


async def test_a_result_that_came_inline_and_is_too_large_for_a_message_is_stowed_once(tmp_path: Path) -> None:
    assert await NONE.result(b"12345", None, NAME) == Result(b"12345", {})
    first = await pictures(tmp_path).result(b"123456", None, NAME)
    again = await pictures(tmp_path).result(b"123456", None, NAME)
    claim = first.headers["claim"]
    assert (first, first.body, first.claim) == (again, b"", None)
    assert claim is not None
    assert claim.endswith(f"/{NAME}")
    assert (tmp_path / claim).read_bytes() == b"123456"
    for store in (NONE, pictures(tmp_path)):
        with pytest.raises(BadInput) as refused:
            await store.result(b"x" * 101, None, NAME)
        assert refused.value.problem.slug == "too-many-bytes"


async def test_a_pictures_link_lasts_as_long_as_the_cloud_is_waited_for_and_a_results_as_long_as_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(f"file://{tmp_path}", kept_s=86_400)
    monkeypatch.setattr(blobs._files, "sign", lambda path, expiration: f"https://store.example/{expiration}")
    store = Pictures(blobs, largest_inline=5, link_s=60)
    assert (await store.stow(JOB, 9)).link == "https://store.example/120"
    inline = await store.result(b"123456", None, NAME)
    stored = await store.result(b"", inline.headers["claim"], NAME)
    assert [result.headers["link"] for result in (inline, stored)] == ["https://store.example/86400"] * 2


async def test_a_large_result_is_not_fetched_to_learn_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / CLAIM
    path.parent.mkdir(parents=True)
    path.write_bytes(b"123456")
    store = pictures(tmp_path)
    monkeypatch.delattr(Blobs, "get")
    assert (await store.result(b"", CLAIM, NAME)).headers["claim"] == CLAIM


async def test_a_store_that_hangs_is_not_waited_for_when_the_bridge_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs, let_go = Blobs(f"file://{tmp_path}"), threading.Event()
    monkeypatch.setattr(blobs._files, "rm_file", lambda path: let_go.wait(60))
    store = Pictures(blobs, largest_inline=5, link_s=60)
    store.remove(CLAIM)
    try:
        await store.close(grace_s=0.05)
        assert not let_go.is_set()
        assert not store._removing
        assert asyncio.all_tasks() == {asyncio.current_task()}
    finally:
        let_go.set()


async def test_what_is_old_is_swept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old, new = tmp_path / "pictures/20200101/x", tmp_path / "pictures/29990101/x"
    for path in (old, new):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    caplog.set_level("INFO")
    await pictures(tmp_path).sweep(60)
    assert (old.exists(), new.exists()) == (False, True)
    assert "swept 1 days" in caplog.text
    await NONE.sweep(60)
    NONE.remove(CLAIM)


async def test_a_store_that_fails_is_told_and_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = pictures(tmp_path / "file")
    store.remove(CLAIM)
    await store.sweep(60)
    await store.close()
    assert "until it is swept" in caplog.text
    assert "could not be swept" in caplog.text
