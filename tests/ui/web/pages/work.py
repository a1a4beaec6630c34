"""The work page as tests use it: pictures handed in, and the cards that they become."""

import base64
import re

from playwright.sync_api import Locator, Page, Request

from tests.ui.web.pages.studio import CAT

TAKE_FILES = """([event, names]) => {
  const files = new DataTransfer();
  const bytes = Uint8Array.from(atob(names.bytes), (letter) => letter.charCodeAt(0));
  for (const [name, type] of names.files) files.items.add(new File([bytes], name, { type }));
  const carried = event === "paste" ? { clipboardData: files } : { dataTransfer: files };
  const Kind = event === "paste" ? ClipboardEvent : DragEvent;
  document.body.dispatchEvent(new Kind(event, { bubbles: true, cancelable: true, ...carried }));
}"""


def take(page: Page, event: str, *names: str) -> None:
    """Drop or paste files of those names, each a photograph of a cat."""
    typed = [[name, "text/plain" if name.endswith(".txt") else "image/jpeg"] for name in names]
    page.evaluate(TAKE_FILES, [event, {"bytes": base64.b64encode(CAT.read_bytes()).decode(), "files": typed}])


def choose(page: Page, *pictures: str | dict[str, object]) -> None:
    page.locator("input[type=file]").set_input_files(list(pictures))  # type: ignore[arg-type]  # paths, or payloads


def start(page: Page) -> None:
    page.locator("#start").click()


def cards(page: Page, state: str = "") -> Locator:
    return page.locator(f".card{state and f'.is-{state}'}")


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=re.compile(f"^{re.escape(name)},"))


def open_at_a_time(page: Page, ending: str) -> list[int]:
    """How many requests for addresses with that ending were open, noted with each that begins; goes on being filled."""
    under_way: set[Request] = set()
    counts: list[int] = []

    def begun(request: Request) -> None:
        if request.url.endswith(ending):
            under_way.add(request)
            counts.append(len(under_way))

    def ended(request: Request) -> None:
        under_way.discard(request)

    page.on("request", begun)
    page.on("requestfinished", ended)
    page.on("requestfailed", ended)
    return counts
