"""Login and account page in a real browser, with a page that runs as people run it; no broker is needed for these."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from bus.clock import now_ms
from bus.settings import Settings
from tests.browsers import browser
from tests.journey.processes import Processes
from tests.needed import need_package
from ui.web.jobs.database import connect
from ui.web.people import accounts
from ui.web.people.accounts import Account
from ui.web.people.passwords import Passwords
from ui.web.storage import database_of, page_folder

need_package("nicegui", "page")

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
DRAWN = "async () => { await new Promise(requestAnimationFrame); return document.getAnimations().length === 0; }"
expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Site:
    url: str
    settings: Settings

    def add(self, name: str) -> None:
        """An account, as `overspill user add` makes it."""
        database = database_of(self.settings)
        connection = connect(database.path, database.schema)
        with connection:
            kept = Passwords().hash_now(PASSWORD)
            accounts.add(connection, Account(name, "operator", kept, None, None, now_ms()))
        connection.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("account")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        nobody = socket.socket()
        nobody.bind(("127.0.0.1", 0))
    settings = Settings(page_dir=folder / "page", page_login="accounts")
    told = {
        "OVERSPILL_PAGE_LOGIN": "accounts",
        "OVERSPILL_PAGE_PORT": str(port),
        "OVERSPILL_PAGE_DIR": str(page_folder(settings)),
        "OVERSPILL_PAGE_WEBHOOKS_PRIVATE": "true",
    }
    processes = Processes(f"amqp://127.0.0.1:{nobody.getsockname()[1]}/", folder, **told)
    processes.start_page()
    try:
        site = Site(f"http://127.0.0.1:{port}", settings)
        wait_for(site, processes)
        yield site
    finally:
        processes.stop()
        nobody.close()


def wait_for(site: Site, processes: Processes) -> None:
    for _ in range(600):
        with suppress(httpx.TransportError):
            if httpx.get(f"{site.url}/health").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"the page does not answer:\n{processes.log('page')}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


class Receiver(BaseHTTPRequestHandler):
    """Answers 500 at first, then 204."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.server.statuses.pop(0))  # type: ignore[attr-defined]  # ours, below
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.statuses = [500, 204]  # type: ignore[attr-defined]  # ours, above
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()
        thread.join()


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def accessible(page: Page) -> None:
    """Nothing that axe finds, in light and dark."""
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_function(DRAWN)
        found = Axe().run(page).response["violations"]
        assert [(fault["id"], [node["any"] for node in fault["nodes"]]) for fault in found] == [], scheme


def test_logging_in_needs_no_script_and_leads_back(site: Site, chromium: Browser) -> None:
    site.add("anna")
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site.url}/account")
        log_in(page, "anna", "not the password")
        expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
        log_in(page, "anna")
        expect(page).to_have_url(f"{site.url}/account")


def test_an_account_from_its_tokens_to_the_last_login(site: Site, chromium: Browser) -> None:
    site.add("berta")
    with receiving() as receiver, chromium.new_context(viewport={"width": 390, "height": 800}) as context:
        page, faults = context.new_page(), []
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.goto(f"{site.url}/login?next=/account")
        accessible(page)
        log_in(page, "berta")

        expect(page.get_by_text("change webhooks, change the password or end logins.")).to_be_visible()
        page.get_by_label("What it is for").fill("nightly batch")
        page.get_by_role("button", name="Make a token").click()
        token = page.get_by_role("group", name="Your new token.").locator("code").inner_text()
        program = httpx.get(f"{site.url}/api/v1/me", headers={"authorization": f"Bearer {token}"})
        assert program.json()["name"] == "berta"

        page.get_by_label("Address").fill(receiver)
        page.get_by_role("button", name="Add").click()
        test = page.get_by_role("button", name=f"Send a test to {receiver}")
        test.click()
        expect(page.get_by_text("The test did not arrive. The receiver answered 500.")).to_be_visible()
        test.click()
        expect(page.get_by_text("The test arrived.")).to_be_visible()
        page.get_by_text("What it was told").click()
        expect(page.locator(".deliveries li")).to_have_count(2)
        accessible(page)

        page.get_by_role("button", name="I have it").first.click()
        revoke = page.get_by_role("button", name="Revoke the token nightly batch")
        revoke.click()
        page.get_by_role("button", name="Revoke the token nightly batch for good?").click()
        expect(page.get_by_text("nightly batch", exact=True)).to_have_count(0)
        assert httpx.get(program.request.url, headers=dict(program.request.headers)).status_code == 401

        page.get_by_label("The one you have").fill("not the password")
        page.get_by_label("The new one").fill("a donkey of another colour")
        page.get_by_role("button", name="Change", exact=True).click()
        expect(page.get_by_text("That is not the password you have.")).to_be_visible()

        page.get_by_role("button", name="Log out everywhere").click()
        expect(page).to_have_url(f"{site.url}/login")
        page.goto(f"{site.url}/account")
        expect(page).to_have_url(f"{site.url}/login?next=/account")
        assert faults == []


def test_a_login_that_has_ended_is_not_called_a_wrong_password(site: Site, chromium: Browser) -> None:
    site.add("carla")
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{site.url}/login?next=/account")
        log_in(page, "carla")
        page.get_by_label("The one you have").fill(PASSWORD)
        page.get_by_label("The new one").fill("a donkey of another colour")
        context.clear_cookies()
        page.get_by_role("button", name="Change", exact=True).click()
        expect(page.get_by_text("You are logged out. Nothing was changed.")).to_be_visible()
        expect(page.get_by_role("link", name="Log in again")).to_be_visible()
