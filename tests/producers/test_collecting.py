"""Taking jobs out of queues that nobody serves, on a real broker: begun, ended, and asked for again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from bus.rabbit import Bus, Delivery
from bus.topology import Queue, Topology
from producers import collecting as module
from producers.collecting import Collectors
from producers.commands import Collect
from tests.bus.rabbit.foreign import Foreign, Network, eventually, network

pytestmark = pytest.mark.broker

QUEUES = Topology(queues=tuple(Queue(name, {"x-queue-type": "quorum"}) for name in ("vm.a", "vm.b")))


class Yard:
    """Collectors at work, what they brought, and which queues they missed."""

    def __init__(self, bus: Bus, prefetch: int = 4) -> None:
        self.bus = bus
        self.came: list[Delivery] = []
        self.missed: list[str] = []
        self.collectors = Collectors(bus, self.came.append, self.missed.append, prefetch=prefetch)

    def collect(self, *queues: str, stop: bool = False) -> None:
        for queue in queues:
            self.collectors.do(Collect(queue, stop))

    async def idle(self) -> None:
        """All that was asked for is done."""
        await eventually(lambda: not self.collectors._tasks)

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.message.body for delivery in self.came]


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


@pytest.fixture
async def yard(amqp_url: str) -> AsyncIterator[Yard]:
    async with Bus(amqp_url, name="test", topology=QUEUES) as bus:
        yield Yard(bus)


async def test_a_queue_is_emptied_and_no_other(yard: Yard, foreign: Foreign) -> None:
    foreign.publish("", "vm.a", b"before")
    foreign.publish("", "vm.b", b"not asked for")
    yard.collect("vm.a")
    await eventually(lambda: yard.bodies == [b"before"])
    foreign.publish("", "vm.a", b"after")
    await eventually(lambda: yard.bodies == [b"before", b"after"])
    assert {delivery.queue for delivery in yard.came} == {"vm.a"}
    assert foreign.depth("vm.b") == 1


async def test_no_more_are_held_than_the_prefetch(yard: Yard, foreign: Foreign) -> None:
    for number in range(6):
        foreign.publish("", "vm.a", b"%d" % number)
    yard.collect("vm.a")
    await eventually(lambda: len(yard.came) == 4)
    assert foreign.depth("vm.a") == 2
    yard.bus.ack(yard.came[0])
    await eventually(lambda: len(yard.came) == 5)


async def test_a_stopped_queue_keeps_what_comes_and_we_what_came(yard: Yard, foreign: Foreign) -> None:
    foreign.publish("", "vm.a", b"held")
    yard.collect("vm.a")
    await eventually(lambda: len(yard.came) == 1)
    yard.collect("vm.a", stop=True)
    await yard.idle()
    foreign.publish("", "vm.a", b"later")
    assert foreign.depth("vm.a") == 1
    assert yard.bus.ack(yard.came[0])
    await eventually(lambda: foreign.consumers("vm.a") == 0)  # one that is cancelled counts while it holds something


async def test_what_is_asked_for_at_once_is_done_in_order(yard: Yard, foreign: Foreign) -> None:
    for _ in range(3):
        yard.collect("vm.a")
        yard.collect("vm.a", stop=True)
    yard.collect("vm.a", "vm.a")
    yard.collect("vm.b", stop=True)  # was never begun
    await yard.idle()
    assert (foreign.consumers("vm.a"), foreign.consumers("vm.b")) == (1, 0)


async def test_a_queue_that_is_not_there_is_told_later_and_holds_up_nothing(
    yard: Yard, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    foreign.publish("", "vm.a", b"here")
    yard.collect("vm.ghost", "vm.a")
    await eventually(lambda: yard.bodies == [b"here"])
    await eventually(lambda: yard.missed == ["vm.ghost"])
    foreign.queue("vm.ghost")
    foreign.publish("", "vm.ghost", b"come back")
    yard.collect("vm.ghost")
    await eventually(lambda: yard.bodies == [b"here", b"come back"])
    assert yard.missed == ["vm.ghost"]


async def test_after_a_stop_nothing_is_collected(yard: Yard, foreign: Foreign) -> None:
    yard.collect("vm.a", "vm.b")
    await yard.collectors.stop()
    await yard.idle()
    await yard.collectors.stop()
    assert [foreign.consumers(queue) for queue in ("vm.a", "vm.b")] == [0, 0]
    yard.collect("vm.a")
    await yard.idle()
    assert foreign.consumers("vm.a") == 1


async def test_a_router_that_lost_its_connection_collects_nothing_until_it_is_told_again(
    amqp_url: str, foreign: Foreign
) -> None:
    async with connected(amqp_url) as (yard, between):
        yard.bus.on_disconnect = lambda: yard.collectors.spawn(yard.collectors.stop())
        yard.collect("vm.a")
        await yard.idle()
        between.cut()
        await eventually(lambda: not yard.bus.connected)
        await yard.idle()
        between.mend()
        await eventually(lambda: yard.bus.connected)
        assert foreign.consumers("vm.a") == 0
        foreign.publish("", "vm.a", b"mine")
        yard.collect("vm.a")
        await eventually(lambda: yard.bodies == [b"mine"])


async def test_a_connection_that_is_lost_while_a_queue_is_asked_for_is_no_fault(
    amqp_url: str, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    async with connected(amqp_url) as (yard, between):
        between.freeze()
        yard.collect("vm.a")
        await asyncio.sleep(0)
        between.cut()
        await eventually(lambda: yard.missed == ["vm.a"])
        between.mend()
        await eventually(lambda: yard.bus.connected)
        assert foreign.consumers("vm.a") == 0


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[Yard, Network]]:
    """A yard behind a network that can be cut."""
    async with network(url) as between, Bus(between.url, name="test", topology=QUEUES) as bus:
        yield Yard(bus), between
