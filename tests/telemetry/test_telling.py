import asyncio
from collections.abc import Iterator

import pytest

from bus.events import JobEvent, read_event
from bus.rabbit import Bus, Delivery
from bus.settings import Settings
from bus.topology import EVENTS, shared
from telemetry import metrics
from telemetry.telling import tell
from tests.telemetry.metrics.pages import served_page, values

DONE = JobEvent(state="done", job="a", operation="sketch", at_ms=0, route="vm", vm="vm1")
COUNTED = 'overspill_jobs_total{operation="sketch",place="vm",state="done"}'


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    metrics.serve(Settings(metrics_port=0), "vm")
    yield
    metrics.stop()


@pytest.mark.broker
async def test_an_event_goes_to_whoever_listens_and_into_the_metrics(amqp_url: str) -> None:
    heard: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
    async with Bus(amqp_url, name="test", topology=shared()) as bus:
        await bus.listen([(EVENTS, "job.done.*")], heard.set_result)
        assert tell(bus, DONE)
        assert read_event((await heard).message.body) == DONE
    assert values(served_page())[COUNTED] == 1


def test_it_is_counted_though_there_is_no_way_to_the_broker() -> None:
    assert not tell(Bus("amqp://127.0.0.1:1/", name="test", topology=shared()), DONE)
    assert values(served_page())[COUNTED] == 1
