"""The figures of a bench, from what was counted. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import BaseModel, Field

from ui.bench.histogram import Times
from ui.bench.tally import LOST, Tally

LATE_S: Final = 0.05
"""How late the generator may be for one job in a hundred, whatever the jobs take: a shared machine's scheduler alone
makes it tens of milliseconds now and then."""
LATE_SHARE: Final = 0.05
"""How late it may be in parts of the median latency: what it adds to slow jobs by that changes no figure's meaning."""
BUSY: Final = 0.9
"""The share of a core from which a generator has no time to be punctual."""

Percentiles = dict[str, float]
"""`p50`, `p90`, `p95`, `p99`, `p99_9` and `max`, seconds; empty where nothing was counted."""


class Row(BaseModel):
    """The jobs of one operation in one place; of all, both are `all`. Lost and expired ones count when given up."""

    operation: str
    place: str = Field(description="`vm`, `cloud`, `lost`, `expired`, or `all`.")
    jobs: int
    latency: Percentiles = Field(description="From the time the jobs were due, seconds.")
    service: Percentiles = Field(description="From the time they were really sent, seconds.")


class Fairness(BaseModel):
    """Jain's index over users (Jain, Chiu and Hawe 1984): 1 when all fare alike, 1/n when one has everything."""

    users: int
    answers: float = Field(description="Of the share of its jobs that each user got good answers to.")
    waiting: float = Field(description="Of each user's mean latency.")
    slowest: str | None = Field(None, description="The user with the highest mean latency.")
    slowest_s: float = 0.0
    fastest_s: float = 0.0


class Generator(BaseModel):
    """Whether the figures are the system's: how late this program itself was, seconds, and what it took of a core."""

    lag: Percentiles
    cpu: float = Field(description="Share of one core.")
    kept_up: bool


class Figures(BaseModel):
    """All that a bench tells."""

    seconds: float = Field(description="Length of the window, from the warm-up's end to the end of sending.")
    offered: int = Field(description="Jobs due in the window.")
    offered_rate: float
    achieved_rate: float = Field(description="Good answers a second that came within the window.")
    good: int
    lost: int = Field(description="Jobs that nobody answered in time.")
    problems: dict[str, int] = Field(description="The slug of a problem -> jobs that ended with it.")
    under_way: int = Field(0, description="Jobs without an end when the bench was stopped.")
    duplicates: int = Field(0, description="Answers that came a second time, warm-up included.")
    strangers: int = Field(0, description="Answers to jobs that this bench did not send.")
    cloud_share: float = Field(description="Of the good answers.")
    cost: float = Field(description="Estimated, US dollars.")
    rows: tuple[Row, ...]
    fairness: Fairness
    generator: Generator


class Seen(BaseModel):
    """What the counts don't tell: the client's own counters, and the generator's share of a core."""

    duplicates: int = 0
    strangers: int = 0
    cpu: float = 0.0


def figures_of(tally: Tally, seen: Seen) -> Figures:
    """The figures, once sending has ended."""
    rows = _rows(tally)
    cloud = sum(row.jobs for row in rows if row.place == "cloud")
    good = sum(person.good for person in tally.people.values())
    return Figures(
        seconds=tally.window_s,
        offered=tally.offered,
        offered_rate=_share(tally.offered, tally.window_s),
        achieved_rate=_share(tally.arrived, tally.window_s),
        good=good,
        lost=tally.problems[LOST],
        problems={slug: count for slug, count in tally.problems.most_common() if slug != LOST},
        under_way=tally.under_way,
        duplicates=seen.duplicates,
        strangers=seen.strangers,
        cloud_share=_share(cloud, good),
        cost=tally.cost,
        rows=tuple(rows),
        fairness=_fairness(tally),
        generator=_generator(tally, rows[0].latency, seen.cpu),
    )


def latencies(tally: Tally) -> Times:
    """All latencies, lost jobs included."""
    return Times.together(pair.latency for pair in tally.pairs.values())


def _rows(tally: Tally) -> list[Row]:
    services = Times.together(pair.service for pair in tally.pairs.values())
    found = [_row("all", "all", latencies(tally), services)]
    return found + [_row(*key, pair.latency, pair.service) for key, pair in sorted(tally.pairs.items())]


def _row(operation: str, place: str, latency: Times, service: Times) -> Row:
    told = {"latency": latency.percentiles(), "service": service.percentiles()}
    return Row(operation=operation, place=place, jobs=len(latency), **told)


def _fairness(tally: Tally) -> Fairness:
    means = {user: person.waited_s / person.good for user, person in tally.people.items() if person.good}
    slowest = max(means, key=lambda user: means[user], default=None)
    return Fairness(
        users=len(tally.people),
        answers=jain(person.good / person.asked for person in tally.people.values()),
        waiting=jain(means.values()),
        slowest=slowest,
        slowest_s=means[slowest] if slowest else 0.0,
        fastest_s=min(means.values(), default=0.0),
    )


def jain(shares: Iterable[float]) -> float:
    """Jain's index of fairness; 1 of nobody, and when nobody has anything."""
    each = list(shares)
    squares = sum(share * share for share in each)
    return min(1.0, sum(each) ** 2 / (len(each) * squares)) if squares else 1.0


def _generator(tally: Tally, latency: Mapping[str, float], cpu: float) -> Generator:
    lag = tally.lag.percentiles()
    most_s = max(LATE_S, LATE_SHARE * latency.get("p50", 0.0))
    return Generator(lag=lag, cpu=cpu, kept_up=lag.get("p99", 0.0) <= most_s and cpu < BUSY)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
