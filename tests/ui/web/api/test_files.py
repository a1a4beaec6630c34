"""Files as responses, where the API's own tests don't reach."""

from pathlib import Path

import pytest
from starlette.requests import Request

from ui.web.api.faults import Gone
from ui.web.api.files import File, give


def request(**headers: str) -> Request:
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": given})


def file(path: Path) -> File:
    return File(path, "image/png", "cup.png", "v1")


async def test_what_was_removed_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Gone):
        await give(request(), file(tmp_path / "removed"))


async def test_it_is_asked_for_again_each_time_so_that_nobody_sees_it_after_a_logout(tmp_path: Path) -> None:
    path = tmp_path / "cup"
    path.write_bytes(b"x")
    first = await give(request(), file(path))
    again = await give(request(**{"if-none-match": first.headers["etag"]}), file(path))
    assert [answer.headers["cache-control"] for answer in (first, again)] == ["private, no-cache"] * 2
    assert (first.status_code, again.status_code) == (200, 304)
