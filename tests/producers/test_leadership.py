"""One router of several is the active one, keeps the operators' orders, and hands both on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pika
import pytest

from bus.control import Cancel, Drain, Orders, Pause, command_message
from bus.rabbit import Bus
from bus.topology import CONTROL, CONTROL_ROUTER, DEFAULT_EXCHANGE, shared
from producers import leadership as module
from producers.leadership import Leadership, carried_out
from producers.tickets import Tickets
from tests.bus.rabbit.foreign import Foreign, eventually


def test_an_order_changes_what_is_in_force_and_says_so() -> None:
    drained, said = carried_out(Orders(seq=4), Drain(vm="vm1"))
    assert (drained, said) == (Orders(seq=5, drained=frozenset({"vm1"})), "vm1 is drained")
    assert carried_out(drained, Drain(vm="vm1", resume=True)) == (Orders(seq=6), "vm1 is in use again")
    paused, said = carried_out(Orders(), Pause(operation="sketch"))
    assert (set(paused.paused), said) == ({"sketch"}, "sketch is paused")
    assert carried_out(paused, Pause(operation="sketch", resume=True)) == (Orders(seq=2), "sketch goes on")


class Candidate:
    """A router as far as its leadership goes."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.tickets = Tickets(bus)
        self.leadership = Leadership(bus, self.tickets, self)
        self.orders: list[Orders] = []
        self.cancelled: list[str] = []
        bus.on_disconnect = self.leadership.forget
        bus.on_connect = self.leadership.call

    def take_over(self, orders: Orders) -> None:
        self.orders.append(orders)
        asyncio.get_running_loop().call_later(0.2, self.leadership.settle_in)

    def follow(self, orders: Orders) -> None:
        self.orders.append(orders)

    def knows(self, vm: str) -> bool:
        return vm == "vm1"

    def cancel(self, order: Cancel, ticket: int, at_ms: int | None) -> str:
        self.cancelled.append(order.job)
        self.tickets.settle(ticket)
        return "noted"


@contextlib.asynccontextmanager
async def standing(url: str, name: str) -> AsyncIterator[Candidate]:
    async with Bus(url, name=name, topology=shared()) as bus:
        candidate = Candidate(bus)
        await candidate.leadership.start()
        yield candidate


def order(foreign: Foreign, command: Drain | Pause | Cancel, **properties: str) -> None:
    foreign.publish(CONTROL, command.key, command.model_dump_json().encode(), **properties)


pytestmark = pytest.mark.broker


async def test_one_of_two_is_active_and_the_other_takes_over_with_the_orders(amqp_url: str) -> None:
    with Foreign(amqp_url) as foreign:
        async with standing(amqp_url, "standby") as standby:
            await eventually(lambda: standby.leadership.active)
            async with standing(amqp_url, "late") as late:
                order(foreign, Drain(vm="vm1"))
                await eventually(lambda: standby.orders[-1].drained == {"vm1"})
                await asyncio.sleep(0.2)
                assert not late.leadership.active
                await standby.bus.close()
                await eventually(lambda: late.leadership.active)
                assert late.orders[-1].drained == {"vm1"}
                order(foreign, Drain(vm="vm1", resume=True))
                await eventually(lambda: late.orders[-1] == Orders(seq=2))


async def test_an_order_given_while_no_router_runs_is_kept_and_answered(amqp_url: str) -> None:
    async with Bus(amqp_url, name="declares", topology=shared()):
        pass
    with Foreign(amqp_url) as foreign:
        replies = foreign.queue()
        order(foreign, Pause(operation="caption"), reply_to=replies, correlation_id="c1")
        async with standing(amqp_url, "r1") as router:
            reply = await foreign.get(replies)
            assert (reply.body, reply.properties.correlation_id) == (b"caption is paused", "c1")
            assert router.orders[-1].paused == {"caption"}
        async with standing(amqp_url, "r2") as router:
            await eventually(lambda: router.leadership.active)
            assert router.orders[-1].paused == {"caption"}


async def test_a_cancel_is_passed_on_and_answered(amqp_url: str) -> None:
    async with standing(amqp_url, "r1") as router:
        with Foreign(amqp_url) as foreign:
            replies = foreign.queue()
            order(foreign, Cancel(job="j1"), reply_to=replies)
            assert (await foreign.get(replies)).body == b"noted"
            assert router.cancelled == ["j1"]


async def test_a_drain_of_a_vm_never_heard_of_is_kept_and_says_so(amqp_url: str) -> None:
    async with standing(amqp_url, "r1") as router:
        with Foreign(amqp_url) as foreign:
            replies = foreign.queue()
            order(foreign, Drain(vm="vm9"), reply_to=replies)
            said = b"no VM named vm9 was heard of; the order is kept, to drain it when it joins"
            assert (await foreign.get(replies)).body == said
            assert router.orders[-1].drained == {"vm9"}
            order(foreign, Drain(vm="vm9", resume=True), reply_to=replies)
            said = b"no VM named vm9 was heard of; it will be in use when it joins"
            assert (await foreign.get(replies)).body == said


async def test_garbage_is_answered_and_dropped(amqp_url: str) -> None:
    async with standing(amqp_url, "r1") as router:
        with Foreign(amqp_url) as foreign:
            replies = foreign.queue()
            for body in (b"", b"\xff", b"[]", b'{"kind": "drain", "vm": "VM 1"}', b'{"kind": "orders", "seq": 9}'):
                foreign.publish(CONTROL, "vm.drain.vm1", body, reply_to=replies)
                assert b"can't be read" in (await foreign.get(replies)).body
            foreign.publish(CONTROL, "vm.drain.vm1", b"[]", reply_to=CONTROL_ROUTER)  # would go round for ever
            order(foreign, Drain(vm="vm2"))
            await eventually(lambda: bool(router.orders) and router.orders[-1].drained == {"vm2"})


async def test_old_and_blank_orders_never_replace_those_in_force(amqp_url: str) -> None:
    async with standing(amqp_url, "r1") as router:
        with Foreign(amqp_url) as foreign:
            order(foreign, Drain(vm="vm1"))
            await eventually(lambda: bool(router.orders) and router.orders[-1].seq == 1)
            router.leadership.call()
            newer = Orders(seq=9, paused=frozenset({"sketch"}))
            await router.bus.publish(DEFAULT_EXCHANGE, command_message(newer, CONTROL_ROUTER))
            await eventually(lambda: router.orders[-1] == newer)
            await router.bus.publish(DEFAULT_EXCHANGE, command_message(Orders(seq=3), CONTROL_ROUTER))
            router.leadership.call()
    async with standing(amqp_url, "r2") as router:
        await eventually(lambda: router.leadership.active)
        await eventually(lambda: router.orders[-1] == newer)


async def test_one_whose_first_call_was_refused_calls_again(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Bus(amqp_url, name="r1", topology=shared()) as bus:
        router = Candidate(bus)
        with monkeypatch.context() as refused:
            refused.setattr(router.leadership, "call", lambda: None)
            await router.leadership.start()
        router.leadership.tick(1000.0)
        await eventually(lambda: router.leadership.active)
        async with standing(amqp_url, "r2") as late:
            late.leadership.tick(1000.0)
            late.leadership.tick(1000.0 + module.STAND_BY_S)
            await bus.close()
            router.leadership.tick(2000.0)  # not without a connection
            await eventually(lambda: late.leadership.active)


async def test_the_orders_are_delivered_anew_from_time_to_time(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with standing(amqp_url, "r1") as router:
        await eventually(lambda: router.leadership.active)
        kept = router.leadership._kept
        monkeypatch.setattr(module, "RENEW_S", 0)
        router.leadership.tick(1.0)
        await eventually(lambda: router.leadership._kept is not kept)


@pytest.mark.parametrize(
    "body", [b"?", Drain(vm="vm9").model_dump_json().encode(), Cancel(job="j9").model_dump_json().encode()]
)
async def test_a_reply_to_that_is_no_text_is_not_answered_and_ends_nothing(amqp_url: str, body: bytes) -> None:
    async with standing(amqp_url, "r1") as router:
        await eventually(lambda: router.leadership.active)
        lost: list[bool] = []
        router.bus.on_disconnect = lambda: lost.append(True)
        with Foreign(amqp_url) as foreign:
            foreign.channel.basic_publish(CONTROL, "x", body, pika.BasicProperties(reply_to=b"\xff\xfe"))
            order(foreign, Drain(vm="vm2"))
            await eventually(lambda: "vm2" in router.orders[-1].drained)
        assert lost == []
