"""A bus on a virtual host of its own, and a foreign client on the same."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bus.rabbit import Bus
from bus.topology import Queue, Topology
from tests.bus.rabbit.foreign import Foreign

WORK = Topology(queues=(Queue("work", {"x-queue-type": "quorum"}),))


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Bus]:
    """Connected, with one queue called `work`."""
    async with Bus(amqp_url, name="test", topology=WORK) as bus:
        yield bus
