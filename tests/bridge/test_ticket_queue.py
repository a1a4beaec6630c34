"""One bridge of several is the active one, has all tickets, and hands them on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bridge import ticket_queue as module
from bridge.ticket_queue import TicketQueue
from bridge.tickets import Ticket
from bus.problems import Problem
from bus.rabbit import Bus, Delivery
from bus.topology import CLOUD_TICKETS, DEFAULT_EXCHANGE, Topology, shared
from tests.bridge.test_tickets import NOW, ticket
from tests.bus.rabbit.foreign import Foreign, eventually, network

pytestmark = pytest.mark.broker

TOPOLOGY = Topology(queues=tuple(queue for queue in shared().queues if queue.name == CLOUD_TICKETS))


class Candidate:
    """A bridge as far as its tickets go."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.queue = TicketQueue(bus, self)
        self.did: list[str] = []
        self.held: dict[str, Delivery] = {}
        bus.on_disconnect = self.queue.forget
        bus.on_connect = self.queue.call

    def take_over(self) -> None:
        self.did.append("take over")

    def told(self, ticket: Ticket, delivery: Delivery) -> None:
        self.did.append(ticket.job.id)
        self.held[ticket.job.id] = delivery

    def unread(self, delivery: Delivery, problem: Problem) -> None:
        self.did.append(problem.slug)
        self.bus.ack(delivery)

    def settled_in(self) -> None:
        self.did.append("settled in")


@contextlib.asynccontextmanager
async def standing(url: str, name: str) -> AsyncIterator[Candidate]:
    async with Bus(url, name=name, topology=TOPOLOGY) as bus:
        candidate = Candidate(bus)
        await candidate.queue.start()
        yield candidate


async def test_who_takes_over_has_all_tickets_before_it_has_settled_in(amqp_url: str) -> None:
    async with standing(amqp_url, "first") as first:
        await eventually(lambda: first.did == ["take over", "settled in"])
        async with standing(amqp_url, "second") as second:
            for n in range(3):
                await first.queue.write(ticket(n))
            await eventually(lambda: len(first.held) == 3)
            first.bus.ack(first.held["j1"])
            await asyncio.sleep(0.1)
            assert (second.did, second.queue.active) == ([], False)
            await first.bus.close()
            await eventually(lambda: "settled in" in second.did)
            assert second.did == ["take over", "j0", "j2", "settled in"]


async def test_an_idle_office_is_handed_on_as_well(amqp_url: str) -> None:
    async with standing(amqp_url, "first") as first:
        await eventually(lambda: "settled in" in first.did)
        async with standing(amqp_url, "second") as second:
            await asyncio.sleep(0.1)
            await first.bus.close()
            await eventually(lambda: second.did == ["take over", "settled in"])
            async with standing(amqp_url, "third") as third:
                await second.bus.close()
                await eventually(lambda: third.did == ["take over", "settled in"])


async def test_one_that_lost_its_connection_takes_over_anew(amqp_url: str) -> None:
    async with network(amqp_url) as between, standing(between.url, "only") as only:
        await only.queue.write(ticket(1))
        await eventually(lambda: "j1" in only.did)
        only.did.clear()
        between.cut()
        await eventually(lambda: not only.queue.active)
        between.mend()
        await eventually(lambda: only.did == ["take over", "j1", "settled in"])


async def test_a_call_is_held_and_renewed(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with standing(amqp_url, "only") as only:
        await eventually(lambda: "settled in" in only.did)
        kept = only.queue._call
        monkeypatch.setattr(module, "RENEW_S", 0)
        only.queue.tick(1.0)
        await eventually(lambda: only.queue._call is not kept)
        only.queue.tick(1.0)
        await only.bus.close()
        with Foreign(amqp_url) as foreign:
            assert foreign.depth(CLOUD_TICKETS) == 1


async def test_a_call_that_was_refused_is_sent_again(amqp_url: str) -> None:
    async with standing(amqp_url, "only") as only:
        await eventually(lambda: "settled in" in only.did)
        only.did.clear()
        only.queue._awaited = "lost"
        only.queue.tick(1000.0)
        await eventually(lambda: only.did == ["settled in"])


async def test_one_whose_first_call_was_refused_calls_again(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Bus(amqp_url, name="only", topology=TOPOLOGY) as bus:
        only = Candidate(bus)
        with monkeypatch.context() as refused:
            refused.setattr(only.queue, "call", lambda: None)
            await only.queue.start()
        only.queue.tick(1000.0)
        await eventually(lambda: only.did == ["take over", "settled in"])
        async with standing(amqp_url, "second") as second:
            second.queue.tick(1000.0)
            second.queue.tick(1000.0 + module.STAND_BY_S)
            await bus.close()
            only.queue.tick(2000.0)  # not without a connection
            await eventually(lambda: second.did == ["take over", "settled in"])


async def test_garbage_is_told(amqp_url: str) -> None:
    async with standing(amqp_url, "only") as only:
        await only.bus.publish(DEFAULT_EXCHANGE, replace(ticket().to_message(NOW), body=b"?"))
        await only.queue.write(ticket(2))
        await eventually(lambda: {"bad-field", "j2"} <= set(only.did))
