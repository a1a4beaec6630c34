"""The account page's modules hang together: what one imports is there, and the page fetches all of it early."""

import re
from pathlib import Path

from tests.needed import need_package

need_package("nicegui", "page")

from ui.web.pages import account  # noqa: E402 (imports NiceGUI)
from ui.web.pages.components.account_board import AccountBoard  # noqa: E402

WEB = Path(account.__file__).parents[1]
IMPORT = re.compile(r"""from "overspill/([^"]+)";""")


def imported(file: Path) -> set[str]:
    return set(IMPORT.findall(file.read_text(encoding="utf-8")))


def served(address: str) -> Path:
    return (WEB / "pages" if address.startswith("components/") else WEB / "static") / address


def test_the_page_fetches_early_all_that_its_board_imports() -> None:
    wanted, seen = imported(WEB / "pages" / "components" / "account_board.js"), set[str]()
    while wanted - seen:
        address = min(wanted - seen)
        seen.add(address)
        wanted |= imported(served(address))
    assert seen == set(account.MODULES)


def test_the_component_is_the_board() -> None:
    assert AccountBoard.component is not None
    assert AccountBoard.component.name == "account_board"
