"""Bodies before the guard: too large, without an end, or lying about their length."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.ui.web.asked import MIB, Page, problem
from ui.web import bounds


@pytest.mark.parametrize(("path", "most"), [("/api/v1/webhooks", MIB), ("/api/v1/jobs", 16 * MIB + MIB // 2)])
async def test_a_body_that_says_it_is_too_large_is_not_read(asking: Page, path: str, most: int) -> None:
    def unread() -> Iterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    async def body() -> AsyncIterator[bytes]:
        for chunk in unread():
            yield chunk

    answer = await asking.http.post(path, content=body(), headers={"content-length": str(most + 1)})
    assert problem(answer) == (413, "too-many-bytes")


@pytest.mark.parametrize("length", ["", "-1", "1e3", "9" * 30])
async def test_a_length_that_is_none(asking: Page, length: str) -> None:
    answer = await asking.http.post("/api/v1/jobs", content=b"", headers={"content-length": length})
    assert problem(answer) == (400, "bad-request")


async def test_ten_gigabytes_in_pieces_are_cut_off_at_the_bound(asking: Page) -> None:
    piece, sent = b"x" * 65_536, 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(10 * 1024 * 16):
            sent += len(piece)
            yield piece

    tracemalloc.start()
    answer = await asking.http.post("/api/v1/jobs", content=body())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem(answer) == (413, "too-many-bytes")
    assert answer.headers["connection"] == "close"
    assert sent <= 17 * MIB
    assert peak < 8 * MIB


async def test_a_body_that_never_ends_is_cut_off(asking: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PATIENCE_S", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.Event().wait()

    assert problem(await asking.http.post("/api/v1/webhooks", content=body())) == (408, "too-slow")
