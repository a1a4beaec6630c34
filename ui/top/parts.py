"""How the lines of a screen are shared among its parts. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the screen; `make(n)` gives its `n` lines, or fewer."""

    size: int
    """Lines that all of it takes."""
    make: Callable[[int], list[Text]]
    least: int = 1
    """Lines it gets before others get more."""
    want: int | None = None
    """Lines it gets before what is left is shared out; None for all of it."""


def shares(parts: Sequence[Part], height: int) -> list[int]:
    """Lines for each part, `height` in all at the most; `parts` are in the order of their importance.

    Each gets its least first, then what it wants, then the rest of what it has, as long as there is room.
    """
    given = [0] * len(parts)
    for bounds in ([part.least for part in parts], [part.want for part in parts], [None] * len(parts)):
        for index, (part, bound) in enumerate(zip(parts, bounds, strict=True)):
            most = part.size if bound is None else min(part.size, bound)
            given[index] += max(0, min(most - given[index], height - sum(given)))
    return given


def lines_of(text: Sequence[Text]) -> Callable[[int], list[Text]]:
    """For parts whose first lines matter most."""
    return lambda count: [line.copy() for line in text[:count]]


def column(cells: Sequence[tuple[Text | str, int]], dots: str) -> Text:
    """Cells beside each other, each cut or filled up to its width; to the right where that is below 0."""
    line = Text()
    for index, (cell, width) in enumerate(cells):
        piece = cell.copy() if isinstance(cell, Text) else Text(cell)
        fit(piece, abs(width), dots)
        padding = " " * (abs(width) - piece.cell_len)
        line.append(" " if index else "")
        line = line.append(padding).append_text(piece) if width < 0 else line.append_text(piece).append(padding)
    return line


def fit(text: Text, width: int, dots: str) -> Text:
    """Cut a line to so many cells, in place; returns it."""
    if text.cell_len > width:
        text.truncate(max(0, width - len(dots)), overflow="crop")
        text.append(dots[:width])
    return text
