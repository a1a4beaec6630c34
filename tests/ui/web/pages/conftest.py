"""What tests of the work page in a browser share: one page, a router and a VM as processes on a real broker.

The browser is each module's own: while it is there, no event loop can run in this thread.
"""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Vhosts

if TYPE_CHECKING:  # where there is no Playwright, these tests are skipped by their modules
    from playwright.sync_api import Browser, Page

    from tests.ui.web.pages.studio import Studio


@pytest.fixture(scope="package")
def studio(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Studio"]:
    """The page, a router and a VM that sketches."""
    from tests.ui.web.pages.studio import open_studio

    name = f"work-{uuid.uuid4().hex[:12]}"
    with open_studio(vhosts.add_vhost(name), tmp_path_factory.mktemp("work")) as opened:
        opened.processes.start_router()
        opened.processes.start_vm("vm1")
        opened.processes.wait_ready("vm1")
        yield opened
    vhosts.delete_vhost(name)


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    from tests.browsers import browser

    with browser() as launched:
        yield launched


@pytest.fixture
def user() -> str:
    """Somebody new, with no picture yet."""
    return f"anna-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def page(studio: "Studio", chromium: "Browser", user: str) -> Iterator["Page"]:
    """The work page, ready for pictures."""
    from playwright.sync_api import expect

    from tests.ui.web.pages.studio import looking

    with looking(studio, chromium, user) as page:
        page.goto(studio.url)
        expect(page.get_by_role("radio", name="Pencil sketch")).to_be_checked()
        yield page
