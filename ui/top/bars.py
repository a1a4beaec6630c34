"""Bars and short figures for a terminal. Pure."""

from typing import Final, NamedTuple

from rich.text import Text


class Glyphs(NamedTuple):
    """What bars are drawn with."""

    full: str
    empty: str
    mark: str
    dots: str


BLOCKS: Final = Glyphs("█", "·", "│", "…")
ASCII: Final = Glyphs("#", ".", "|", "~")


def bar(percent: float, mark: float, width: int, glyphs: Glyphs = BLOCKS) -> Text:
    """`percent` of `width` cells, with a mark at another percent; red from there on, and green below."""
    full, at = round(percent * width / 100), min(width - 1, int(mark * width / 100))
    cells = [glyphs.full if cell < full else glyphs.empty for cell in range(width)]
    cells[at] = glyphs.mark
    return Text("".join(cells), load_style(percent, mark))


def load_style(percent: float, mark: float) -> str:
    """The colour of a load."""
    return "red" if percent >= mark else "green"


def percent_of(value: float, mark: float) -> Text:
    """A load in five cells; `!` tells those who see no colour that it is at its mark or over."""
    loaded = value >= mark
    return Text(f"{'!' if loaded else ''}{value:.0f}%".rjust(5), load_style(value, mark))


def brief(seconds: float | None) -> str:
    """Seconds in six characters at the most: `0.34s`, `12.3s`, `3m20s`, `2h05m`, `3d02h`; `-` for None."""
    if seconds is None:
        return "-"
    if seconds < 9.995:
        return f"{max(0.0, seconds):.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{min(99, whole // 86_400)}d{whole % 86_400 // 3600:02d}h"


def per_second(rate: float) -> str:
    """Jobs a second in six characters at the most."""
    return f"{rate:.1f}" if rate < 999.95 else f"{rate:.0f}"


def clock(at_ms: int) -> str:
    """The time of day, UTC."""
    seconds = at_ms // 1000 % 86_400
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
