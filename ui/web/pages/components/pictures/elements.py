"""The elements that place our Vue components on a page of NiceGUI."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from nicegui.element import Element

FOLDER = Path(__file__).parent
MODULES = tuple(
    f"components/pictures/{path.name}" for path in sorted(FOLDER.glob("*.js")) if path.stem not in {"board", "job_page"}
)
"""What both of them import, to be fetched at once rather than one after the other."""


class Sample(TypedDict):
    """A photograph to try: its file name, its address, that of a small one, and what it shows."""

    name: str
    url: str
    small: str
    title: str


class Board(Element, component="board.js"):
    """All pictures of whoever looks: it asks the HTTP API for them, and keeps up with it."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        super().__init__()
        self.props["samples"] = list(samples)


class JobPage(Element, component="job_page.js"):
    """One job in full, by its id."""

    def __init__(self, job_id: str) -> None:
        super().__init__()
        self.props["id"] = job_id
