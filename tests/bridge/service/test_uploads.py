"""Bodies of requests: as they are, in forms, too large, too slow, and broken."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bridge.service import uploads
from bridge.service.computing import Busy
from bridge.service.uploads import Upload, Uploads
from bus.errors import BadInput

MOST = 100_000
PICTURE = b"\xff\xd8 a picture"


def request(*chunks: bytes, query: str = "", **headers: str) -> Request:
    """A request whose body comes in these chunks."""
    return counted([], *chunks, query=query, **headers)


def counted(taken: list[int], *chunks: bytes, query: str = "", **headers: str) -> Request:
    """The same; `taken` is told the size of each chunk that was asked for."""
    left = list(chunks)

    async def receive() -> Any:
        body = left.pop(0) if left else b""
        taken.append(len(body))
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query.encode(), "headers": named}
    return Request({**scope, "app": None}, receive)


def form(*, files: Any = None, data: Any = None, query: str = "", **headers: str) -> Request:
    """A multipart form as a client writes it."""
    made = httpx.Request("POST", "http://service.example/", files=files, data=data)
    return request(made.read(), query=query, content_type=made.headers["content-type"], **headers)


async def refused(reading: Awaitable[object]) -> tuple[str, str | None]:
    with pytest.raises(BadInput) as caught:
        await reading
    return caught.value.problem.slug, caught.value.problem.field


async def test_a_body_is_read_as_it_is_up_to_the_limit() -> None:
    assert await Uploads().body(request(b"a" * 60_000, b"b" * 40_000), MOST) == b"a" * 60_000 + b"b" * 40_000


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all() -> None:
    for told in (str(MOST + 1), "9" * 400):
        taken: list[int] = []
        large = counted(taken, b"a" * (MOST + 1), content_length=told)
        assert await refused(Uploads().body(large, MOST)) == ("too-many-bytes", None)
        assert taken == []


async def test_a_body_that_does_not_say_so_is_read_no_further_than_the_limit() -> None:
    taken: list[int] = []
    endless = counted(taken, *[b"a" * 30_000] * 1000)
    assert await refused(Uploads().body(endless, MOST)) == ("too-many-bytes", None)
    assert sum(taken) == 120_000


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOAD_S", 0.05)

    async def never() -> Any:
        await asyncio.Event().wait()

    silent = Request({"type": "http", "method": "POST", "headers": [], "query_string": b""}, never)
    with pytest.raises(HTTPException) as caught:
        await Uploads().body(silent, MOST)
    assert caught.value.status_code == 408


async def test_a_body_that_is_still_to_come_is_not_waited_for_by_who_goes_away() -> None:
    asked, coming = asyncio.Event(), Uploads()

    async def never() -> Any:
        asked.set()
        await asyncio.Event().wait()

    def silent(**headers: str) -> Request:
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return Request({"type": "http", "method": "POST", "headers": named, "query_string": b""}, never)

    plain = asyncio.create_task(coming.body(silent(), MOST))
    await asked.wait()
    asked.clear()
    in_a_form = asyncio.create_task(coming.upload(silent(content_type="multipart/form-data; boundary=x"), MOST))
    await asked.wait()
    coming.stop()
    for reading in (plain, in_a_form, asyncio.create_task(coming.body(silent(), MOST))):
        with pytest.raises(Busy, match="going away"):
            await reading


async def test_a_picture_is_the_body_or_the_file_of_a_form() -> None:
    assert await Uploads().upload(request(PICTURE), MOST) == Upload(PICTURE, None)
    assert await Uploads().upload(form(files={"image": ("cat.jpg", PICTURE)}), MOST) == Upload(PICTURE, None)
    large = b"a" * MOST
    assert await Uploads().upload(form(files={"image": large}), MOST) == Upload(large, None)


async def test_params_come_in_the_form_or_the_query_or_a_header() -> None:
    image = {"image": PICTURE}
    assert (await Uploads().upload(request(PICTURE, params="h"), MOST)).params == "h"
    assert (await Uploads().upload(request(PICTURE, query="params=q", params="h"), MOST)).params == "q"
    assert (await Uploads().upload(form(files=image, data={"params": "f"}, query="params=q"), MOST)).params == "f"
    assert (await Uploads().upload(form(files=image, query="params=q"), MOST)).params == "q"
    assert (await Uploads().upload(form(files={**image, "params": (None, "f")}), MOST)).params == "f"


@pytest.mark.parametrize(
    ("broken", "slug", "field"),
    [
        (lambda: form(files={"picture": PICTURE}), "bad-field", "image"),
        (lambda: form(data={"image": "text"}, files={"other": PICTURE}), "bad-field", "image"),
        (lambda: form(files=[("image", PICTURE), ("image", PICTURE)]), "bad-field", "image"),
        (lambda: form(files={"image": PICTURE}, data={"params": "x" * 20_000}), "bad-field", "image"),
        (lambda: form(files={"image": PICTURE}, data=dict.fromkeys("abcde", "x")), "bad-field", "image"),
        (lambda: form(files={"image": b"a" * (MOST + 1)}), "too-many-bytes", None),
        (lambda: form(files={"image": b"a" * (MOST * 2)}), "too-many-bytes", None),
        (lambda: request(b"garbage", content_type="multipart/form-data; boundary=x"), "bad-field", "image"),
        (lambda: request(b"garbage", content_type="multipart/form-data"), "bad-field", "image"),
    ],
    ids=[
        "another name", "no file", "two files", "endless params", "many fields", "large", "very large", "garbage",
        "no boundary",
    ],
)  # fmt: skip
async def test_a_form_that_can_not_be_taken_says_why(
    broken: Callable[[], Request], slug: str, field: str | None
) -> None:
    assert await refused(Uploads().upload(broken(), MOST)) == (slug, field)
