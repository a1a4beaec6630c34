import pytest

from bus.rabbit import Bus
from bus.topology import DEAD, shared
from telemetry.metrics.queues import ask, summed

pytestmark = pytest.mark.broker


def test_lanes_and_parked_jobs_are_summed_up() -> None:
    ready = {"lane.00": 2, "lane.15": 3, "parked.sketch": 1, "parked.caption": None, "dead": 0, "overflow": None}
    assert summed(ready) == {"lanes": 5, "parked": 1, "dead": 0}


async def test_a_real_broker_tells_all_of_them(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=shared()) as bus:
        told = await ask(bus)
    assert told.keys() == {"lanes", "parked", DEAD, "overflow", "jobs.unknown", "jobs.returned"}
    assert set(told.values()) == {0}
