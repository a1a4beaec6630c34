"""Results as text: Markdown tables, so that a run's output can be put into a page as it is."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.simulation.experiments import Measured, Shares
from tests.simulation.outcome import herding

ROOT = Path(__file__).parents[2]
Profile = Mapping[tuple[str, int, str], tuple[object, object, float, object, object]]
"""What `pstats.Stats` keeps: of each function, by file, line and name, the seconds spent in itself come third."""
_COLUMNS = ("p50", "p95", "p99", "max", "busy", "overflow", "again", "ETA held", "herding", "jobs/CPU s")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the columns in line."""
    lines = [head, ["---"] * len(head), *rows]
    widths = [max(len(row[column]) for row in lines) for column in range(len(head))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in lines
    )


def measurements(measured: Sequence[Measured]) -> str:
    """All figures, one row a run; times in seconds, the last is the simulator's own speed."""
    return table(("VMs", "load", "policy", *_COLUMNS), [_row(one) for one in measured])


def _row(one: Measured) -> list[str]:
    of = one.figures
    seconds = [f"{value:.2f}" for value in (of.p50, of.p95, of.p99, of.worst)]
    shares = [_percent(value) for value in (of.utilisation, of.overflow, of.retried, of.coverage)]
    herd = herding(one.sent)
    last = f"{herd:.2f}" if np.isfinite(herd) else "-"
    return [str(one.vms), f"{one.load:.0%}", one.policy, *seconds, *shares, last, f"{one.rate:.0f}"]


def side_by_side(measured: Sequence[Measured]) -> str:
    """The 50th and the 99th percentile, seconds, one column a policy; where seeds are several, their geometric mean."""
    policies = list(dict.fromkeys(one.policy for one in measured))
    found: dict[tuple[int, float, str], list[tuple[float, float]]] = defaultdict(list)
    for one in measured:
        found[one.vms, one.load, one.policy].append((one.figures.p50, one.figures.p99))
    rows = [
        [str(vms), f"{load:.0%}", *(_both(found[vms, load, policy]) for policy in policies)]
        for vms, load in dict.fromkeys((one.vms, one.load) for one in measured)
    ]
    return table(("VMs", "load", *policies), rows)


def _both(percentiles: Sequence[tuple[float, float]]) -> str:
    p50, p99 = np.exp(np.mean(np.log(percentiles), axis=0))
    return f"{p50:.2f} / {p99:.2f}"


def shares(found: Sequence[Shares]) -> str:
    """How evenly computing time was shared."""
    rows = [[one.policy, f"{one.jain:.4f}", f"{one.seconds.min():.0f}", f"{one.seconds.max():.0f}"] for one in found]
    return table(("policy", "Jain's index", "least seconds a user", "most"), rows)


def by_module(profiled: Profile) -> str:
    """Where a profiled run spent its time: the twenty modules with most of it."""
    seconds: dict[str, float] = defaultdict(float)
    for (file, _, _), (_, _, own_s, _, _) in profiled.items():
        seconds[_module(file)] += own_s
    whole = sum(seconds.values())
    longest = sorted(seconds.items(), key=lambda item: -item[1])
    return table(("module", "time"), [[name, _percent(own / whole)] for name, own in longest[:20]])


def _module(file: str) -> str:
    path = Path(file)
    if file == "~":
        return "built in"
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else "/".join(path.parts[-2:])


def _percent(value: float) -> str:
    return f"{value:.1%}" if np.isfinite(value) else "-"
