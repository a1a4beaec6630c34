"""What a job in the cloud is estimated to cost, in US dollars. Pure."""

from dataclasses import dataclass
from typing import Self

from bus.settings import Settings

TIB = 2**40


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
