"""Watching a real broker."""

import asyncio

import pytest

from bus.clock import now_ms
from bus.events import JobEvent, event_message
from bus.messages import Message
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import DEAD, EVENTS, HEARTBEATS, shared
from tests.bus.rabbit.foreign import Network, eventually
from tests.ui.top.frames import ROUTER, beat, ran
from ui.top import watch as watching_module
from ui.top.watch import watching

pytestmark = pytest.mark.broker


async def tell(bus: Bus, *events: JobEvent) -> None:
    for event in events:
        await bus.publish(EVENTS, event_message(event, event.key))


async def test_the_first_frame_has_beats_routers_counts_and_the_past(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_module, "FIRST_WITHIN_S", 30.0)  # reading the past may take a busy machine longer
    async with Bus(amqp_url, name="fleet", topology=shared()) as bus:
        await bus.publish("", Message(b"x", DEAD))
        await tell(bus, *(ran(at_ms=now_ms() - 2000, job=str(number)) for number in range(30)))
        async with watching(Settings(beat_interval_s=0.1), amqp_url) as watch:
            first = asyncio.create_task(watch.first())
            bus.post(EVENTS, event_message(ROUTER, ROUTER.key))
            bus.post(HEARTBEATS, event_message(beat("vm1"), ""))
            bus.post(EVENTS, Message(b'{"kind": "new"}', "router.status"))
            frame = await first
    assert [vm.name for vm in frame.vms] == ["vm1"]
    assert (frame.look.active, frame.look.depths["dead"]) == (ROUTER, 1)
    assert (len(frame.latest), frame.rates[0].ended[1]) == (30, 0.5)


async def test_of_a_long_past_a_part_is_read(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "MOST_PAST", 7)
    async with Bus(amqp_url, name="fleet", topology=shared()) as bus:
        await tell(bus, *(ran(at_ms=now_ms(), job=str(number)) for number in range(9)))
    async with watching(Settings(), amqp_url) as watch:
        await watch.read_past()
        assert len(watch.frame().latest) == 7


async def test_a_broker_that_goes_is_told_and_one_that_comes_back_is_counted_again(amqp_url: str) -> None:
    network = Network(amqp_url)
    await network.start()
    async with watching(Settings(), network.url) as watch:
        counting = asyncio.create_task(watch.count())
        network.cut()
        await eventually(lambda: watch.frame().broken_s is not None)
        await watch.count_once()
        await watch.read_past()
        network.mend()
        await eventually(lambda: watch.frame().broken_s is None)
        await watch.count_once()
        assert watch.frame().look.depths["dead"] == 0
        counting.cancel()
    await network.stop()
