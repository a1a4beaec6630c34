"""The same figures as pictures: small SVG files."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.simulation.experiments import Measured

COLOURS = {
    "naive": "#9a9a9a",
    "threshold": "#d9822b",
    "least-loaded": "#7a5195",
    "p2c": "#2b83ba",
    "predictive": "#1a7f37",
}
POINTS = 70
"""Points of a curve: more would not be seen."""


def tails(measured: Sequence[Measured], path: Path) -> None:
    """For each load, the share of jobs that took longer than a time, by policy."""
    loads = sorted({one.load for one in measured})
    figure = Figure(figsize=(3.4 * len(loads), 3.2), layout="constrained")
    for axes, load in zip(np.atleast_1d(figure.subplots(1, len(loads), sharey=True)), loads, strict=True):
        for one in (one for one in measured if one.load == load):
            _tail(axes, one)
        axes.set(title=f"{load:.0%} load", xlabel="seconds to the answer", xscale="log", yscale="log", ylim=(1e-4, 1))
        axes.axhline(0.01, color="#cccccc", linewidth=0.8, zorder=0)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("share of jobs that took longer")
    figure.axes[0].legend(frameon=False, fontsize="small")
    _save(figure, path)


def _tail(axes: Axes, one: Measured) -> None:
    shares = np.geomspace(1, 1e-4, POINTS)
    axes.plot(np.quantile(one.times, 1 - shares), shares, color=COLOURS[one.policy], label=one.policy)


def growth(measured: Sequence[Measured], path: Path) -> None:
    """The 99th percentile by the size of the fleet."""
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    for policy in dict.fromkeys(one.policy for one in measured):
        own = [one for one in measured if one.policy == policy]
        p99 = [one.figures.p99 for one in own]
        axes.plot([one.vms for one in own], p99, marker="o", color=COLOURS[policy], label=policy)
    axes.set(xlabel="VMs", ylabel="99th percentile, seconds", xscale="log", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    _save(figure, path)


def herds(found: Sequence[Measured], path: Path) -> None:
    """Jobs sent to each VM in each second: one row a VM, so that a herd is a dark dot."""
    figure = Figure(figsize=(3.4 * len(found), 3.0), layout="constrained")
    for axes, one in zip(np.atleast_1d(figure.subplots(1, len(found), sharey=True)), found, strict=True):
        shown = one.sent[10:70].T
        image = axes.imshow(
            shown, aspect="auto", cmap="Greys", interpolation="nearest", vmin=0, vmax=max(8, int(shown.max()))
        )
        axes.set(title=f"{one.policy}: at most {shown.max()}", xlabel="second")
        figure.colorbar(image, ax=axes, shrink=0.8)
    figure.axes[0].set_ylabel("VM")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without a date and with fixed ids the same figures make the same file.
    with mpl.rc_context({"svg.hashsalt": "overspill", "svg.fonttype": "none"}):
        figure.savefig(path, dpi=60, metadata={"Date": None} if path.suffix == ".svg" else None)
