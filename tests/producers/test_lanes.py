"""The lanes on a real broker: how far a router looks into them, and when it does not look at all."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from bus.rabbit import Bus, Delivery
from bus.topology import DEFAULT_EXCHANGE, Queue, Topology, shared
from producers.intake import Intake
from producers.lanes import Lanes
from producers.tickets import Tickets
from tests.bus.rabbit.foreign import Foreign, eventually, network

pytestmark = pytest.mark.broker

NAMES = ("lane.00", "lane.01", "lane.02")
TOPOLOGY = Topology(queues=tuple(queue for queue in shared().queues if queue.name in NAMES))
FIRST = 4
KIB, MIB = 1 << 10, 1 << 20


class Window:
    """A router as far as its lanes go: it holds what comes until a test settles it."""

    def __init__(self, bus: Bus, budget: int = 64 * MIB) -> None:
        self.bus = bus
        self.tickets = Tickets(bus)
        self.intake = Intake(NAMES, FIRST, budget)
        self.lanes = Lanes(bus, self.tickets, self.intake, self.take)
        self.came: list[tuple[int, Delivery]] = []
        self.tickets.on_gone = self.lanes.gone
        bus.on_disconnect = self.forget

    def take(self, delivery: Delivery, ticket: int) -> None:
        assert self.tickets.get(ticket) is delivery
        self.came.append((ticket, delivery))

    def forget(self) -> None:
        self.tickets.forget()
        self.lanes.forget()

    def bodies(self, lane: str = "lane.00") -> list[bytes]:
        return [delivery.message.body for _, delivery in self.came if delivery.queue == lane]

    async def idle(self) -> None:
        """Nothing is planned, and nothing under way."""
        await eventually(lambda: self.lanes._planned is None and not self.lanes._tasks)


def send(foreign: Foreign, *numbers: int, lane: str = "lane.00", size: int = 0) -> list[bytes]:
    """Jobs with a number each; returns their bodies."""
    bodies = [b"%06d" % number + bytes(size) for number in numbers]
    for body in bodies:
        foreign.publish(DEFAULT_EXCHANGE, lane, body)
    return bodies


@contextlib.asynccontextmanager
async def looking(url: str, budget: int = 64 * MIB) -> AsyncIterator[Window]:
    async with Bus(url, name="test", topology=TOPOLOGY) as bus:
        yield Window(bus, budget)


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


@pytest.fixture
async def window(amqp_url: str) -> AsyncIterator[Window]:
    async with looking(amqp_url) as window:
        yield window


async def test_a_router_that_stands_by_consumes_nothing(window: Window, foreign: Foreign) -> None:
    send(foreign, 1)
    window.lanes.gone(77)  # of a queue that is no lane
    await window.idle()
    assert [foreign.consumers(lane) for lane in NAMES] == [0, 0, 0]
    assert window.came == []


async def test_every_lane_is_looked_into(window: Window, foreign: Foreign) -> None:
    for lane in NAMES:
        send(foreign, 1, lane=lane)
    window.lanes.open()
    await eventually(lambda: all(window.bodies(lane) == [b"000001"] for lane in NAMES))
    assert (len(window.tickets), len(window.intake), window.intake.held_bytes) == (3, 3, 18)


async def test_a_thousand_jobs_of_one_lane_are_looked_at_in_order_and_none_twice(
    window: Window, foreign: Foreign
) -> None:
    await window.bus.close()
    await window.bus.start()
    sent = [b"%06d" % number for number in range(1000)]
    for body in sent:
        foreign.channel.basic_publish(DEFAULT_EXCHANGE, "lane.00", body)
    window.lanes.open()
    await eventually(lambda: len(window.came) >= len(sent))
    await window.idle()
    assert window.bodies() == sent
    assert not any(delivery.redelivered for _, delivery in window.came)
    assert len(window.tickets) == len(window.intake) == 1000
    assert (foreign.depth("lane.00"), foreign.consumers("lane.01")) == (0, 1)


async def test_what_was_looked_at_is_settled_whichever_consumer_brought_it(window: Window, foreign: Foreign) -> None:
    sent = send(foreign, *range(50))
    window.lanes.open()
    await eventually(lambda: len(window.came) == 50)
    for ticket, _ in window.came:
        window.tickets.settle(ticket)
    more = send(foreign, *range(50, 100))
    await eventually(lambda: len(window.came) == 100)
    for ticket, _ in window.came:
        window.tickets.settle(ticket)
    assert window.bodies() == sent + more
    assert (len(window.tickets), len(window.intake)) == (0, 0)
    await window.bus.close()
    await eventually(lambda: foreign.depth("lane.00") == 0)


async def test_no_more_is_held_than_the_budget_and_all_comes_in_the_end(amqp_url: str, foreign: Foreign) -> None:
    async with looking(amqp_url, budget=400 * KIB) as window:
        sent = send(foreign, *range(60), size=20 * KIB)
        window.lanes.open()
        taken = 0
        while taken < len(sent):
            await eventually(lambda: len(window.came) > taken)
            assert window.intake.held_bytes <= 400 * KIB + window.intake.most * 21 * KIB
            window.tickets.settle(window.came[taken][0])
            taken += 1
        assert window.bodies() == sent


async def test_jobs_from_elsewhere_fill_the_window_too(amqp_url: str, foreign: Foreign) -> None:
    async with looking(amqp_url, budget=100 * KIB) as window:
        send(foreign, 0)
        window.lanes.open()
        await eventually(lambda: len(window.came) == 1)
        delivery = window.came[0][1]
        parked = window.tickets.hold(delivery)
        message = delivery.message.__class__(body=bytes(200 * KIB))
        window.lanes.count(Delivery(message, "parked.sketch", False, 0, 99, -1), parked)
        window.lanes._plan_soon()
        await eventually(lambda: foreign.consumers("lane.00") == 0)
        window.tickets.settle(parked)
        await eventually(lambda: foreign.consumers("lane.00") == 1)


async def test_a_closed_lane_brings_no_more_and_what_came_stays_ours(window: Window, foreign: Foreign) -> None:
    send(foreign, 1, 2)
    window.lanes.open()
    await eventually(lambda: len(window.came) == 2)
    await window.lanes.close()
    send(foreign, 3)
    window.tickets.settle(window.came[0][0])
    await window.idle()
    assert (len(window.came), len(window.tickets), foreign.depth("lane.00")) == (2, 1, 1)
    window.tickets.settle(window.came[1][0])
    await window.bus.close()
    assert foreign.depth("lane.00") == 1


async def test_lanes_that_are_closed_while_they_open_stay_closed(window: Window, foreign: Foreign) -> None:
    window.lanes.open()
    await window.lanes.close()
    await window.idle()
    assert [foreign.consumers(lane) for lane in NAMES] == [0, 0, 0]


async def test_after_a_lost_connection_nothing_is_consumed_until_it_is_opened_again(
    amqp_url: str, foreign: Foreign
) -> None:
    async with network(amqp_url) as between, looking(between.url) as window:
        sent = send(foreign, *range(100))
        window.lanes.open()
        await eventually(lambda: len(window.came) == 100)
        between.cut()
        await eventually(lambda: not window.bus.connected)
        await window.idle()
        assert (len(window.tickets), len(window.intake), window.intake.held_bytes) == (0, 0, 0)
        between.mend()
        await eventually(lambda: window.bus.connected)
        await eventually(lambda: foreign.depth("lane.00") == 100)
        assert [foreign.consumers(lane) for lane in NAMES] == [0, 0, 0]
        window.came.clear()
        window.lanes.open()
        await eventually(lambda: len(window.came) == 100)
        assert window.bodies() == sent
        assert all(delivery.redelivered for _, delivery in window.came)
        assert len(window.tickets) == len(window.intake) == 100


async def test_a_connection_that_is_lost_while_lanes_grow_leaves_nothing_behind(
    amqp_url: str, foreign: Foreign
) -> None:
    async with network(amqp_url) as between, looking(between.url) as window:
        for lane in NAMES:
            send(foreign, *range(100), lane=lane)
        for most in (1, 5, 13, 29, 61):
            window.came.clear()
            window.lanes.open()
            await eventually(lambda most=most: len(window.came) >= most)
            window.lanes._plan()
            between.cut()
            await eventually(lambda: not window.bus.connected)
            between.mend()
            await eventually(lambda: window.bus.connected)
        await window.idle()
        assert (len(window.tickets), len(window.intake)) == (0, 0)
        window.came.clear()
        window.lanes.open()
        await eventually(lambda: len(window.came) == 300)
        assert all(len(set(window.bodies(lane))) == 100 for lane in NAMES)


async def test_one_router_hands_a_lane_to_the_next(amqp_url: str, foreign: Foreign) -> None:
    sent = send(foreign, *range(20))
    async with looking(amqp_url) as first, looking(amqp_url) as second:
        first.lanes.open()
        await eventually(lambda: len(first.came) == 20)
        second.lanes.open()
        await second.idle()
        for ticket, _ in first.came[:5]:
            first.tickets.settle(ticket)
        assert second.came == []  # one at a time
        await first.bus.close()
        await eventually(lambda: len(second.came) == 15)
        assert second.bodies() == sent[5:]
