"""The page of one job in a real browser; no broker is needed for it."""

import socket
import uuid
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browsers import browser
from tests.needed import need_package
from tests.ui.web.pages.studio import Studio, looking, open_studio, violations

need_package("nicegui", "page")

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"amqp://127.0.0.1:{nobody.getsockname()[1]}/"
        with open_studio(url, tmp_path_factory.mktemp("job")) as opened:
            yield opened


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


@pytest.fixture
def user() -> str:
    return f"anna-{uuid.uuid4().hex[:8]}"


def test_a_permalink_opens_a_job_of_ones_own_and_it_is_cancelled_there(
    studio: Studio, chromium: Browser, user: str
) -> None:
    job = studio.send(user)
    with looking(studio, chromium, user) as page:
        page.goto(studio.url + job["page"])
        expect(page).to_have_title("cup.jpg · overspill")
        expect(page.get_by_role("heading", name="cup.jpg", level=1)).to_be_visible()
        assert violations(page) == []
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("button", name="Retry")).to_be_visible()
        assert violations(page) == []
        page.get_by_role("button", name="Remove").click()
        expect(page).to_have_url(f"{studio.url}/")


def test_a_job_that_is_retried_there_leads_to_the_new_one(studio: Studio, chromium: Browser, user: str) -> None:
    job = studio.send(user)
    with looking(studio, chromium, user) as page:
        page.goto(studio.url + job["page"])
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Retry").click()
        expect(page).not_to_have_url(studio.url + job["page"])
        expect(page.get_by_role("button", name="Cancel")).to_be_visible()


def test_what_is_not_there_is_a_page_that_says_so(studio: Studio, chromium: Browser, user: str) -> None:
    with looking(studio, chromium, user) as page:
        answer = page.goto(f"{studio.url}/jobs/{uuid.uuid4().hex}")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", name="There is no such picture")).to_be_visible()
        assert violations(page) == []


@pytest.mark.parametrize("path", ["/", "/jobs/0123456789abcdef0123456789abcdef"])
def test_who_is_nobody_is_sent_to_the_login_and_back(studio: Studio, path: str) -> None:
    answer = httpx.get(studio.url + path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers.get("location")) == (303, f"/login?next={path}")
