"""What opening a page costs a visitor: `python -m tests.benchmarks.pages [ROUNDS]`.

The work page, the dashboard and the login against an empty page of NiceGUI as it comes, each opened ROUNDS (9) times in
turn in one run, by a browser that has never been there and by one that was there before. Told are the bytes over the
wire, headers included and without what streams on; the requests; the medians of the first contentful paint; and the
ratios. Nothing is between browser and server but this machine, so bytes cost nothing in these times; elsewhere they do.
"""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browsers import browser
from tests.ui.web.pages.studio import COOKIE, Studio, open_studio

NO_BROKER: Final = "amqp://127.0.0.1:1/"
EMPTY: Final = "NiceGUI, empty"
SETTLED_MS: Final = 400
PAINT: Final = """() => new Promise((told) => {
  const seen = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
  const look = () => (seen() ? told(seen()) : requestAnimationFrame(look));
  look();
})"""
PLACES: Final = {"login": "/login", "work page": "/", "dashboard": "/dashboard"}


@dataclass
class Cost:
    """What one way of opening a page took, each time."""

    paints_ms: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    @property
    def paint_ms(self) -> float:
        return statistics.median(self.paints_ms)

    @property
    def weight(self) -> float:
        return statistics.median(self.bytes)


# -- the empty page, in a process of its own


def serve_empty(port: int) -> None:
    """A page with a word on it: a page with nothing is never painted."""
    from nicegui import ui

    @ui.page("/")
    def empty() -> None:
        ui.label("Empty")

    ui.run(host="127.0.0.1", port=port, reload=False, show=False, show_welcome_message=False)


@contextmanager
def empty_page() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.pages", "--empty", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with suppress(httpx.TransportError):
                httpx.get(url)
                break
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


# -- opening


def measure(page: Page, address: str, cost: Cost) -> None:
    """Open a page once, and add what it took."""
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    ended: list[dict[str, Any]] = []
    wire.on("Network.loadingFinished", lambda told: ended.append(told))  # noqa: PLW0108 (Playwright marks the handler)
    page.goto(address)
    cost.paints_ms.append(page.evaluate(PAINT))
    page.wait_for_timeout(SETTLED_MS)
    known = -1
    while known != len(ended):
        known = len(ended)
        page.wait_for_timeout(SETTLED_MS)
    sizes = [
        int(each["encodedDataLength"]) for each in ended if each["encodedDataLength"]
    ]  # others came from its cache
    cost.bytes.append(sum(sizes))
    cost.requests.append(len(sizes))
    wire.detach()


def open_twice(context: BrowserContext, address: str, first: Cost, again: Cost) -> None:
    """As a stranger, then as somebody who was there before."""
    for cost in (first, again):
        page = context.new_page()
        measure(page, address, cost)
        page.close()


def compare(chromium: Browser, studio: Studio, empty: str, rounds: int) -> tuple[dict[str, Cost], dict[str, Cost]]:
    token = studio.log_in("olga")
    addresses = {EMPTY: empty, **{name: studio.url + path for name, path in PLACES.items()}}
    first, again = ({name: Cost() for name in addresses} for _ in range(2))
    for turn in range(rounds + 1):
        for name, address in addresses.items():
            context = chromium.new_context(viewport={"width": 1280, "height": 900})
            if name not in {EMPTY, "login"}:
                context.add_cookies([{"name": COOKIE, "value": token, "url": studio.url}])
            costs = (first[name], again[name]) if turn else (Cost(), Cost())  # the servers warm up in the first
            open_twice(context, address, *costs)
            context.close()
    return first, again


def tell(title: str, costs: dict[str, Cost], say: Callable[[str], None]) -> None:
    """A row a page."""
    say(f"{title:14} {'bytes':>9} {'ratio':>6} {'requests':>9} {'first paint':>12} {'ratio':>6}")
    empty = costs[EMPTY]
    for name, cost in costs.items():
        say(
            f"{name:14} {cost.weight:9,.0f} {cost.weight / empty.weight:6.2f} {statistics.median(cost.requests):9.0f} "
            f"{cost.paint_ms:9.0f} ms {cost.paint_ms / empty.paint_ms:6.2f}"
        )


def main() -> None:
    if sys.argv[1:2] == ["--empty"]:
        return serve_empty(int(sys.argv[2]))
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with (
        tempfile.TemporaryDirectory(prefix="overspill-bench-") as folder,
        open_studio(NO_BROKER, Path(folder)) as studio,
        empty_page() as empty,
        browser() as chromium,
    ):
        first, again = compare(chromium, studio, empty, rounds)
    tell("first time", first, print)
    tell("again", again, print)
    return None


if __name__ == "__main__":
    main()
