"""Every page at 320 pixels, as 400 % of a usual window is (WCAG 2.2, 1.4.10): nothing is to be scrolled sideways."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.needed import need_package
from tests.ui.web.pages.studio import Studio, looking

need_package("nicegui", "page")

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)

NARROW: ViewportSize = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def narrow_page(lone_studio: Studio, chromium: Browser) -> Iterator[Page]:
    """A window of an operator, who has the most links in the header."""
    with looking(lone_studio, chromium, "olga", viewport=NARROW) as page:
        yield page


def width(page: Page) -> int:
    told: int = page.evaluate("() => document.documentElement.scrollWidth")
    return told


@pytest.mark.parametrize(
    ("path", "heading"), [("/", "Drop photographs anywhere"), ("/dashboard", "Dashboard"), ("/account", "API tokens")]
)
def test_a_page_and_its_menu_fit(lone_studio: Studio, narrow_page: Page, path: str, heading: str) -> None:
    narrow_page.goto(lone_studio.url + path)
    expect(narrow_page.get_by_role("heading", name=heading)).to_be_visible()
    assert width(narrow_page) == 320
    narrow_page.locator(".menu > summary").click()
    expect(narrow_page.get_by_role("button", name="Keyboard shortcuts")).to_be_visible()
    assert width(narrow_page) == 320


def test_the_page_of_a_job_fits(lone_studio: Studio, narrow_page: Page) -> None:
    narrow_page.goto(lone_studio.url + lone_studio.send("olga")["page"])
    narrow_page.get_by_role("button", name="Cancel").click()
    expect(narrow_page.get_by_role("button", name="Remove")).to_be_visible()
    assert width(narrow_page) == 320


def test_the_login_fits(lone_studio: Studio, chromium: Browser) -> None:
    with chromium.new_context(viewport=NARROW) as context:
        page = context.new_page()
        page.goto(f"{lone_studio.url}/login?error=wait&seconds=30")
        assert width(page) == 320
