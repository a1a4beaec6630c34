"""The work page's modules hang together: what one imports is there, and is fetched early."""

import re
from pathlib import Path

import pytest

from tests.needed import need_package

need_package("nicegui", "page")

from nicegui.element import Element  # noqa: E402

from ui.web.pages.components.pictures import elements  # noqa: E402 (imports NiceGUI)
from ui.web.pages.work import SAMPLES, SHARED, STYLES  # noqa: E402

WEB = Path(elements.__file__).parents[3]
ENTRIES = [elements.FOLDER / "board.js", elements.FOLDER / "job_page.js"]
SCRIPTS = sorted(elements.FOLDER.glob("*.js"))
IMPORT = re.compile(r"""^import [^;]*?from "([^"]+)";""", re.MULTILINE)


def at(address: str) -> Path:
    """The file that is served at an address below the assets' own."""
    return WEB / "pages" / address if address.startswith("components/") else WEB / "static" / address


def imported(file: Path) -> set[str]:
    """The addresses of what a module imports."""
    names = {name for name in IMPORT.findall(file.read_text("utf-8")) if name != "vue"}
    assert all(name.startswith(("./", "overspill/")) for name in names)
    beside = file.relative_to(WEB / ("pages" if "components" in file.parts else "static")).parent
    return {name.replace("./", f"{beside}/").removeprefix("overspill/") for name in names}


def everything() -> set[str]:
    known: set[str] = set()
    fresh = set().union(*map(imported, ENTRIES))
    while fresh:
        known |= fresh
        fresh = set().union(*(imported(at(address)) for address in fresh)) - known
    return known


@pytest.mark.parametrize(("element", "entry"), [(elements.Board, ENTRIES[0]), (elements.JobPage, ENTRIES[1])])
def test_the_components_are_the_files_next_to_them(element: type[Element], entry: Path) -> None:
    assert element.component is not None
    assert element.component.path == entry


def test_modules_import_what_is_there_and_all_of_it_is_fetched_early() -> None:
    assert all(at(address).is_file() for address in everything())
    assert everything() <= {*elements.MODULES, *SHARED}


def test_components_that_a_page_begins_with_import_by_the_map_alone() -> None:
    for entry in ENTRIES:  # they are served from elsewhere
        assert not re.search(r'from "\./', entry.read_text("utf-8"))


def test_style_sheets_and_samples_are_there() -> None:
    assert all(at(sheet).is_file() for sheet in STYLES)
    assert all((WEB / "static" / "samples" / sample["name"]).is_file() for sample in SAMPLES)


@pytest.mark.parametrize("path", [*SCRIPTS, *sorted((WEB / "static" / "js").glob("*.js"))], ids=lambda path: path.name)
def test_nothing_that_a_user_wrote_can_become_markup(path: Path) -> None:
    assert not re.search(r"innerHTML|outerHTML|v-html|insertAdjacentHTML|document\.write", path.read_text("utf-8"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_drawings_that_are_named_are_in_the_sheet(path: Path) -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (WEB / "static" / "icons" / "symbols.svg").read_text("utf-8")))
    assert set(re.findall(r'<Icon name="([^"]+)"', path.read_text("utf-8"))) <= drawn
