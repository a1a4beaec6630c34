"""Looking at a queue's messages on a real broker: all go back but those that are kept."""

import asyncio

import pytest

from bus.errors import BusError, Disconnected
from bus.rabbit import Bus
from bus.topology import Queue, Topology
from tests.bus.rabbit.foreign import Foreign, Network, eventually

pytestmark = pytest.mark.broker
WORK = Topology(queues=(Queue("work", {"x-queue-type": "quorum"}),))


async def looked_at(bus: Bus, *keep: bytes) -> list[bytes]:
    """The bodies in `work`, of which some are kept."""
    seen = []
    async with bus.borrow("work") as loan:
        while (got := await loan.next()) is not None:
            seen.append(got[1].body)
            if got[1].body in keep:
                loan.keep(got[0])
    return seen


async def test_what_is_looked_at_goes_back_and_is_there_for_the_next(bus: Bus, foreign: Foreign) -> None:
    for number in range(5):
        foreign.publish("", "work", b"%d" % number, headers={"user": "anna"})
    for _ in range(3):
        assert sorted(await looked_at(bus)) == [b"0", b"1", b"2", b"3", b"4"]
    await eventually(lambda: foreign.depth("work") == 5)  # RabbitMQ 4 counts what comes back a little later


async def test_what_is_kept_is_gone_for_good(bus: Bus, foreign: Foreign) -> None:
    for number in range(3):
        foreign.publish("", "work", b"%d" % number)
    await looked_at(bus, b"1")
    assert sorted(await looked_at(bus)) == [b"0", b"2"]


async def test_headers_come_without_the_brokers_own_counts(bus: Bus, foreign: Foreign) -> None:
    # As RabbitMQ 4.3 adds it; older ones leave what was sent.
    foreign.publish("", "work", b"x", headers={"user": "anna", "x-acquired-count": 3})
    for _ in range(2):
        async with bus.borrow("work") as loan:
            got = await loan.next()
            assert got is not None
            assert got[1].headers == {"user": "anna"}


async def test_an_empty_queue_and_one_that_is_not_there(bus: Bus) -> None:
    assert await looked_at(bus) == []
    with pytest.raises(BusError, match="nowhere can't be looked at"):
        async with bus.borrow("nowhere") as loan:
            await loan.next()
    assert bus.connected


async def test_a_lost_connection_gives_everything_back(bus: Bus, foreign: Foreign, amqp_url: str) -> None:
    for number in range(3):
        foreign.publish("", "work", b"%d" % number)
    network = Network(amqp_url)
    await network.start()
    async with Bus(network.url, name="other", topology=WORK) as other:
        with pytest.raises(Disconnected):  # noqa: PT012 (the connection is lost in the middle of it)
            async with other.borrow("work") as loan:
                got = await loan.next()
                assert got is not None
                network.cut()
                await asyncio.sleep(0.1)
                loan.keep(got[0])
    await network.stop()
    seen: list[bytes] = []
    while len(seen) < 3:
        seen = await looked_at(bus)
    assert sorted(seen) == [b"0", b"1", b"2"]


async def test_without_a_connection_it_says_so(amqp_url: str) -> None:
    with pytest.raises(Disconnected):
        Bus(amqp_url, name="test", topology=WORK).borrow("work")
