"""Tabs that nobody looks at: a browser has six lines to a server for all of them together."""

import pytest
from playwright.sync_api import Page, Request, expect

from tests.needed import need_package
from tests.ui.web.pages.studio import Studio

need_package("nicegui", "page")

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)

SEE = """(seen) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => !seen });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def is_stream(request: Request) -> bool:
    return "/api/v1/events?" in request.url


def test_a_hidden_tab_lets_go_of_its_stream_while_jobs_are_under_way_and_goes_on_where_it_was(
    lone_studio: Studio, lone_page: Page, user: str
) -> None:
    lone_page.clock.install()
    with lone_page.expect_request(is_stream):
        lone_page.reload()
    job = lone_studio.send(user)
    expect(lone_page).to_have_title("(1) Pictures · overspill")
    with lone_page.expect_event("requestfailed", is_stream):  # as the closing of a stream is called
        lone_page.evaluate(SEE, False)
        lone_page.clock.fast_forward("00:04")
    with lone_studio.client(user) as client:
        client.delete(f"/api/v1/jobs/{job['id']}")
    with lone_page.expect_response("**/api/v1/jobs?limit=50"):
        lone_page.clock.fast_forward("00:16")
    expect(lone_page).to_have_title("Pictures · overspill")
    with lone_studio.client(user) as client:
        client.delete(f"/api/v1/jobs/{job['id']}")
    expect(lone_page.locator(".card.is-cancelled")).to_have_count(1)
    with lone_page.expect_request(is_stream):
        lone_page.evaluate(SEE, True)
    expect(lone_page.locator(".card")).to_have_count(0)


def test_a_tab_opened_in_the_background_waits_with_its_stream_until_somebody_comes(
    lone_studio: Studio, lone_page: Page, user: str
) -> None:
    streams: list[str] = []
    lone_page.on("request", lambda request: streams.append(request.url) if is_stream(request) else None)
    lone_page.add_init_script(f"({SEE})(false)")
    lone_page.reload()
    expect(lone_page.get_by_role("heading", name="Drop photographs anywhere")).to_be_visible()
    lone_studio.send(user)
    lone_page.wait_for_load_state("networkidle")
    assert streams == []
    lone_page.evaluate(SEE, True)
    expect(lone_page.locator(".card")).to_have_count(1)
