"""What a job in the cloud is estimated to take (seconds) and to cost (US dollars), and what a cap allows. Pure."""

import math
from dataclasses import dataclass
from typing import Final, Self

from bus.settings import Settings

TIB = 2**40
PRIORS_S: Final = {"sketch": 2.0, "remove-background": 4.0, "caption": 6.0}
"""Seconds until a small picture is answered, a cold start now and then included, until answers tell better."""
UNKNOWN_S: Final = 6.0
"""The same for an operation that is not among them."""
_ROUNDING: Final = 1e-9
"""How much too much still fits, so that sums of floating-point numbers refuse nothing that a cap holds."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a second of an instance, for a request, and for a byte each way."""

    second: float
    request: float
    byte: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The settings' prices. A pool of services of your own is taken to cost nothing by the job."""
        if settings.cloud != "pubsub":
            return cls(0.0, 0.0, 0.0)
        vcpus, memory_gib = settings.cloud_vcpus, settings.cloud_memory_gib
        second = vcpus * settings.price_vcpu_s + memory_gib * settings.price_gib_s
        return cls(second, settings.price_request, settings.price_tib / TIB)

    def job(self, seconds: float, bytes_both_ways: int) -> float:
        """One job that computes for so long and moves so much, picture and result together."""
        return seconds * self.second + self.request + bytes_both_ways * self.byte


def over_cap(cost: float, spent: float, cap: float | None) -> str | None:
    """Why a job of this cost may not be sent when so much is spent of a day's cap (None is no cap); None if it may."""
    if cap is None or spent + cost <= cap + _ROUNDING:
        return None
    if spent >= cap - _ROUNDING:
        return f"budget spent: {of_cap(spent, cap)}"
    return f"the next job's estimated {dollars(cost)} would pass the cap: {of_cap(spent, cap)} are spent"


def of_cap(spent: float, cap: float) -> str:
    """What is spent of a day's cap: `$0.12 of $5.00 a day`."""
    return f"{dollars(spent)} of {dollars(cap)} a day"


def dollars(amount: float) -> str:
    """US dollars, and two digits of what is less than a cent: `$12.50`, `$0.42`, `$0.0042`, `$0.00017`."""
    decimals = 2 if amount <= 0 else min(8, max(2, 1 - math.floor(math.log10(amount))))
    return f"${max(0.0, amount):,.{decimals}f}"
