"""The dashboard's modules hang together: what one imports is there, and the page fetches all of it early."""

import re
from pathlib import Path

import pytest

from tests.needed import need_package

need_package("nicegui", "page")

from ui.web.pages import dashboard  # noqa: E402 (imports NiceGUI)
from ui.web.pages.assets import BASE  # noqa: E402
from ui.web.pages.components.fleet_board import FleetBoard  # noqa: E402

WEB = Path(dashboard.__file__).parents[1]
BOARD = WEB / "pages" / "components" / "fleet_board.js"
IMPORT = re.compile(r"""^import [^;]*?from "([^"]+)";""", re.MULTILINE)


def at(address: str) -> Path:
    """The file that is served at an address below `BASE`."""
    return WEB / "pages" / address if address.startswith("components/") else WEB / "static" / address


def imported(file: Path, address: str) -> set[str]:
    """The addresses below `BASE` that a module imports."""
    found = set()
    for name in IMPORT.findall(file.read_text(encoding="utf-8")):
        if name.startswith("./"):
            found.add(f"{address.rpartition('/')[0]}/{name.removeprefix('./')}")
        elif name.startswith("overspill/"):
            found.add(name.removeprefix("overspill/"))
        else:
            assert name == "vue", f"{file.name} imports {name}, which nobody serves"
    return found


def everything() -> set[str]:
    """All that the board imports, and what that imports."""
    known: set[str] = set()
    fresh = imported(BOARD, "components/fleet_board.js")
    while fresh:
        known |= fresh
        fresh = {further for address in fresh for further in imported(at(address), address)} - known
    return known


def test_the_board_is_the_component_next_to_it() -> None:
    assert FleetBoard.component is not None
    assert FleetBoard.component.path == BOARD


@pytest.mark.parametrize("address", sorted(everything()))
def test_what_is_imported_is_there(address: str) -> None:
    assert at(address).is_file()


def test_all_that_is_imported_is_fetched_early_and_nothing_else() -> None:
    in_every_frame = {"js/frame.js"}
    assert set(dashboard.MODULES) == everything() - in_every_frame


def test_no_module_of_the_dashboard_is_forgotten() -> None:
    folder = BOARD.parent / "dashboard"
    assert {f"components/dashboard/{path.name}" for path in folder.glob("*.js")} <= everything()


def test_style_sheets_are_there_and_cached_for_good() -> None:
    assert all(at(sheet).is_file() for sheet in dashboard.STYLES)
    assert re.fullmatch(r"/static/[0-9a-f]{16}", BASE)


@pytest.mark.parametrize(
    "path", [BOARD, *sorted((BOARD.parent / "dashboard").glob("*.js"))], ids=lambda path: path.name
)
def test_nothing_that_a_user_wrote_can_become_markup(path: Path) -> None:
    assert not re.search(r"innerHTML|outerHTML|v-html|insertAdjacentHTML|document\.write", path.read_text("utf-8"))
