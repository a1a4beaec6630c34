"""When a delivery that failed is tried again, and when a webhook is given up. Pure."""

from dataclasses import dataclass
from typing import Final

WAITS_S: Final = (5, 30, 120, 600, 3600, 18_000, 43_200)
"""Seconds before each further attempt, 18 hours in all: a receiver may be down for a night."""
JITTER: Final = 0.2
"""The share of a wait that chance adds, so that what failed together isn't sent again together."""
GIVEN_UP_IN_A_ROW: Final = 5
"""Deliveries given up one after another, with none between that arrived, after which a webhook is switched off."""
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt went: the receiver's status, or why there is none; `ms` is how long it took."""

    status: int | None
    error: str | None
    ms: int

    @property
    def arrived(self) -> bool:
        """Whether the receiver took it: any 2xx says so."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more of these."""
        return self.status == GONE


def next_attempt_ms(attempts: int, now_ms: int, chance: float) -> int | None:
    """When to try again after `attempts` failed ones, or None: given up. `chance` is in [0, 1)."""
    if attempts > len(WAITS_S):
        return None
    return now_ms + int(WAITS_S[attempts - 1] * 1000 * (1 + JITTER * chance))


def why_switched_off(outcome: Outcome, given_up_in_a_row: int) -> str | None:
    """Why a webhook gets no more deliveries, or None: it does."""
    if outcome.gone:
        return "The receiver answered 410: it wants no more."
    if given_up_in_a_row >= GIVEN_UP_IN_A_ROW:
        return f"{given_up_in_a_row} deliveries in a row were given up after {len(WAITS_S) + 1} attempts each."
    return None


def described(outcome: Outcome) -> str:
    """An outcome in words, for people; never what the receiver wrote."""
    if outcome.arrived:
        return f"arrived ({outcome.status})"
    if outcome.status is not None and 300 <= outcome.status < 400:
        return f"The receiver sends us elsewhere ({outcome.status}); we follow no redirects. Give its final address."
    return outcome.error or f"The receiver answered {outcome.status}."
