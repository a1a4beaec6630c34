"""Where there is no page: people are told so in plain HTML, programs by a problem, and nothing is built for either."""

from collections.abc import Iterator

import httpx
import pytest

from tests.needed import need_package

need_package("nicegui", "page")

from tests.ui.web.pages.studio import open_studio  # noqa: E402 (a page needs it)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Somebody who has not logged in."""
    with (
        open_studio("amqp://127.0.0.1:1/", tmp_path_factory.mktemp("nowhere")) as studio,
        httpx.Client(base_url=studio.url) as client,
    ):
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
