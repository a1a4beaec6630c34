"""The page as a process of its own, and how tests look at it."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from bus.clock import now_ms
from bus.settings import Settings
from tests.journey.processes import Processes
from tests.ui.web.api.house import PLAIN
from ui.web.jobs.database import connect
from ui.web.people import accounts, sessions
from ui.web.people.accounts import Account
from ui.web.people.cookies import cookie_name
from ui.web.people.sessions import Session
from ui.web.storage import database_of

COOKIE = cookie_name(secure=False)
SAMPLES = Path(__file__).parents[4] / "ui" / "web" / "static" / "samples"
CUP, CAT, ROCKET = (SAMPLES / name for name in ("cup.jpg", "cat.jpg", "rocket.jpg"))


@dataclass(frozen=True)
class Studio:
    """A page at `url`, run by `processes`, with accounts that tests add."""

    url: str
    settings: Settings
    processes: Processes

    def log_in(self, name: str) -> str:
        """The cookie's value of a login that holds, of an account that is made if need be; olga is an operator."""
        database, token, now = database_of(self.settings), sessions.new_token(), now_ms()
        with closing(connect(database.path, database.schema)) as connection, connection:
            if accounts.find(connection, name) is None:
                accounts.add(connection, Account(name, "operator" if name == "olga" else "user", None, None, None, now))
            sessions.begin(connection, token, Session(name, now, now, "127.0.0.1", "a test"))
        return token

    def client(self, user: str) -> httpx.Client:
        cookies, headers = {COOKIE: self.log_in(user)}, {"Origin": self.url}
        return httpx.Client(base_url=self.url, cookies=cookies, headers=headers, verify=PLAIN)

    def send(self, user: str, picture: Path = CUP, operation: str = "sketch") -> dict[str, Any]:
        """A job, handed in by the API."""
        with self.client(user) as client:
            headers = {"Content-Type": "image/jpeg"}
            query = {"operation": operation, "name": picture.name}
            answer = client.post("/api/v1/jobs", params=query, headers=headers, content=picture.read_bytes())
            assert answer.status_code == 202, answer.text
            told: dict[str, Any] = answer.json()
            return told

    def wait(self, path: str = "/health") -> None:
        for _ in range(600):
            with suppress(httpx.TransportError):
                if httpx.get(self.url + path, verify=PLAIN).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the page does not answer:\n{self.processes.log('page')}")


@contextmanager
def open_studio(amqp_url: str, folder: Path, **more: str) -> Iterator[Studio]:
    """A page that tries to reach the broker at `amqp_url`; olga is an operator, `more` are settings."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    settings = Settings(page_dir=folder / "page", page_login="accounts")
    told = {
        "OVERSPILL_PAGE_LOGIN": "accounts",
        "OVERSPILL_PAGE_DIR": str(settings.page_dir),
        "OVERSPILL_PAGE_PORT": str(port),
        "OVERSPILL_POLICY": "least-loaded",  # whatever else this machine is busy with
    }
    processes = Processes(amqp_url, folder, **(told | more))
    studio = Studio(f"http://127.0.0.1:{port}", settings, processes)
    processes.start_page()
    try:
        studio.wait()
        yield studio
    finally:
        processes.stop()


@contextmanager
def looking(studio: Studio, chromium: Browser, user: str, **how: Any) -> Iterator[Page]:
    """A page as `user` sees it; a fault of its scripts, or a websocket, fails the test."""
    context = chromium.new_context(reduced_motion="reduce", **how)
    context.add_cookies([{"name": COOKIE, "value": studio.log_in(user), "url": studio.url}])
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("websocket", lambda socket: faults.append(f"a websocket to {socket.url}"))
    yield page
    context.close()
    assert faults == []


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]
