"""A replay as pictures: small SVG files, the same for the same figures."""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from math import nan
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from producers.flight.outcomes import Day, Ended, Times

COLOURS: Final = ("#8a8a8a", "#2b83ba", "#d9822b")
"""Recorded, played unchanged, hypothetical."""
POINTS: Final = 200
PIECES: Final = 96
"""Pieces of time: a quarter of an hour each, of a day."""

Named = Sequence[tuple[str, Day]]


def draw(days: Named, folder: Path) -> list[Path]:
    """Draw all pictures into a folder, which is made; their files. Raises OSError when it can't be written."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_drawn(days, folder / name, plot) for name, plot in _PLOTS.items()]


def _drawn(days: Named, path: Path, plot: Callable[[Axes, Day, str, str], None]) -> Path:
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    for (name, day), colour in zip(days, COLOURS, strict=False):
        plot(axes, day, name, colour)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    # Without a date and with fixed ids the same figures make the same file.
    with mpl.rc_context({"svg.hashsalt": "overspill", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
    return path


def _answer(axes: Axes, day: Day, name: str, colour: str) -> None:
    took = sorted(job.took_s for job in day.ended)
    n = len(took)
    shares = [10 ** (-4 * point / POINTS) for point in range(POINTS + 1)]
    times = [took[min(n - 1, int(n * (1 - share)))] for share in shares] if took else []
    axes.plot(times, shares[: len(times)], color=colour, label=name)
    axes.set(xlabel="seconds to the answer", ylabel="share of jobs that took longer")
    if took:  # of nothing there is no logarithm
        axes.set(xscale="log", yscale="log")


def _p95(axes: Axes, day: Day, name: str, colour: str) -> None:
    values = [Times.of(job.took_s for job in piece).p95 for piece in _pieces(day)]
    axes.plot(_hours(day), values, color=colour, label=name)
    axes.set(xlabel="hours", ylabel="95th percentile, seconds")


def _overflow(axes: Axes, day: Day, name: str, colour: str) -> None:
    axes.plot(_hours(day), [_share_of_cloud(piece) for piece in _pieces(day)], color=colour, label=name)
    axes.set(xlabel="hours", ylabel="share sent to the cloud", ylim=(0, 1))


def _cost(axes: Axes, day: Day, name: str, colour: str) -> None:
    spent = accumulate(sum(job.cost for job in piece) for piece in _pieces(day))
    axes.plot(_hours(day), list(spent), color=colour, label=name)
    axes.set(xlabel="hours", ylabel="spent, US dollars")


_PLOTS: Final = {"answer.svg": _answer, "p95.svg": _p95, "overflow.svg": _overflow, "cost.svg": _cost}


def _share_of_cloud(piece: Sequence[Ended]) -> float:
    return sum(job.place == "cloud" for job in piece) / len(piece) if piece else nan


def _hours(day: Day) -> list[float]:
    return [day.span_s * (piece + 0.5) / PIECES / 3600 for piece in range(PIECES)]


def _pieces(day: Day) -> Iterable[list[Ended]]:
    pieces: list[list[Ended]] = [[] for _ in range(PIECES)]
    for job in day.ended:
        pieces[min(PIECES - 1, int(job.arrived_s / max(day.span_s, 1e-9) * PIECES))].append(job)
    return pieces
