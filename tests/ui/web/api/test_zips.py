import io
import zipfile

import httpx

from tests.ui.web.api.asking import ended, submit
from tests.ui.web.api.house import CAPTION, RESULT


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
