"""The figures of a bench in words. Pure."""

from collections.abc import Mapping, Sequence

from bus.prices import dollars
from ui.bench.figures import Fairness, Figures, Generator, Row
from ui.bench.search import Step, best, limited_by_generator
from ui.bench.tally import Tally

_COLUMNS = ("p50", "p90", "p95", "p99", "p99_9", "max")
_PLACES = {"vm": "on VMs", "cloud": "in the cloud", "lost": "lost", "expired": "expired"}


def lines(figures: Figures) -> list[str]:
    """What a person reads."""
    return [
        f"{'seconds':30} {'jobs':>7} {'50 %':>8} {'90 %':>8} {'95 %':>8} {'99 %':>8} {'99.9 %':>8} {'most':>8}",
        "latency, from when jobs were due",
        *(_line(row, row.latency) for row in figures.rows),
        "service, from when they were sent",
        *(_line(row, row.service) for row in figures.rows[:1]),
        "",
        f"throughput  {_pace(figures)}",
        f"answers     {_answers(figures)}",
        *([f"problems    {_counts(figures.problems)}"] if figures.problems else []),
        f"cloud       {100 * figures.cloud_share:.1f} % of the good answers, {dollars(figures.cost)} estimated",
        f"fairness    {_fairness(figures.fairness)}",
        f"generator   {_generator(figures.generator)}",
    ]


def _pace(figures: Figures) -> str:
    achieved = f"{figures.achieved_rate:.2f} achieved, over {figures.seconds:.1f} s"
    return f"{figures.offered_rate:.2f} jobs/s offered, {achieved}"


def _line(row: Row, times: Mapping[str, float]) -> str:
    name = "all" if row.operation == "all" else f"{row.operation} {_PLACES[row.place]}"
    return f"  {name:28} {row.jobs:7} " + " ".join(f"{shown(times.get(column)):>8}" for column in _COLUMNS)


def shown(seconds: float | None) -> str:
    """Seconds, as exact as they matter: `0.0123`, `0.412`, `12.3`."""
    if seconds is None:
        return "-"
    return f"{seconds:.{4 if seconds < 0.1 else 3 if seconds < 10 else 1}f}"


def _answers(figures: Figures) -> str:
    failed = sum(figures.problems.values())
    said = f"{figures.good} good, {failed} failed, {figures.lost} lost, {figures.duplicates} twice"
    if figures.strangers:
        said += f", {figures.strangers} to jobs that were not this bench's, or came after they were given up"
    return said + (f"; stopped with {figures.under_way} under way" if figures.under_way else "")


def _counts(problems: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {slug}" for slug, count in problems.items())


def _fairness(fairness: Fairness) -> str:
    if fairness.slowest is None:
        return "nobody got an answer"
    return (
        f"Jain's index over {fairness.users} users: {fairness.answers:.3f} of answers, {fairness.waiting:.3f} of "
        f"waiting; means from {shown(fairness.fastest_s)} s to {shown(fairness.slowest_s)} s ({fairness.slowest})"
    )


def _generator(generator: Generator) -> str:
    lag = generator.lag
    if not lag:
        return "sent nothing that counts: it was stopped within the warm-up, or had no jobs after it"
    said = (
        f"sent {shown(lag.get('p50'))} s late at the median, {shown(lag.get('p99'))} s at 99 %, "
        f"{shown(lag.get('max'))} s at most; {100 * generator.cpu:.0f} % of a core"
    )
    if generator.kept_up:
        return said
    return f"{said}\n  IT DID NOT KEEP UP: these figures are its own, not the system's. Run it on a machine with time."


def search_lines(steps: Sequence[Step], slo_s: float) -> list[str]:
    """The steps of a search for the capacity, and what was found."""
    told = [f"{'jobs/s':>9} {'offered':>9} {'achieved':>9} {'95 %, s':>9}"]
    told += [
        f"{step.rate:9.2f} {step.offered_rate:9.2f} {step.achieved_rate:9.2f} {shown(step.p95_s):>9}"
        f"  {step.why_not or 'good'}"
        for step in steps
    ]
    found = best(steps)
    if found is None:
        return [
            *told,
            "",
            f"capacity    not found: at no rate that was tried, 95 % were answered within {slo_s:g} s",
            "",
        ]
    held = f"capacity    {found.rate:.2f} jobs/s, 95 % answered within {slo_s:g} s; there:"
    if limited_by_generator(steps):
        held = (
            f"capacity    {found.rate:.2f} jobs/s or more: above it the generator, not the system, did not keep up.\n"
            "            Run it on a machine with time. There:"
        )
    return [*told, "", held, ""]


def progress(tally: Tally, passed_s: float) -> str:
    """One line while it runs; the times are of the latest jobs that ended."""
    lately = sorted(tally.lately)
    times = (
        f"; lately {shown(lately[len(lately) // 2])} s, 95 % {shown(lately[len(lately) * 95 // 100])} s"
        if lately
        else ""
    )
    failed = sum(tally.problems.values())
    ending = "" if tally.until_s is None else ", waiting for the rest"
    return f"{passed_s:4.0f} s: {tally.sent} sent, {tally.under_way} under way, {failed} failed or lost{times}{ending}"
