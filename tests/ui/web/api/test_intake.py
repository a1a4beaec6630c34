"""From a request to a job: what is refused before a body is read, and which word counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import httpx
import pytest
from starlette.requests import Request

from bus.errors import BadInput
from bus.settings import MIB, Settings
from ui.web.api.intake import most_bytes, take
from ui.web.jobs.record import Order
from ui.web.people.person import NotLoggedIn, Person

ANNA = Person("anna", "user", "session")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Page:
    """The parts of a page as far as a picture comes through them."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.people = self.desk = self
        self.steps: list[str] = []
        self.is_left = False
        self.is_kept = True
        self.key: str | None = None

    def count_job(self, _person: Person) -> None:
        self.steps.append("counted")

    @contextmanager
    def upload(self, _person: Person) -> Iterator[None]:
        self.steps.append("begun")
        yield
        self.steps.append("ended")

    async def of(self, _request: Request) -> Person:
        """Who calls, as long as they are logged in."""
        self.steps.append("known")
        if self.is_left:
            raise NotLoggedIn
        return ANNA

    def incoming(self, _user: str, key: str | None = None) -> "Page":
        self.key = key
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        pass

    async def write(self, piece: bytes | memoryview) -> None:
        self.steps.append(bytes(piece).decode())

    async def accept(self, order: Order, _picture: Any) -> Any:
        self.steps.append("accepted")
        return SimpleNamespace(record=order)


def request(sent: httpx.Request) -> Request:
    async def receive() -> Any:
        return {"type": "http.request", "body": sent.read()}

    headers = [(name.lower(), value) for name, value in sent.headers.raw]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)


async def taken(page: Page, sent: httpx.Request, given: dict[str, str], **more: Any) -> Any:
    web: Any = page
    return (await take(request(sent), web, ANNA, given, **more)).record


async def test_a_raw_picture() -> None:
    page = Page()
    order = await taken(page, httpx.Request("POST", "http://p", content=b"picture"), {"operation": "sketch"})
    assert page.steps == ["begun", "counted", "picture", "known", "accepted", "ended"]
    assert (order.user, order.operation, order.name) == ("anna", "sketch", "")


async def test_the_words_of_a_form_and_of_a_path() -> None:
    form = httpx.Request(
        "POST", "http://p", files={"image": ("cup.jpg", b"x")}, data={"operation": "caption", "priority": "1"}
    )
    order = await taken(Page(), form, {"operation": "sketch", "priority": "9", "site": "local"})
    assert (order.operation, order.priority, order.site, order.name) == ("caption", 1, "local", "cup.jpg")
    page = Page()
    decided = await taken(page, form, {}, decided={"operation": "sketch"}, idempotency_key="k")
    assert (decided.operation, decided.idempotency_key) == ("sketch", "k")
    assert page.key == "k"


async def test_a_job_that_is_sent_again_is_no_further_one() -> None:
    page = Page()
    page.is_kept = False
    await taken(page, httpx.Request("POST", "http://p", content=b"picture"), {"operation": "sketch"})
    assert page.steps == ["begun", "picture", "known", "accepted", "ended"]


@pytest.mark.parametrize(("told", "known"), [(TRACE, TRACE), ("garbage", None), ("", None)])
async def test_a_job_belongs_to_the_trace_of_its_request(told: str, known: str | None) -> None:
    sent = httpx.Request("POST", "http://p", content=b"picture", headers={"traceparent": told})
    assert (await taken(Page(), sent, {"operation": "sketch"})).traceparent == known


async def test_who_is_nobody_any_more_when_the_picture_is_here_has_no_job() -> None:
    page = Page()
    page.is_left = True
    with pytest.raises(NotLoggedIn):
        await taken(page, httpx.Request("POST", "http://p", content=b"picture"), {"operation": "sketch"})
    assert "accepted" not in page.steps


async def test_what_can_be_known_to_be_wrong_is_refused_before_anything_is_read() -> None:
    page = Page()
    with pytest.raises(BadInput):
        await taken(page, httpx.Request("POST", "http://p", content=b"picture"), {"operation": "paint"})
    assert page.steps == []


def test_a_blob_store_takes_larger_pictures(tmp_path: Path) -> None:
    assert most_bytes(Settings()) == 16 * MIB
    assert most_bytes(Settings(blobs=tmp_path.as_uri())) == 64 * MIB
