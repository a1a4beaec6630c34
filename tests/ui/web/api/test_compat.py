"""The paths that answer with the result alone."""

import httpx
import pytest

from tests.ui.web.api.asking import PHOTO
from tests.ui.web.api.house import CAPTION, RESULT, House
from ui.web.api import compat

IMAGE = {"image": ("cup.jpg", PHOTO)}


@pytest.mark.parametrize("path", ["/sketch", "/remove_bg"])
def test_a_picture_for_a_picture(anna: httpx.Client, path: str) -> None:
    answer = anna.post(path, files=IMAGE)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/png", RESULT)
    job = anna.get(f"/api/v1/jobs/{answer.headers['x-overspill-job']}").json()
    assert (job["state"], job["name"]) == ("done", "cup.jpg")


def test_a_picture_for_words(anna: httpx.Client) -> None:
    answer = anna.post("/caption", files=IMAGE)
    assert (answer.status_code, answer.json()) == (200, {"caption": CAPTION})


def test_nothing_in_the_form_changes_what_the_path_says(anna: httpx.Client) -> None:
    assert anna.post("/caption", files=IMAGE, data={"operation": "sketch"}).json() == {"caption": CAPTION}


@pytest.mark.parametrize(
    ("files", "data", "status"),
    [
        (None, None, 422),
        ({"photo": PHOTO}, None, 422),
        ({"image": b"<svg/>"}, None, 415),
        ({"image": b""}, None, 400),
        (IMAGE, {"params": '{"quality": 1}'}, 422),
    ],
)
def test_what_is_wrong_is_said_in_one_field(anna: httpx.Client, files: object, data: object, status: int) -> None:
    answer = anna.post("/sketch", files=files, data=data)  # type: ignore[arg-type]  # as the table has them
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]


def test_what_takes_too_long_goes_on_as_a_job(
    house: House, anna: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compat, "LONGEST_WAIT_S", 0.2)
    house.worker.holds = True
    try:
        answer = anna.post("/sketch", files=IMAGE)
    finally:
        house.call(house.worker.release)
    job = anna.get("/api/v1/jobs", params={"limit": 1}).json()["jobs"][0]
    assert (answer.status_code, list(answer.json())) == (504, ["error"])
    assert job["id"] in answer.json()["error"]


def test_nobody_is_told_so_in_the_same_way(house: House) -> None:
    with house.client() as nobody:
        answer = nobody.post("/sketch", files=IMAGE)
    assert (answer.status_code, list(answer.json())) == (401, ["error"])
    assert answer.headers["www-authenticate"].startswith("Bearer")
