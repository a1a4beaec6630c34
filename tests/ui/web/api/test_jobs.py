"""Jobs over HTTP, as a program sees them."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.ui.web.api.asking import PHOTO, ended, submit
from tests.ui.web.api.house import CAPTION, RESULT, House
from ui.web.people.limits import Rate

WAIT = {"prefer": "wait=20"}
SOME_ID = "0" * 32


@pytest.fixture
def slow(house: House) -> Iterator[House]:
    """The worker keeps what it gets, until it is told otherwise."""
    house.worker.holds = True
    yield house
    house.call(house.worker.release)


def test_a_picture_is_handed_in_and_done(anna: httpx.Client) -> None:
    accepted = submit(anna, name="../cup.jpg", params='{"style": "charcoal"}')

    assert accepted.status_code == 202
    job = accepted.json()
    assert accepted.headers["location"] == job["url"] == f"/api/v1/jobs/{job['id']}"
    assert (job["operation"], job["params"], job["name"]) == ("sketch", {"style": "charcoal"}, "cup.jpg")
    assert (job["picture"]["bytes"], job["picture"]["type"]) == (len(PHOTO), "image/png")
    assert (job["picture"]["width"], job["picture"]["height"]) == (1, 1)

    done = ended(anna, job["id"])
    assert (done["state"], done["vm"], done["route"], done["model"]) == ("done", "vm1", "vm", "by hand")
    assert anna.get(done["result"]["url"]).content == RESULT
    assert anna.get(done["picture"]["url"]).content == PHOTO


def test_a_form_is_as_good_as_a_raw_body(anna: httpx.Client) -> None:
    accepted = anna.post(
        "/api/v1/jobs",
        files={"image": ("cup ☕.jpg", PHOTO)},
        data={"operation": "caption", "site": "local"},
        params={"operation": "sketch", "priority": "7"},
    )
    assert accepted.status_code == 202
    job = accepted.json()
    assert (job["operation"], job["site"], job["name"]) == ("caption", "local", "cup ☕.jpg")
    assert ended(anna, job["id"])["result"]["caption"] == CAPTION


def test_who_would_wait_is_answered_with_the_result_itself(anna: httpx.Client) -> None:
    sketch = submit(anna, headers=WAIT)
    assert (sketch.status_code, sketch.headers["content-type"], sketch.content) == (200, "image/png", RESULT)
    assert sketch.headers["preference-applied"] == "wait=20"
    job = sketch.headers["x-overspill-job"]
    assert sketch.headers["content-location"] == f"/api/v1/jobs/{job}/result"

    caption = submit(anna, operation="caption", headers=WAIT)
    assert (caption.status_code, caption.json()) == (200, {"caption": CAPTION})


def test_who_would_wait_is_told_what_went_wrong(anna: httpx.Client) -> None:
    failed = submit(anna, params='{"quality": 1}', headers=WAIT)
    assert failed.status_code == 422
    assert failed.headers["content-type"] == "application/problem+json"
    assert failed.json()["type"] == "urn:overspill:problem:broken-image"
    assert ended(anna, failed.headers["x-overspill-job"])["problem"]["detail"] == "It is damaged."


def test_who_waited_in_vain_has_the_job(slow: House, anna: httpx.Client) -> None:
    waited = submit(anna, headers={"prefer": "wait=0"})
    assert waited.status_code == 202
    assert waited.headers["preference-applied"] == "wait=0"
    assert waited.json()["id"] == waited.headers["x-overspill-job"]


def test_the_same_request_under_the_same_key_is_the_same_job(
    house: House, anna: httpx.Client, ben: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"idempotency-key": "once"}
    first = submit(anna, headers=key)
    again = submit(anna, headers=key)

    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    assert submit(ben, headers=key).json()["id"] != first.json()["id"]

    with monkeypatch.context() as patched:
        patched.setattr(house.web.people, "_jobs", Rate(1))
        assert submit(anna).status_code == 202
        assert submit(anna).status_code == 429
        assert submit(anna, headers=key).json()["id"] == first.json()["id"]

    other = submit(anna, operation="caption", headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:overspill:problem:key-reused")


def test_jobs_are_listed_newest_first_and_page_by_page(anna: httpx.Client) -> None:
    sent = [submit(anna, operation=each).json()["id"] for each in ("sketch", "caption", "sketch")]

    first = anna.get("/api/v1/jobs", params={"limit": 2}).json()
    assert [job["id"] for job in first["jobs"]] == [sent[2], sent[1]]
    second = anna.get("/api/v1/jobs", params={"limit": 2, "cursor": first["next"]}).json()
    assert ([job["id"] for job in second["jobs"]], second["next"]) == ([sent[0]], None)
    assert [sum(told["counts"].values()) for told in (first, second)] == [3, 3]

    captions = anna.get("/api/v1/jobs", params={"operation": "caption"}).json()["jobs"]
    assert [job["id"] for job in captions] == [sent[1]]
    for job_id in sent:
        ended(anna, job_id)
    assert len(anna.get("/api/v1/jobs", params={"state": "done"}).json()["jobs"]) == 3
    assert anna.get("/api/v1/jobs", params={"state": "failed"}).json()["jobs"] == []


def test_a_job_under_way_is_cancelled_and_then_removed(slow: House, anna: httpx.Client) -> None:
    job = submit(anna).json()
    asked = anna.delete(job["url"])
    assert asked.status_code == 202
    assert anna.post(f"{job['url']}/retry").status_code in {202, 409}


def test_a_job_that_has_ended_is_removed_with_its_pictures(anna: httpx.Client) -> None:
    job = ended(anna, submit(anna).json()["id"])

    assert anna.delete(job["url"]).status_code == 204

    assert anna.get(job["url"]).status_code == 404
    assert anna.get(job["result"]["url"]).status_code == 404
    assert anna.delete(job["url"]).status_code == 404


def test_a_job_is_tried_again_as_a_new_one(slow: House, anna: httpx.Client) -> None:
    job = submit(anna, params='{"quality": 1}').json()
    early = anna.post(f"{job['url']}/retry")
    assert (early.status_code, early.json()["type"]) == (409, "urn:overspill:problem:not-now")

    slow.call(slow.worker.release)
    assert ended(anna, job["id"])["state"] == "failed"
    again = anna.post(f"{job['url']}/retry")
    assert again.status_code == 202
    assert (again.json()["retry_of"], again.json()["params"]) == (job["id"], {"quality": 1})


def test_why_it_went_there(anna: httpx.Client) -> None:
    job = ended(anna, submit(anna).json()["id"])
    why = anna.get(f"{job['url']}/why").json()
    assert why["receipt"]["vm"] == "vm1"
    # Nobody tells the end but the answer itself.
    assert [event["state"] for event in why["events"]] == ["routed", "done"]
    assert any("vm1" in line for line in why["lines"])


PATHS = [
    ("GET", ""),
    ("DELETE", ""),
    ("POST", "/retry"),
    ("GET", "/why"),
    ("GET", "/events"),
    ("GET", "/result"),
    ("HEAD", "/result"),
    ("GET", "/picture"),
    ("GET", "/picture/preview"),
    ("GET", "/picture/thumbnail"),
    ("GET", "/result/preview"),
    ("GET", "/result/thumbnail"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_nobody_learns_of_anothers_jobs(anna: httpx.Client, ben: httpx.Client, method: str, path: str) -> None:
    theirs = submit(ben, headers=WAIT).headers["x-overspill-job"]
    answers = [anna.request(method, f"/api/v1/jobs/{job_id}{path}") for job_id in (theirs, SOME_ID, "not-an-id")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.content for answer in answers}) == 1
    assert ben.get(f"/api/v1/jobs/{theirs}/result").status_code == 200


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v1/jobs"), ("GET", "/api/v1/jobs"), ("GET", "/api/v1/me")])
def test_nobody_is_nobody(house: House, method: str, path: str) -> None:
    with house.client() as nobody:
        answer = nobody.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"operation": "paint"}, 422, "operation"),
        ({"operation": ""}, 422, "operation"),
        ({"params": "{"}, 422, "params"),
        ({"params": '{"style": "oil"}'}, 422, "params.style"),
        ({"site": "moon"}, 422, "site"),
        ({"priority": "11"}, 422, "priority"),
        ({"headers": {"idempotency-key": "x" * 256}}, 422, "idempotency-key"),
        ({"content": b""}, 400, None),
        ({"content": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}, 415, None),
        ({"content": b"<!doctype html><script>alert(1)</script>", "headers": {"content-type": "image/png"}}, 415, None),
        ({"content": b"\x00" * 200}, 415, None),
    ],
)
def test_what_can_not_be_taken_says_why(anna: httpx.Client, given: dict[str, Any], status: int, field: str) -> None:
    answer = submit(anna, **given)
    assert answer.status_code == status
    problem = answer.json()
    assert (problem["status"], problem.get("field")) == (status, field)
    assert problem["remedy"]
    assert anna.get("/api/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(("method", "name"), [("POST", "prams"), ("GET", "stat")])
def test_a_misspelt_parameter_is_not_passed_over(anna: httpx.Client, method: str, name: str) -> None:
    answer = anna.request(method, "/api/v1/jobs", params={"operation": "sketch", name: "{}"}, content=PHOTO)
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (422, name)
    assert problem["detail"] == f"{name}: there is no such parameter (given '{{}}')."
    assert problem["remedy"] == "Correct the named field and send it again."
    assert anna.get("/api/v1/jobs").json()["jobs"] == []


def test_one_picture_a_request(anna: httpx.Client) -> None:
    two = [("image", ("a.png", PHOTO)), ("image", ("b.png", PHOTO))]
    answer = anna.post("/api/v1/jobs", files=two, data={"operation": "sketch"})
    assert (answer.status_code, answer.json()["field"]) == (422, "image")
    assert anna.get("/api/v1/jobs").json()["jobs"] == []


def test_names_are_never_more_than_text(anna: httpx.Client) -> None:
    name = f"<img src=x onerror=alert(1)>{uuid.uuid4().hex}\r\nx: y.jpg"
    answer = submit(anna, name=name, headers=WAIT)
    assert "\n" not in answer.headers["content-disposition"]
    assert "<" not in answer.headers["content-disposition"]
    assert answer.headers.get("x") is None


def test_nobody_waits_for_a_caller_who_has_left(slow: House, anna: httpx.Client) -> None:
    followers = slow.web.desk._followers._of
    before = slow.call(lambda: set(followers))
    with pytest.raises(httpx.ReadTimeout):
        anna.post("/api/v1/jobs?operation=sketch", content=PHOTO, headers={"Prefer": "wait=60"}, timeout=1)
    for _ in range(500):
        if slow.call(lambda: set(followers)) <= before:
            return
        time.sleep(0.02)
    raise AssertionError("somebody waits still")
