"""What a visitor of the page does and sees, in a real browser."""

import base64
import io
import re
import zipfile
from collections.abc import Mapping, Sequence

from playwright.sync_api import Locator, Page, expect

DROP = """(files) => {
  const carried = new DataTransfer();
  for (const [name, content] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    carried.items.add(new File([bytes], name, { type: "image/jpeg" }));
  }
  document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: carried }));
}"""


def open_page(page: Page, address: str) -> None:
    """Open the work page, and wait until it can take pictures."""
    page.goto(address)
    expect(page.get_by_role("radio", name="Pencil sketch")).to_be_visible()


def drop(page: Page, pictures: Mapping[str, bytes]) -> None:
    """Drop all of them at once, somewhere on the page; they are ready then."""
    page.evaluate(DROP, {name: base64.b64encode(body).decode() for name, body in pictures.items()})
    expect(page.locator(".tile")).to_have_count(len(pictures))


def choose(page: Page, operation: str) -> None:
    page.get_by_role("radio", name=operation).first.check(force=True)  # its face lies over it


def start(page: Page) -> None:
    page.locator("#start").click()


def cards(page: Page, *states: str) -> Locator:
    """The cards of pictures, those in one of `states` if any are named."""
    return page.locator(", ".join(f".card.is-{state}" for state in states) or ".card")


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=re.compile(f"^{re.escape(name)},"))


def names(page: Page) -> Sequence[str]:
    """Of all cards, in alphabetical order."""
    return sorted(page.locator(".card-name").all_text_contents())


def download_all(page: Page) -> dict[str, bytes]:
    """The files of the zip archive with all results."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def vm(page: Page, name: str) -> Locator:
    """The dashboard's card of a VM."""
    return page.get_by_role("article", name=name, exact=True)


def figure(page: Page, name: str, what: str) -> Locator:
    """What the dashboard says of a VM's `CPU`, `RAM` or `Slots`."""
    return vm(page, name).locator("dl > div").filter(has_text=what).locator("dd")
