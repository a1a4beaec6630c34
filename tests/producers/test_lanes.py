"""The lanes on a real broker: how far a router looks into them, and when it does not look at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from bus.messages import Message
from bus.rabbit import Bus, Delivery
from bus.topology import DEFAULT_EXCHANGE, Topology, shared
from producers.intake import Intake
from producers.lanes import OVERHEAD_BYTES, Lanes
from producers.tickets import Tickets
from tests.bus.rabbit.foreign import Foreign, eventually, network

pytestmark = pytest.mark.broker

EVERY_LANE = tuple(queue.name for queue in shared().queues if queue.name.startswith("lane."))
NAMES = EVERY_LANE[:3]
FIRST = 4
KIB, MIB = 1 << 10, 1 << 20


class Window:
    """A router as far as its lanes go: it holds what comes until a test settles it."""

    def __init__(self, bus: Bus, names: tuple[str, ...], budget: int) -> None:
        self.bus = bus
        self.tickets = Tickets(bus)
        self.intake = Intake(names, FIRST, budget)
        self.lanes = Lanes(bus, self.tickets, self.intake, self.take)
        self.came: list[tuple[int, Delivery]] = []
        self.tickets.on_gone = self.lanes.gone
        self.on_taken: Callable[[], None] = lambda: None
        bus.on_disconnect = self.forget

    def take(self, delivery: Delivery, ticket: int) -> None:
        assert self.tickets.get(ticket) is delivery
        self.came.append((ticket, delivery))
        self.on_taken()

    def forget(self) -> None:
        self.tickets.forget()
        self.lanes.forget()

    def hold_from_elsewhere(self, body: bytes) -> int:
        """A job that was collected; returns its ticket."""
        delivery = Delivery(Message(body), "parked.sketch", False, 0, tag=1, session=-1)
        ticket = self.tickets.hold(delivery)
        self.lanes.count(delivery, ticket)
        return ticket

    def bodies(self, lane: str = "lane.00") -> list[bytes]:
        return [delivery.message.body for _, delivery in self.came if delivery.queue == lane]

    async def idle(self) -> None:
        """Nothing is planned, and nothing under way."""
        await eventually(lambda: self.lanes._planned is None and not self.lanes._granting and not self._closing())

    def _closing(self) -> bool:
        return self.lanes._closing is not None and not self.lanes._closing.done()


def send(foreign: Foreign, *numbers: int, lane: str = "lane.00", size: int = 0) -> list[bytes]:
    """Jobs with a number each; returns their bodies."""
    bodies = [b"%06d" % number + bytes(size) for number in numbers]
    for body in bodies:
        foreign.publish(DEFAULT_EXCHANGE, lane, body)
    return bodies


@contextlib.asynccontextmanager
async def looking(url: str, names: tuple[str, ...] = NAMES, budget: int = 64 * MIB) -> AsyncIterator[Window]:
    topology = Topology(queues=tuple(queue for queue in shared().queues if queue.name in names))
    async with Bus(url, name="test", topology=topology) as bus:
        yield Window(bus, names, budget)


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
    assert (len(window.tickets), len(window.intake), window.intake.held_bytes) == (3, 3, 18 + 3 * OVERHEAD_BYTES)


async def test_a_thousand_jobs_of_one_lane_are_looked_at_in_order_and_none_twice(
    window: Window, foreign: Foreign
) -> None:
    sent = [b"%06d" % number for number in range(1000)]
    await asyncio.gather(*(window.bus.publish(DEFAULT_EXCHANGE, Message(body, "lane.00")) for body in sent))
    window.lanes.open()
    await eventually(lambda: len(window.came) >= len(sent))
    await window.idle()
    assert window.bodies() == sent
    assert not any(delivery.redelivered for _, delivery in window.came)
    assert len(window.tickets) == len(window.intake) == 1000
    assert foreign.depth("lane.00") == 0


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
    await window.lanes.close()  # what a consumer just renewed withheld is settled by it
    await window.bus.close()
    await eventually(lambda: foreign.depth("lane.00") == 0)


async def test_no_more_is_held_than_the_budget_and_all_comes_in_the_end(amqp_url: str, foreign: Foreign) -> None:
    async with looking(amqp_url, budget=400 * KIB) as window:
        sent = send(foreign, *range(60), size=20 * KIB)
        window.lanes.open()
        settled = 0
        while settled < len(sent):
            await eventually(lambda: len(window.tickets) > 0)
            assert window.intake.held_bytes <= 400 * KIB + window.intake.most * 21 * KIB
            window.tickets.settle(window.came[settled][0])
            settled += 1
        assert window.bodies() == sent


async def test_jobs_from_elsewhere_fill_the_window_too(amqp_url: str, foreign: Foreign) -> None:
    async with looking(amqp_url, budget=100 * KIB) as window:
        parked = window.hold_from_elsewhere(bytes(200 * KIB))
        send(foreign, *range(FIRST + 2))
        window.lanes.open()
        await eventually(lambda: len(window.came) == FIRST)
        await window.idle()
        assert foreign.depth("lane.00") == 2
        window.tickets.settle(parked)
        await eventually(lambda: len(window.came) == FIRST + 2)


async def test_a_lane_that_was_settled_meanwhile_needs_no_other_consumer(window: Window, foreign: Foreign) -> None:
    def settle_one() -> None:
        if len(window.came) == FIRST:
            window.lanes._plan()
            window.tickets.settle(window.came[0][0])

    window.on_taken = settle_one
    window.lanes.open()
    await window.idle()
    sent = send(foreign, *range(40))
    await eventually(lambda: len(window.came) == len(sent))
    assert window.bodies() == sent
    await window.idle()
    assert len(window.tickets) == len(window.intake) == len(sent) - 1


async def test_acks_wait_while_a_lane_changes_its_consumer_and_none_is_lost(window: Window, foreign: Foreign) -> None:
    window.on_taken = lambda: window.tickets.settle(window.came[-FIRST][0]) if len(window.came) >= FIRST else None
    sent = send(foreign, *range(200))
    window.lanes.open()
    await eventually(lambda: len(window.came) == len(sent))
    assert window.bodies() == sent
    await window.idle()
    assert len(window.tickets) == FIRST - 1
    await window.bus.close()
    await eventually(lambda: foreign.depth("lane.00") == FIRST - 1)


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


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 9])
async def test_lanes_that_are_closed_while_they_open_stay_closed(window: Window, foreign: Foreign, turns: int) -> None:
    window.lanes.open()
    for _ in range(turns):
        await asyncio.sleep(0)
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
        # The broker gives back consumer by consumer, in no order among them.
        assert sorted(window.bodies()) == sent
        assert all(delivery.redelivered for _, delivery in window.came)
        assert len(window.tickets) == len(window.intake) == 100


async def test_a_connection_that_is_lost_while_a_lane_grows_leaves_nothing_behind(
    amqp_url: str, foreign: Foreign
) -> None:
    async with network(amqp_url) as between, looking(between.url) as window:
        window.lanes.open()
        await window.idle()
        window.on_taken = lambda: between.freeze() if len(window.came) == FIRST else None
        sent = send(foreign, *range(10))
        await eventually(window.lanes._in_order.locked)  # its first consumer is used up, and being cancelled
        window.on_taken = lambda: None
        between.cut()
        await eventually(lambda: not window.bus.connected)
        await window.idle()
        between.mend()
        await eventually(lambda: window.bus.connected)
        assert (len(window.tickets), len(window.intake)) == (0, 0)
        window.came.clear()
        window.lanes.open()
        await eventually(lambda: len(window.came) == 10)
        assert window.bodies() == sent


async def test_lanes_grow_before_a_new_connection_is_all_begun(amqp_url: str, foreign: Foreign) -> None:
    """The queue that makes a router the active one may deliver before the last consumer has begun."""
    async with network(amqp_url) as between, looking(between.url, names=EVERY_LANE) as window:
        sent = send(foreign, *range(30))
        between.cut()
        await eventually(lambda: not window.bus.connected)
        await window.bus.consume(EVERY_LANE[-1], lambda _delivery: window.lanes.open(), prefetch=1)
        for _ in range(40):  # begun after it, for some round trips
            await window.bus.listen((), lambda _delivery: None)
        send(foreign, 0, lane=EVERY_LANE[-1])
        early: list[bool] = []

        def grow() -> None:
            early.append(not window.bus.connected)
            window.lanes._plan()

        window.on_taken = grow
        between.mend()
        await eventually(lambda: len(window.came) == len(sent))
        assert early[0]
        assert window.bodies() == sent


async def test_one_router_hands_a_lane_to_the_next(amqp_url: str, foreign: Foreign) -> None:
    async with looking(amqp_url) as first, looking(amqp_url) as second:
        sent = send(foreign, *range(20))
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
