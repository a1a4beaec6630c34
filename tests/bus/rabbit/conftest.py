"""A bus on a virtual host of its own, and a foreign client on the same."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bus.rabbit import Bus
from bus.topology import Queue, Topology
from tests.bus.rabbit.foreign import Foreign, eventually

WORK = Topology(queues=(Queue("work", {"x-queue-type": "quorum"}),))


class Sessions:
    """Counts the sessions of a bus."""

    def __init__(self, bus: Bus) -> None:
        self.begun = 0
        self.ended = 0
        bus.on_connect = self._on_connect
        bus.on_disconnect = self._on_disconnect

    def _on_connect(self) -> None:
        self.begun += 1

    def _on_disconnect(self) -> None:
        self.ended += 1

    async def renewed(self) -> None:
        await eventually(lambda: self.ended == 1 and self.begun == 1)


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Bus]:
    """Connected, with one queue called `work`."""
    async with Bus(amqp_url, name="test", topology=WORK) as bus:
        yield bus
