"""The policies by their names in the settings."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from producers.placement import least_loaded, p2c, predictive, threshold
from producers.placement.choices import Asked, Decision, Offer, Rules
from producers.placement.scene import Scene


def _can(offer: Offer, rules: Rules) -> str:  # noqa: ARG001 (as all verdicts)
    return "can take it"


class Policy(NamedTuple):
    """A rule of placement.

    `look` says which VMs the job is offered to, `choose` decides by recorded figures alone, and `verdict` says what the
    rule thinks of a VM that has room. `reads` are the limits that it reads.
    """

    look: Callable[[Scene], list[Offer]]
    choose: Callable[[Asked, Sequence[Offer]], Decision]
    verdict: Callable[[Offer, Rules], str] = _can
    reads: tuple[str, ...] = ("slots",)


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "threshold": Policy(threshold.look, threshold.choose, threshold.verdict, ("cpu", "ram", "slots")),
        "least-loaded": Policy(Scene.first_offers, least_loaded.choose),
        "p2c": Policy(p2c.look, p2c.choose),
        "predictive": Policy(predictive.look, predictive.choose, reads=("slots", "behind_s", "enough_s")),
    }
)


def reads(policy: str, limit: str) -> bool:
    """Whether a policy looks at a limit; one that there is not looks at none."""
    return policy in POLICIES and limit in POLICIES[policy].reads
