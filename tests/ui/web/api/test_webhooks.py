"""Webhooks over HTTP: from a job that ends to the receiver that is told of it."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import Vhosts
from tests.ui.web.api.asking import ended, submit
from tests.ui.web.api.house import House, open_house
from tests.ui.web.api.people import logged_in
from tests.ui.web.webhooks.receiver import answered, receiving, verified

PUBLIC = "https://hooks.example/overspill"
NOBODYS = "0" * 32


@pytest.fixture(scope="module")
def inside(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A page whose webhooks may call this machine."""
    name = f"page-{uuid.uuid4().hex[:12]}"
    folder = tmp_path_factory.mktemp("page")
    with open_house(vhosts.add_vhost(name), folder, page_webhooks_private=True) as opened:
        yield opened
    vhosts.delete_vhost(name)


@pytest.fixture
def clara(inside: House) -> Iterator[httpx.Client]:
    with logged_in(inside) as client:
        yield client


@pytest.fixture
def anna(house: House) -> Iterator[httpx.Client]:
    """Somebody who has logged in: a token makes no webhooks."""
    with logged_in(house) as client:
        yield client


@pytest.fixture
def ben(house: House) -> Iterator[httpx.Client]:
    with logged_in(house) as client:
        yield client


def made(client: httpx.Client, url: str, **more: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_who_asked_is_told_of_the_end_of_a_job_as_the_api_shows_it(clara: httpx.Client) -> None:
    async with receiving() as receiver:
        hook = made(clara, receiver.url)
        job = submit(clara).json()
        (got,) = await receiver.until(1)
    assert verified(hook["secret"], got.headers, got.body)
    assert got.document["type"] == "job.done"
    assert got.document["data"] == await asyncio.to_thread(ended, clara, job["id"])


async def test_a_failure_is_told_with_its_problem(clara: httpx.Client) -> None:
    async with receiving() as receiver:
        made(clara, receiver.url, events=["failed"])
        submit(clara)
        submit(clara, params='{"quality": 1}')
        (got,) = await receiver.until(1)
    assert got.document["type"] == "job.failed"
    assert got.document["data"]["problem"]["type"] == "urn:overspill:problem:broken-image"


async def test_a_test_tells_at_once_what_the_receiver_said(clara: httpx.Client) -> None:
    async with receiving(answered(503)) as receiver:
        hook = made(clara, receiver.url)
        path = f"/api/v1/webhooks/{hook['id']}"
        failed = (await asyncio.to_thread(clara.post, f"{path}/test")).json()
        arrived = (await asyncio.to_thread(clara.post, f"{path}/test")).json()
    listed = (await asyncio.to_thread(clara.get, f"{path}/deliveries")).json()["deliveries"]
    assert [failed["state"], arrived["state"]] == ["given-up", "arrived"]
    assert failed["attempts"][0]["said"] == "The receiver answered 503."
    assert {delivery["id"] for delivery in listed} == {failed["id"], arrived["id"]}
    assert {delivery["event"] for delivery in listed} == {"test"}


def test_the_secret_is_told_once(anna: httpx.Client) -> None:
    hook = made(anna, PUBLIC, events=["done"])
    (listed,) = anna.get("/api/v1/webhooks").json()["webhooks"]
    assert hook["secret"].startswith("whsec_")
    assert listed == {key: value for key, value in hook.items() if key != "secret"}
    assert listed["events"] == ["done"]
    renewed = anna.post(f"/api/v1/webhooks/{hook['id']}/secret").json()
    assert renewed["secret"].startswith("whsec_")
    assert renewed["secret"] != hook["secret"]


def test_a_webhook_that_is_removed_is_gone(anna: httpx.Client) -> None:
    hook = made(anna, PUBLIC)
    assert anna.delete(f"/api/v1/webhooks/{hook['id']}").status_code == 204
    assert anna.get("/api/v1/webhooks").json() == {"webhooks": []}
    assert anna.delete(f"/api/v1/webhooks/{hook['id']}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", ""), ("POST", "/secret"), ("POST", "/test"), ("GET", "/deliveries")]
)
def test_somebody_elses_is_as_one_that_is_not_there(
    anna: httpx.Client, ben: httpx.Client, method: str, path: str
) -> None:
    hook = made(anna, PUBLIC)
    for hook_id in (hook["id"], NOBODYS):
        answer = ben.request(method, f"/api/v1/webhooks/{hook_id}{path}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == "You have no such webhook."


@pytest.mark.parametrize(
    "wanted",
    [
        {}, {"url": ""}, {"url": "ftp://hooks.example/"}, {"url": "http://127.0.0.1:5672/"}, {"url": "http://[::1]/"},
        {"url": "http://169.254.169.254/latest/meta-data"}, {"url": "https://u:p@hooks.example/"},
        {"url": PUBLIC, "events": []}, {"url": PUBLIC, "events": ["queued"]}, {"url": "https://h/" + "a" * 2000},
    ],
)  # fmt: skip
def test_what_can_be_none_is_refused_with_the_field_that_is_wrong(anna: httpx.Client, wanted: dict[str, Any]) -> None:
    answer = anna.post("/api/v1/webhooks", json=wanted)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"].partition(".")[0] in {"url", "events"}


def test_a_token_may_look_and_no_more(house: House, anna: httpx.Client) -> None:
    """A webhook would outlive it, and go on sending results to whoever had stolen it."""
    hook = made(anna, PUBLIC)
    path = f"/api/v1/webhooks/{hook['id']}"
    token = anna.post("/api/v1/tokens", json={"name": "batch"}).json()["token"]
    with house.client(token) as program:
        assert [each["id"] for each in program.get("/api/v1/webhooks").json()["webhooks"]] == [hook["id"]]
        assert program.get(f"{path}/deliveries").status_code == 200
        refused = [
            program.post("/api/v1/webhooks", json={"url": PUBLIC}),
            *(program.post(f"{path}/{what}") for what in ("secret", "test")),
            program.delete(path),
        ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert refused[0].json()["detail"].startswith("Webhooks are made and changed by those who have logged in")
    assert len(anna.get("/api/v1/webhooks").json()["webhooks"]) == 1


async def test_a_job_that_is_removed_takes_along_what_was_told_of_it(clara: httpx.Client) -> None:
    async with receiving() as receiver:
        hook = made(clara, receiver.url)
        job = submit(clara).json()
        await receiver.until(1)
    listed = f"/api/v1/webhooks/{hook['id']}/deliveries"
    before = (await asyncio.to_thread(clara.get, listed)).json()["deliveries"]
    assert (await asyncio.to_thread(clara.delete, job["url"])).status_code == 204
    after = (await asyncio.to_thread(clara.get, listed)).json()["deliveries"]
    assert [delivery["job"] for delivery in before] == [job["id"]]
    assert after == []


def test_there_may_be_ten(anna: httpx.Client) -> None:
    for _ in range(10):
        made(anna, PUBLIC)
    answer = anna.post("/api/v1/webhooks", json={"url": PUBLIC})
    assert answer.status_code == 409
    assert "Remove one first." in answer.json()["remedy"]


def test_nobody_has_none(house: House) -> None:
    with house.client() as stranger:
        assert stranger.get("/api/v1/webhooks").status_code == 401
        assert stranger.post("/api/v1/webhooks", json={"url": PUBLIC}).status_code == 401
