"""Reading a stream to its end, whatever goes on in it meanwhile."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from bus.errors import BusError, Disconnected
from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import Queue, Topology
from tests.bus.rabbit.foreign import Foreign, network

pytestmark = pytest.mark.broker

STREAM = Topology(queues=(Queue("told", {"x-queue-type": "stream"}), Queue("work")))


async def bodies(bus: Bus, since_ms: int = 0) -> list[bytes]:
    return [message.body async for message in bus.replay("told", since_ms)]


async def test_all_of_it_comes_in_order_and_again_when_asked_again(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        told = [str(number).encode() for number in range(10_000)]
        await asyncio.gather(*(bus.publish("", Message(body, "told")) for body in told))
        assert await bodies(bus) == told
        assert await bodies(bus) == told


async def test_an_empty_stream_has_nothing_to_tell(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        assert await bodies(bus) == []


async def test_it_begins_where_it_was_asked_to(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        await bus.publish("", Message(b"before", "told"))
        await asyncio.sleep(1.1)  # AMQP tells times in seconds
        asked_ms = time.time_ns() // 1_000_000
        await bus.publish("", Message(b"after", "told"))
        assert await bodies(bus, asked_ms) == [b"after"]
        assert await bodies(bus, asked_ms + 60_000) == []


async def test_a_stream_that_never_rests_is_read_to_where_it_was(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:

        async def tell() -> None:
            while True:
                await bus.publish("", Message(b"another", "told"))

        await bus.publish("", Message(b"the first", "told"))
        telling = asyncio.create_task(tell())
        assert (await bodies(bus))[0] == b"the first"
        assert not telling.done()
        telling.cancel()


async def test_only_what_is_wanted_is_handed_over(amqp_url: str, foreign: Foreign) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        foreign.publish("", "told", b"hay")
        foreign.publish("", "told", b"a needle", headers={"user": "anna"})
        (found,) = [message async for message in bus.replay("told", 0, lambda body: b"needle" in body)]
        assert (found.body, found.routing_key, found.headers["user"]) == (b"a needle", "told", "anna")


async def test_who_leaves_early_holds_up_nobody(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        for body in (b"1", b"2"):
            await bus.publish("", Message(body, "told"))
        async with aclosing(bus.replay("told", 0)) as reading:
            assert (await anext(reading)).body == b"1"
        assert await bodies(bus) == [b"1", b"2"]


async def test_without_a_connection_it_says_so(amqp_url: str) -> None:
    bus = Bus(amqp_url, name="test", topology=STREAM)
    with pytest.raises(Disconnected):
        bus.replay("told", 0)


async def test_a_connection_lost_meanwhile_is_told(amqp_url: str) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=STREAM) as bus:
        await asyncio.gather(*(bus.publish("", Message(b"", "told")) for _ in range(20_000)))
        async with aclosing(bus.replay("told", 0)) as reading:
            await anext(reading)
            between.cut()
            with pytest.raises(Disconnected, match="while told was read"):
                await consume(reading)


async def consume(reading: AsyncGenerator[Message, None]) -> None:
    async for _message in reading:
        pass


@pytest.mark.parametrize("queue", ["missing", "work"])
async def test_what_is_no_stream_can_not_be_read(amqp_url: str, queue: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        with pytest.raises(BusError, match=f"{queue} can't be read .* doctor"):
            await consume(bus.replay(queue, 0))
        assert bus.connected
