"""What tests of pages in a browser share: a page with a router and a VM on a real broker, and a page without any.

The browser is each module's own: while it is there, no event loop can run in this thread, and so `studio` can't be
opened. A module takes either page, not both.
"""

import socket
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


@pytest.fixture(scope="package")
def lone_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Studio"]:
    """The page alone, without a broker: what is sent stays under way, and a user's pictures may take a MiB."""
    from tests.ui.web.pages.studio import open_studio

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"amqp://127.0.0.1:{nobody.getsockname()[1]}/"
        with open_studio(url, tmp_path_factory.mktemp("lone"), OVERSPILL_PAGE_USER_MIB="1") as opened:
            yield opened


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
def lone_page(lone_studio: "Studio", chromium: "Browser", user: str) -> Iterator["Page"]:
    """The work page where nothing ever ends, ready for pictures."""
    from playwright.sync_api import expect

    from tests.ui.web.pages.studio import looking

    with looking(lone_studio, chromium, user) as page:
        page.goto(lone_studio.url)
        expect(page.get_by_role("radio", name="Pencil sketch")).to_be_checked()
        yield page


@pytest.fixture
def page(studio: "Studio", chromium: "Browser", user: str) -> Iterator["Page"]:
    """The work page, ready for pictures."""
    from playwright.sync_api import expect

    from tests.ui.web.pages.studio import looking

    with looking(studio, chromium, user) as page:
        page.goto(studio.url)
        expect(page.get_by_role("radio", name="Pencil sketch")).to_be_checked()
        yield page
