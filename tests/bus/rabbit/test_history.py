"""Reading a stream to its end, or following it without one, whatever goes on in it meanwhile."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from bus.errors import BusError, Disconnected
from bus.messages import Message
from bus.rabbit import Bus, Followed
from bus.topology import Queue, Topology
from tests.bus.rabbit.foreign import Foreign, eventually, network

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


async def test_who_takes_his_time_gets_the_last_ones_too(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        await tell(bus, *numbered(range(6000)))
        seen = []
        async for message in bus.replay("told", 0):
            seen.append(message.body)
            await asyncio.sleep(0.5 if len(seen) == 1 else 0)  # the rest comes meanwhile
        assert seen == numbered(range(6000))


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


async def followed(reading: AsyncGenerator[Message, None], many: int) -> list[bytes]:
    """The next so many messages."""
    return [(await anext(reading)).body for _ in range(many)]


async def tell(bus: Bus, *bodies: bytes) -> None:
    await asyncio.gather(*(bus.publish("", Message(body, "told")) for body in bodies))


def numbered(numbers: range) -> list[bytes]:
    return [str(number).encode() for number in numbers]


async def test_what_was_told_comes_first_and_then_what_is_told(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        await tell(bus, b"1", b"2")
        async with aclosing(bus.follow("told", 0)) as reading:
            assert await followed(reading, 2) == [b"1", b"2"]
            await tell(bus, b"3")
            assert await followed(reading, 1) == [b"3"]


class Begun(Followed):
    """Counts how often the reading began."""

    def __init__(self) -> None:
        self.times = 0

    def begun(self) -> None:
        self.times += 1


async def test_from_now_on_nothing_is_missed_and_nothing_older_comes(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        await tell(bus, b"before")
        heard = Begun()
        async with aclosing(bus.follow("told", heard=heard)) as reading:
            asked = asyncio.ensure_future(anext(reading))
            await eventually(lambda: heard.times)
            await tell(bus, b"after")
            assert (await asked).body == b"after"


async def test_lost_connections_leave_no_hole_and_no_double(amqp_url: str) -> None:
    async with (
        Bus(amqp_url, name="teller", topology=STREAM) as teller,
        network(amqp_url) as between,
        Bus(between.url, name="test", topology=STREAM) as bus,
        aclosing(bus.follow("told", 0)) as reading,
    ):
        seen = []
        for turn in range(3):
            await tell(teller, *numbered(range(turn * 5000, turn * 5000 + 5000)))
            seen += await followed(reading, 3333)  # cut with some under way, some taken and not yet looked at
            between.cut()
            between.mend()
        seen += await followed(reading, 15_000 - len(seen))
        assert seen == numbered(range(15_000))


async def test_a_stream_keeps_what_would_expire_in_a_queue(amqp_url: str, foreign: Foreign) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        for queue in ("told", "work"):
            await bus.publish("", Message(b"old", queue, expiration="1"))
        await eventually(lambda: foreign.depth("work") == 0)
        assert await bodies(bus) == [b"old"]


async def test_a_stream_that_was_made_anew_is_gone_on_with(amqp_url: str, foreign: Foreign) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus, aclosing(bus.follow("told", 0)) as reading:
        await tell(bus, *numbered(range(10)))
        await followed(reading, 10)
        asked = asyncio.ensure_future(anext(reading))
        foreign.channel.queue_delete("told")
        await bus.declare(STREAM)
        while not asked.done():
            await tell(bus, b"anew")
            await asyncio.sleep(0.05)
        assert (await asked).body == b"anew"


async def test_of_a_stream_that_was_made_anew_nothing_is_missed_though_it_is_shorter(
    amqp_url: str, foreign: Foreign
) -> None:
    heard = Begun()
    async with (
        Bus(amqp_url, name="test", topology=STREAM) as bus,
        aclosing(bus.follow("told", 0, heard=heard)) as reading,
    ):
        await tell(bus, *numbered(range(100)))
        await followed(reading, 100)
        asked = asyncio.ensure_future(followed(reading, 2))
        foreign.channel.queue_delete("told")
        await bus.declare(STREAM)
        await eventually(lambda: heard.times == 2)  # it is empty as yet, and the place in the old one far ahead
        await tell(bus, b"first", b"second")
        assert await asked == [b"first", b"second"]
        assert heard.times == 2


async def test_a_stream_that_can_not_be_read_is_told_to_who_follows(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=STREAM) as bus:
        with pytest.raises(BusError, match=r"missing can't be read .* doctor"):
            await anext(bus.follow("missing", 0))


async def test_what_the_retention_took_first_is_counted(amqp_url: str, caplog: pytest.LogCaptureFixture) -> None:
    small = {"x-queue-type": "stream", "x-max-length-bytes": 100_000, "x-stream-max-segment-size-bytes": 50_000}
    topology = Topology(queues=(Queue("told", small),))
    async with (
        Bus(amqp_url, name="teller", topology=topology) as teller,
        network(amqp_url) as between,
        Bus(between.url, name="test", topology=topology) as bus,
        aclosing(bus.follow("told", 0)) as reading,
    ):
        await tell(teller, b"first")
        assert await followed(reading, 1) == [b"first"]
        between.cut()
        for number in range(40):
            await tell(teller, *(str(number).encode() * 500 for _ in range(20)))
        between.mend()
        assert (await followed(reading, 1))[0] != b"0" * 500
    assert "messages of a stream were gone before they were read" in caplog.text
