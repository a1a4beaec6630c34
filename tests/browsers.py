"""The browser that tests look at the page in: this machine's own Chromium, else the one that Playwright fetched.

`python -m tests.browsers` ends with status 0 where there is one.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.needed import lacking

SYSTEMS_OWN = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",  # in a container, as root
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium(playwright: Playwright) -> Path | None:
    """The program, if there is one."""
    return next((path for path in (SYSTEMS_OWN, Path(playwright.chromium.executable_path)) if path.is_file()), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window, while the context lasts; no event loop can run in the same thread meanwhile."""
    with sync_playwright() as playwright:
        program = chromium(playwright)
        if program is None:
            lacking("no Chromium to look at the page with; `make browser` installs one")
        launched = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield launched
        launched.close()


if __name__ == "__main__":
    with sync_playwright() as started:
        sys.exit(chromium(started) is None)
