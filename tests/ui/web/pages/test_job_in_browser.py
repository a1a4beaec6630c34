"""The page of one job in a real browser; no broker is needed for it."""

import uuid
from http import HTTPMethod

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from bus.problems import Kind, Problem
from tests.needed import need_package
from tests.ui.web.pages.studio import Studio, looking, violations

need_package("nicegui", "page")

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)

REFUSED = Problem.of(Kind.NOT_READY, "The page is about to stop.")


def refuse(page: Page, path: str, method: HTTPMethod) -> None:
    """Have every request of that kind refused from now on."""

    def answer(route: Route) -> None:
        if route.request.method != method:
            return route.fallback()
        return route.fulfill(status=503, content_type="application/problem+json", body=REFUSED.model_dump_json())

    page.route(f"**/api/v1{path}", answer)


def test_a_permalink_opens_a_job_of_ones_own_and_it_is_cancelled_there(
    lone_studio: Studio, chromium: Browser, user: str
) -> None:
    job = lone_studio.send(user)
    with looking(lone_studio, chromium, user) as page:
        page.goto(lone_studio.url + job["page"])
        expect(page).to_have_title("cup.jpg · overspill")
        expect(page.get_by_role("heading", name="cup.jpg", level=1)).to_be_visible()
        assert violations(page) == []
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("button", name="Retry")).to_be_visible()
        assert violations(page) == []


def test_a_removal_there_can_be_taken_back_and_else_is_done(lone_studio: Studio, chromium: Browser, user: str) -> None:
    job = lone_studio.send(user)
    with looking(lone_studio, chromium, user) as page:
        page.goto(lone_studio.url + job["page"])
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_role("heading", name="This picture has been removed")).to_be_visible()
        assert violations(page) == []
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("heading", name="cup.jpg", level=1)).to_be_visible()
        page.get_by_role("button", name="Remove").click()
        page.goto(f"{lone_studio.url}/account")  # leaving the page settles it
        expect(page.get_by_role("heading", name="API tokens")).to_be_visible()
    with lone_studio.client(user) as client:
        assert client.get("/api/v1/jobs").json()["jobs"] == []


def test_what_is_refused_there_is_said_and_nothing_is_lost(lone_studio: Studio, chromium: Browser, user: str) -> None:
    job = lone_studio.send(user)
    with looking(lone_studio, chromium, user) as page:
        page.goto(lone_studio.url + job["page"])
        page.get_by_role("button", name="Cancel").click()
        refuse(page, f"/jobs/{job['id']}/retry", HTTPMethod.POST)
        page.get_by_role("button", name="Retry").click()
        expect(page.get_by_text("Not tried again: The page is about to stop.")).to_be_visible()
        refuse(page, f"/jobs/{job['id']}", HTTPMethod.DELETE)
        page.clock.install()
        page.get_by_role("button", name="Remove").click()
        page.clock.fast_forward("00:07")
        expect(page.get_by_text("Not removed: The page is about to stop.")).to_be_visible()
        expect(page.get_by_role("button", name="Remove")).to_be_visible()


def test_a_job_that_is_retried_there_leads_to_the_new_one(lone_studio: Studio, chromium: Browser, user: str) -> None:
    job = lone_studio.send(user)
    with looking(lone_studio, chromium, user) as page:
        page.goto(lone_studio.url + job["page"])
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Retry").click()
        expect(page).not_to_have_url(lone_studio.url + job["page"])
        expect(page.get_by_role("button", name="Cancel")).to_be_visible()


def test_what_is_not_there_is_a_page_that_says_so(lone_studio: Studio, chromium: Browser, user: str) -> None:
    with looking(lone_studio, chromium, user) as page:
        answer = page.goto(f"{lone_studio.url}/jobs/{uuid.uuid4().hex}")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", name="There is no such picture")).to_be_visible()
        assert violations(page) == []


@pytest.mark.parametrize("path", ["/", "/jobs/0123456789abcdef0123456789abcdef"])
def test_who_is_nobody_is_sent_to_the_login_and_back(lone_studio: Studio, path: str) -> None:
    answer = httpx.get(lone_studio.url + path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers.get("location")) == (303, f"/login?next={path}")
