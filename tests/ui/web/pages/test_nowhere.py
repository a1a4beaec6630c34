"""Where there is no page: people are told so in plain HTML, programs by a problem, and nothing is built for either."""

from collections.abc import Iterator

import httpx
import pytest

from tests.needed import need_package

need_package("nicegui", "page")

from tests.ui.web.api.house import PLAIN  # noqa: E402 (a page needs it)
from tests.ui.web.pages.studio import Studio, open_studio  # noqa: E402 (as above)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A page without a broker."""
    with open_studio("amqp://127.0.0.1:1/", tmp_path_factory.mktemp("nowhere")) as opened:
        yield opened


@pytest.fixture
def stranger(studio: Studio) -> Iterator[httpx.Client]:
    """Somebody who has not logged in."""
    with httpx.Client(base_url=studio.url, verify=PLAIN) as client:
        yield client


@pytest.mark.parametrize("path", ["/static/no", "/_nicegui/no", "/login/no"])
def test_people_are_told_so_without_a_page_being_built(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path, headers={"accept": "text/html,*/*"})
    assert answer.status_code == 404
    assert "<h1>There is no such page</h1>" in answer.text
    assert "/_nicegui/" not in answer.text


def test_programs_are_told_as_they_read_it(stranger: httpx.Client) -> None:
    answer = stranger.get("/static/no")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:overspill:problem:not-found"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/account", "GET, HEAD"),
        ("GET", "/sketch", "POST"),
        ("PUT", "/login", None),
    ],
)
def test_a_page_by_another_method_is_called_so(studio: Studio, method: str, path: str, allow: str | None) -> None:
    with studio.client("anna") as anna:
        told, seen = (anna.request(method, path, headers={"accept": each}) for each in ("*/*", "text/html"))
    assert (told.status_code, told.headers["content-type"]) == (405, "application/problem+json")
    assert allow is None or told.headers["allow"] == allow
    assert (seen.status_code, seen.headers["content-type"]) == (405, "text/html; charset=utf-8")


def test_a_page_has_a_head(studio: Studio, stranger: httpx.Client) -> None:
    with studio.client("anna") as anna:
        head = anna.head("/")
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "text/html; charset=utf-8", b"")
    assert stranger.head("/", headers={"accept": "text/html"}).headers["location"] == "/login?next=/"
    assert stranger.head("/health").status_code == 200
