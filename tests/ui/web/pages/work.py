"""The work page as tests use it: pictures handed in, and the cards that they become."""

import base64
import io
import re

from PIL import Image
from playwright.sync_api import Locator, Page, Request

from tests.ui.web.pages.studio import CAT

TAKE_FILES = """([event, named]) => {
  const files = new DataTransfer();
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  for (const [name, type, text] of named) files.items.add(new File([bytesOf(text)], name, { type }));
  const carried = event === "paste" ? { clipboardData: files } : { dataTransfer: files };
  const Kind = event === "paste" ? ClipboardEvent : DragEvent;
  document.body.dispatchEvent(new Kind(event, { bubbles: true, cancelable: true, ...carried }));
}"""


KINDS = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "txt": "text/plain"}


def take(page: Page, event: str, *names: str) -> None:
    """Drop or paste files of those names, each a photograph of a cat, in the format that its name tells."""
    page.evaluate(TAKE_FILES, [event, [[name, *cat(name.rpartition(".")[2])] for name in names]])


def cat(ending: str) -> tuple[str, str]:
    """The cat as a file's content type and its bytes in base64."""
    kind, written = KINDS[ending], io.BytesIO(CAT.read_bytes())
    if kind in {"image/png", "image/webp"}:
        Image.open(CAT).save(written := io.BytesIO(), ending)
    return kind, base64.b64encode(written.getvalue()).decode()


def choose(page: Page, *pictures: str | dict[str, object]) -> None:
    page.locator("input[type=file]").set_input_files(list(pictures))  # type: ignore[arg-type]  # paths, or payloads


def jpeg(name: str, content: bytes) -> dict[str, object]:
    """A picture to choose that is in no folder."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


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
