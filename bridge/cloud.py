"""The cloud's side of the bridge: the one interface that another cloud implements. docs/clouds.md tells the rules."""

from collections.abc import AsyncIterator
from typing import Protocol

from bridge.envelope import Parcel
from bus.errors import OverspillError


class CloudDown(OverspillError):
    """The cloud did not take a parcel; it may take it later."""


class Unsendable(CloudDown):
    """It never takes this one, though it takes others: the fault is in the parcel, and says nothing of the cloud."""


class Arrival(Protocol):
    """A parcel that came out of the cloud, and is the cloud's until it is settled."""

    parcel: Parcel
    dead: bool
    """Whether it is a job as it was sent, given up after too many deliveries, and not an answer."""

    def done(self) -> None:
        """It is dealt with, and must not come again. Never raises, may be called once."""

    def again(self) -> None:
        """Let it come again, later. Never raises, may be called once."""


class Cloud(Protocol):
    """A cloud that takes jobs and gives answers. All methods belong to the event loop's thread."""

    keeps: bool
    """Whether a job it has taken outlives us. If not, the bridge holds the job's delivery until the answer has come."""
    largest_bytes: int
    """The largest body of a parcel it takes."""
    operations: tuple[str, ...]
    """What it can be sent."""

    async def open(self) -> None:
        """Connect. Raises SetupError, naming the remedy, when it can never work as it is set up."""

    async def send(self, parcel: Parcel) -> None:
        """Give it a job; returns when the cloud has taken responsibility as far as it `keeps`. Raises CloudDown."""

    def answers(self) -> AsyncIterator[Arrival]:
        """What comes out, for as long as it is open, across lost connections. Called once."""

    def capacity(self) -> int | None:
        """Parcels it could take on top of those it has, as far as it knows; None when it can't tell."""

    async def close(self) -> None:
        """Send what was begun, settle what was asked for, and disconnect."""
