import io
import zipfile
from types import SimpleNamespace
from typing import Any

import httpx

from tests.ui.web.api.asking import ended, submit
from tests.ui.web.api.house import CAPTION, RESULT
from tests.ui.web.jobs.office import record
from ui.web.api import zips
from ui.web.jobs.record import Record, Result


def files(answer: httpx.Response) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_all_results_in_one_file(anna: httpx.Client) -> None:
    for operation, name in (("sketch", "cup.jpg"), ("sketch", "CUP.jpg"), ("caption", "../ö.png")):
        ended(anna, submit(anna, operation=operation, name=name).json()["id"])
    ended(anna, submit(anna, params='{"quality": 1}').json()["id"])  # failed: it has none

    answer = anna.get("/api/v1/zip")

    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="overspill.zip"'
    assert files(answer) == {
        "ö-caption.txt": f"{CAPTION}\n".encode(),
        "CUP-sketch.png": RESULT,
        "cup-sketch (2).png": RESULT,
    }


def test_some_results(anna: httpx.Client) -> None:
    jobs = [ended(anna, submit(anna, name=f"{name}.jpg").json()["id"])["id"] for name in "abc"]
    answer = anna.get("/api/v1/zip", params={"ids": f"{jobs[2]},{jobs[0]},{jobs[2]}"})
    assert list(files(answer)) == ["c-sketch.png", "a-sketch.png"]


def test_nothing_in_a_file(anna: httpx.Client) -> None:
    assert files(anna.get("/api/v1/zip")) == {}


def test_only_ones_own(anna: httpx.Client, ben: httpx.Client) -> None:
    theirs = ended(ben, submit(ben).json()["id"])["id"]
    failed = ended(anna, submit(anna, params='{"quality": 1}').json()["id"])["id"]
    assert anna.get("/api/v1/zip", params={"ids": theirs}).status_code == 404
    assert anna.get("/api/v1/zip", params={"ids": failed}).status_code == 404
    assert anna.get("/api/v1/zip", params={"ids": "no-id"}).status_code == 422


async def test_of_very_many_jobs_few_are_in_memory() -> None:
    asked: list[int | None] = []

    async def page_of(_user: str, *, limit: int, before: int | None, **_wanted: object) -> list[Record]:
        asked.append(before)
        newest = 451 if before is None else before
        caption = Result(bytes=9, type="text/plain", caption="a cup")
        return [record(number=number, result=caption) for number in range(newest - 1, max(newest - 1 - limit, 0), -1)]

    desk: Any = SimpleNamespace(page_of=page_of)
    archive = zips.zipped(desk, zips._done(desk, "anna"))
    pieces = [await anext(archive)]
    assert asked == [None]
    pieces += [piece async for piece in archive]
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as read:
        assert len(set(read.namelist())) == 450
    assert asked == [None, 251, 51, 1]
