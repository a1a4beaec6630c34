"""What bridges told they had spent, read out of the history."""

import time

import pytest

from bridge.spending import last_word
from bus.events import BridgeStatus, event_message
from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import DEFAULT_EXCHANGE, EVENTS_HISTORY, Topology, shared

pytestmark = pytest.mark.broker

TOPOLOGY = Topology(queues=tuple(queue for queue in shared().queues if queue.name == EVENTS_HISTORY))


def status(bridge: str, spent: float, *, active: bool = True) -> Message:
    told = BridgeStatus(
        bridge=bridge, state="ready", at_ms=1, active=active, spent_today=spent, spent_by_hour={"500000": spent}
    )
    return event_message(told, EVENTS_HISTORY)


async def test_the_last_word_of_an_active_bridge_counts_whatever_its_name(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=TOPOLOGY) as bus:
        for message in (
            status("b1", 1.0),
            status("b2", 2.0),
            status("b4", 4.0),
            status("b5", 5.0, active=False),
            Message(b'{"kind":"bridge"?', EVENTS_HISTORY),
        ):
            await bus.publish(DEFAULT_EXCHANGE, message)
        told = await last_word(bus, _now_ms(), whole_day=False)
        assert told is not None
        assert (told.bridge, told.spent_by_hour) == ("b4", {"500000": 4.0})


async def test_an_empty_history_tells_nothing(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=TOPOLOGY) as bus:
        assert await last_word(bus, _now_ms(), whole_day=False) is None


async def test_a_history_that_can_not_be_read_is_told(amqp_url: str, caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus(amqp_url, name="test", topology=TOPOLOGY)
    assert await last_word(bus, _now_ms(), whole_day=True) is None
    assert "is not known" in caplog.text


def _now_ms() -> int:
    return int(time.time() * 1000)
