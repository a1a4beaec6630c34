"""One job's way through an HTTP pool: from service to service until it is answered, given up, or sent home. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from bridge.envelope import Parcel, returned_parcel, served_elsewhere
from bridge.pool.wire import Answered, Failed, NotTaken, Outcome, OutOfReach


@dataclass(frozen=True, slots=True)
class End:
    """What comes out of the pool: an answer, a job that goes home as it came, or one given up (`dead`)."""

    parcel: Parcel
    dead: bool = False


@dataclass(slots=True)
class Errand:
    """Who was tried with a job. `most` bounds both its failed runs and its refusals."""

    parcel: Parcel
    most: int
    tried: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    refusals: int = 0

    @property
    def operation(self) -> str:
        """What is to be done."""
        return self.parcel.attributes.get("operation", "")

    def after(self, url: str, outcome: Outcome) -> End | None:
        """The end that an outcome is, or None: try another.

        A job that services took and failed on is given up: it may be what breaks them. One that none took goes home,
        where a VM may run it.
        """
        self.tried[url] += 1
        if isinstance(outcome, Answered):
            return End(outcome.parcel)
        self.failures += isinstance(outcome, Failed)
        self.refusals += isinstance(outcome, NotTaken | OutOfReach)
        if self.failures >= self.most:
            return self._given_up(f"it {outcome.reason}")  # its address is not for the job's caller to know
        return self.home(f"{url} {outcome.reason}") if self.refusals >= self.most else None

    def home(self, reason: str) -> End:
        """Back as it came, for a VM. What is served at all, the pool itself knows, and tells."""
        return End(served_elsewhere(self.parcel, reason))

    def _given_up(self, reason: str) -> End:
        told = returned_parcel(self.parcel, reason).attributes
        return End(Parcel(self.parcel.body, {**told, "kind": self.parcel.kind}), dead=True)
