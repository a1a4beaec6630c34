"""Files as responses, where the API's own tests don't reach."""

from pathlib import Path

import pytest
from starlette.requests import Request

from bus.clock import now_ms
from ui.web.api.faults import Gone
from ui.web.api.files import File, give


def request(**headers: str) -> Request:
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": given})


def file(path: Path) -> File:
    return File(path, "image/png", "cup.png", "v1")


async def test_what_was_removed_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Gone):
        await give(request(), file(tmp_path / "removed"), now_ms())


@pytest.mark.parametrize(("left_ms", "kept"), [(90_500, "private, max-age=90, immutable"), (0, "private, no-cache")])
async def test_it_is_kept_no_longer_than_it_is_there(tmp_path: Path, left_ms: int, kept: str) -> None:
    path = tmp_path / "cup"
    path.write_bytes(b"x")
    answer = await give(request(), file(path), now_ms() + left_ms)
    assert answer.headers["cache-control"] == kept
