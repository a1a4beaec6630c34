"""Deliveries by number, on a real broker: settled or given back once, and forgotten with their connection."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bus.rabbit import Bus, Delivery
from bus.topology import Queue, Topology
from producers.tickets import Tickets
from tests.bus.rabbit.foreign import Foreign, eventually, network

pytestmark = pytest.mark.broker

WORK = Topology(queues=(Queue("work", {"x-queue-type": "quorum"}),))


class Counter:
    """Holds what comes out of the queue `work`, and notes which tickets are gone."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.tickets = Tickets(bus)
        self.came: list[tuple[int, Delivery]] = []
        self.gone: list[int] = []
        self.tickets.on_gone = self.gone.append

    def take(self, delivery: Delivery) -> None:
        self.came.append((self.tickets.hold(delivery), delivery))

    async def first(self, count: int) -> list[int]:
        """The tickets of the first `count` deliveries."""
        await eventually(lambda: len(self.came) >= count)
        return [ticket for ticket, _ in self.came[:count]]


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


@pytest.fixture
async def counter(amqp_url: str) -> AsyncIterator[Counter]:
    async with Bus(amqp_url, name="test", topology=WORK) as bus:
        counter = Counter(bus)
        await bus.consume("work", counter.take, prefetch=10)
        yield counter


async def test_each_delivery_has_a_number_of_its_own(counter: Counter, foreign: Foreign) -> None:
    for body in (b"one", b"two"):
        foreign.publish("", "work", body)
    assert await counter.first(2) == [0, 1]
    held = [counter.tickets.get(ticket) for ticket in (0, 1)]
    assert [delivery.message.body for delivery in held if delivery] == [b"one", b"two"]
    assert len(counter.tickets) == 2


async def test_what_is_settled_is_gone_from_the_broker(counter: Counter, foreign: Foreign) -> None:
    foreign.publish("", "work", b"settled")
    foreign.publish("", "work", b"kept")
    await counter.first(2)
    counter.tickets.settle(0)
    counter.tickets.settle(0)  # a second ack of one delivery would end the channel
    assert (counter.tickets.get(0), len(counter.tickets), counter.gone) == (None, 1, [0])
    await counter.bus.close()
    assert (await foreign.get("work")).body == b"kept"
    assert foreign.depth("work") == 0


async def test_what_is_given_back_comes_anew_under_another_number(counter: Counter, foreign: Foreign) -> None:
    foreign.publish("", "work", b"mine")
    await counter.first(1)
    counter.tickets.give_back(0)
    counter.tickets.give_back(0)
    counter.tickets.settle(0)
    assert await counter.first(2) == [0, 1]
    again = counter.came[1][1]
    assert (again.message.body, again.redelivered, again.returns) == (b"mine", True, 1)
    assert counter.gone == [0]


async def test_a_ticket_that_is_gone_is_free_when_its_going_is_told(counter: Counter, foreign: Foreign) -> None:
    held: list[int] = []
    counter.tickets.on_gone = lambda _ticket: held.append(len(counter.tickets))
    foreign.publish("", "work")
    await counter.first(1)
    counter.tickets.settle(0)
    assert held == [0]


async def test_what_is_withheld_reaches_the_broker_when_it_is_released(counter: Counter, foreign: Foreign) -> None:
    for body in (b"settled", b"given back", b"held"):
        foreign.publish("", "work", body)
    await counter.first(3)
    counter.tickets.withhold("work")
    counter.tickets.settle(0)
    counter.tickets.give_back(1)
    assert (counter.gone, len(counter.tickets)) == ([0, 1], 1)
    await counter.bus.depths(["work"])  # the broker has seen all that was sent before
    assert len(counter.came) == 3
    counter.tickets.release("work")
    await counter.first(4)
    assert counter.came[3][1].message.body == b"given back"
    counter.tickets.settle(3)
    await counter.bus.close()
    assert (await foreign.get("work")).body == b"held"
    assert foreign.depth("work") == 0


async def test_another_queue_is_not_withheld(counter: Counter, foreign: Foreign) -> None:
    counter.tickets.withhold("other")
    counter.tickets.release("never withheld")
    foreign.publish("", "work", b"mine")
    await counter.first(1)
    counter.tickets.give_back(0)
    assert await counter.first(2) == [0, 1]


async def test_a_number_nobody_has_does_nothing(counter: Counter) -> None:
    counter.tickets.settle(77)
    counter.tickets.give_back(77)
    assert (counter.tickets.get(77), counter.gone) == (None, [])


async def test_a_lost_connection_takes_all_and_its_numbers_are_not_used_again(amqp_url: str, foreign: Foreign) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK) as bus:
        counter = Counter(bus)
        bus.on_disconnect = counter.tickets.forget
        await bus.consume("work", counter.take, prefetch=10)
        foreign.publish("", "work", b"mine")
        await counter.first(1)
        between.cut()
        await eventually(lambda: not len(counter.tickets))
        assert (counter.tickets.get(0), counter.gone) == (None, [])
        counter.tickets.settle(0)
        between.mend()
        assert await counter.first(2) == [0, 1]
        counter.tickets.settle(1)
        assert counter.gone == [1]
    assert foreign.depth("work") == 0


async def test_what_somebody_else_settles_is_dropped_without_a_word(counter: Counter, foreign: Foreign) -> None:
    foreign.publish("", "work", b"1")
    (ticket,) = await counter.first(1)
    counter.tickets.drop(ticket)
    assert (len(counter.tickets), counter.gone) == (0, [ticket])
    assert counter.bus.is_live(counter.came[0][1])
