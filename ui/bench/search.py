"""Looking for the highest rate that a system holds. Pure."""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, Field

from ui.bench.figures import Figures

GROWTH: Final = 1.5
CLOSE: Final = 1.1
"""A good and a bad rate this near each other are near enough."""
GENERATOR: Final = "the generator did not keep up"
_LEAST: Final = 64
"""The part of the first rate below which nothing is looked for."""
KEPT: Final = 0.95
"""The share of the offered jobs that must be answered, in time and at the pace they came."""
_FEW: Final = 2
"""Jobs that may be missing all the same: in a short step, those on their way at its end are more than 5 %."""


class Step(BaseModel):
    """One rate that was tried; `why_not` is None when the system held it."""

    rate: float = Field(description="Jobs a second asked for.")
    offered_rate: float
    achieved_rate: float
    p95_s: float | None = Field(description="The 95th percentile of latency; None when nothing was answered.")
    why_not: str | None
    answered: bool = Field(True, description="Whether any job got a good answer, if any was due.")


def step_of(rate: float, figures: Figures, slo_s: float) -> Step:
    """How the system took a rate."""
    return Step(
        rate=rate,
        offered_rate=figures.offered_rate,
        achieved_rate=figures.achieved_rate,
        p95_s=figures.rows[0].latency.get("p95"),
        why_not=why_not(figures, slo_s),
        answered=figures.good > 0 or not figures.offered,
    )


def why_not(figures: Figures, slo_s: float) -> str | None:
    """Why a rate is more than the system holds, or None."""
    p95_s = figures.rows[0].latency.get("p95")
    if not figures.generator.kept_up:
        return GENERATOR
    if p95_s is None or figures.good < KEPT * figures.offered:
        return f"{figures.offered - figures.good} of {figures.offered} jobs got no good answer"
    if p95_s > slo_s:
        return f"over {slo_s:g} s"
    if figures.achieved_rate * figures.seconds < KEPT * figures.offered - _FEW:
        return "answers fall behind"
    return None


def next_rate(steps: Sequence[Step], first: float) -> float | None:
    """The rate to try next: up until one is bad, then between; None when the answer is near enough.

    None too once nothing at all was answered: that is not for the rate, but for a broker or VMs that stand still.
    """
    if not steps:
        return first
    if not steps[-1].answered:
        return None
    good = max((step.rate for step in steps if step.why_not is None), default=0.0)
    bad = min((step.rate for step in steps if step.why_not is not None and step.rate > good), default=None)
    if bad is None:
        return good * GROWTH
    if not good:
        return bad / 2 if bad > first / _LEAST else None
    return None if bad <= good * CLOSE else float((good * bad) ** 0.5)


def best(steps: Sequence[Step]) -> Step | None:
    """The highest rate that was held."""
    return max((step for step in steps if step.why_not is None), key=lambda step: step.rate, default=None)


def limited_by_generator(steps: Sequence[Step]) -> bool:
    """Whether the lowest rate above the best was not held by the generator: then the system may hold more."""
    found = best(steps)
    above = [step for step in steps if found is not None and step.rate > found.rate]
    return min(above, key=lambda step: step.rate).why_not == GENERATOR if above else False
