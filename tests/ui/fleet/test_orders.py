"""Orders on one bus, each with its own answer, on a real broker."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bus.control import Drain, Pause, read_command
from bus.messages import Message
from bus.rabbit import Bus, Delivery
from bus.topology import CONTROL_ROUTER, DEFAULT_EXCHANGE, shared
from tests.bus.rabbit.foreign import eventually, network
from ui.fleet.orders import Orders

pytestmark = pytest.mark.broker


class Router:
    """Answers each order with what it asks for."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def carry_out(self, delivery: Delivery) -> None:
        order = delivery.message
        said = f"{type(read_command(order.body)).__name__} {order.routing_key}\n".encode()
        self._bus.publish(DEFAULT_EXCHANGE, Message(said, order.reply_to or "", correlation_id=order.correlation_id))
        self._bus.ack(delivery)


@pytest.fixture
async def router(amqp_url: str) -> AsyncIterator[Router]:
    async with Bus(amqp_url, name="router", topology=shared()) as bus:
        router = Router(bus)
        await bus.consume(CONTROL_ROUTER, router.carry_out, prefetch=4)
        yield router


async def test_each_order_has_its_own_answer(router: Router, amqp_url: str) -> None:
    async with Bus(amqp_url, name="page", topology=shared()) as bus:
        orders = Orders(bus)
        await orders.start()
        said = await asyncio.gather(
            orders.give(Drain(vm="vm1")),
            orders.give(Drain(vm="vm2", resume=True)),
            orders.give(Pause(operation="sketch")),
        )
        await orders.close()
    assert list(said) == ["Drain vm.drain.vm1", "Drain vm.resume.vm2", "Pause operation.pause.sketch"]


async def test_without_a_router_nothing_is_said(amqp_url: str) -> None:
    async with Bus(amqp_url, name="page", topology=shared()) as bus:
        orders = Orders(bus)
        await orders.start()
        assert await orders.give(Drain(vm="vm1"), within_s=0.1) is None
        await orders.close()


async def test_a_connection_that_was_lost_and_mended_hears_answers_again(router: Router, amqp_url: str) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="page", topology=shared()) as bus:
        orders = Orders(bus)
        await orders.start()
        between.cut()
        await eventually(lambda: not bus.connected)
        between.mend()
        await eventually(lambda: bus.connected)
        assert await orders.give(Drain(vm="vm1")) == "Drain vm.drain.vm1"
        await orders.close()


async def test_orders_never_started_close_quietly(amqp_url: str) -> None:
    await Orders(Bus(amqp_url, name="page", topology=shared())).close()
