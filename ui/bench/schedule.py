"""When each job is due. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice, takewhile
from math import log1p
from typing import Literal

from ui.bench.mix import Draw, Weighted

Arrivals = Literal["poisson", "constant"]


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the system: `rate` jobs a second on average.

    `pictures` is how many different ones there are; each is as likely. It ends `for_s` seconds after it began, or with
    job number `jobs`, whichever is sooner; one of the two must be given.
    """

    rate: float
    arrivals: Arrivals
    operations: Weighted
    users: Weighted
    pictures: int
    for_s: float | None = None
    jobs: int | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """One job: due `at_s` seconds after the beginning, with the picture of that index."""

    number: int
    at_s: float
    operation: str
    user: str
    picture: int


def schedule(load: Load, draw: Draw) -> Iterator[Due]:
    """The jobs, in order of time."""
    for_s = float("inf") if load.for_s is None else load.for_s
    dues = (_due(load, number, at_s, draw) for number, at_s in enumerate(_times(load, draw)))
    return islice(takewhile(lambda due: due.at_s < for_s, dues), load.jobs)


def _due(load: Load, number: int, at_s: float, draw: Draw) -> Due:
    picture = int(draw() * load.pictures)
    return Due(number, at_s, load.operations.drawn(draw), load.users.drawn(draw), picture)


def _times(load: Load, draw: Draw) -> Iterator[float]:
    if load.arrivals == "constant":
        yield from (number / load.rate for number in count())
    at_s = 0.0
    while True:  # people who know nothing of each other: the gaps are exponential
        at_s -= log1p(-draw()) / load.rate
        yield at_s
