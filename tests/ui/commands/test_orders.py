"""Orders to the running system, on a real broker; the test answers in the place of a router."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bus.control import Cancel, Drain, Pause, read_command
from bus.messages import Message
from bus.rabbit import Bus, Delivery
from bus.topology import CONTROL_ROUTER, DEFAULT_EXCHANGE, shared
from tests.bus.rabbit.foreign import PATIENCE_S, Foreign, eventually
from tests.ui.commands.conftest import Overspill
from ui.commands.jobs import me
from ui.commands.orders import give
from ui.fleet.orders import NO_ANSWER, Order

pytestmark = pytest.mark.broker


class Router:
    """Says `as you wish` to every order."""

    def __init__(self, bus: Bus, answers: str | None = None) -> None:
        self.heard: list[Message] = []
        self._bus = bus
        self._answers = answers
        """The order it answers; None for the one it heard."""

    def carry_out(self, delivery: Delivery) -> None:
        order = delivery.message
        self.heard.append(order)
        said = Message(b"as you wish\n", order.reply_to or "", correlation_id=self._answers or order.correlation_id)
        self._bus.publish(DEFAULT_EXCHANGE, said)
        self._bus.ack(delivery)


@asynccontextmanager
async def routing(url: str, answers: str | None = None) -> AsyncIterator[Router]:
    async with Bus(url, name="router", topology=shared()) as bus:
        router = Router(bus, answers)
        await bus.consume(CONTROL_ROUTER, router.carry_out, prefetch=1)
        yield router


@pytest.mark.parametrize(
    ("arguments", "order", "key"),
    [
        (["cancel", "j1", "--user", "anna"], Cancel(job="j1", user="anna"), "job.cancel"),
        (["cancel", "j1"], Cancel(job="j1", user=me()), "job.cancel"),
        (["pause", "sketch"], Pause(operation="sketch"), "operation.pause.sketch"),
        (["resume", "caption"], Pause(operation="caption", resume=True), "operation.resume.caption"),
        (["vm", "drain", "vm1"], Drain(vm="vm1"), "vm.drain.vm1"),
        (["vm", "resume", "vm1"], Drain(vm="vm1", resume=True), "vm.resume.vm1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_an_order_reaches_the_router_and_its_word_comes_back(
    overspill: Overspill, amqp_url: str, arguments: list[str], order: Order, key: str
) -> None:
    async with routing(amqp_url) as router:
        ran = await asyncio.to_thread(overspill, *arguments, url=amqp_url)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "as you wish\n", "")
    assert [(read_command(message.body), message.routing_key) for message in router.heard] == [(order, key)]


async def test_without_a_router_the_order_is_kept_for_the_next(overspill: Overspill, amqp_url: str) -> None:
    ran = await asyncio.to_thread(overspill, "vm", "drain", "vm1", url=amqp_url)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{NO_ANSWER}\n", "")
    async with routing(amqp_url) as router:
        (order,) = await eventually(lambda: router.heard)
    assert read_command(order.body) == Drain(vm="vm1")


async def test_the_answer_to_another_order_is_not_ours(amqp_url: str) -> None:
    async with routing(amqp_url, answers="another") as router:
        assert await give(Drain(vm="vm1"), amqp_url, within_s=1.0) is None
    assert len(router.heard) == 1


async def test_its_queue_for_the_answer_is_gone_afterwards(amqp_url: str) -> None:
    async with routing(amqp_url) as router:
        assert await give(Drain(vm="vm1"), amqp_url, within_s=PATIENCE_S) == "as you wish"
    with Foreign(amqp_url) as operator:
        assert operator.depth(router.heard[0].reply_to or "") is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pause", "sketching"], "there are sketch, remove-background, caption"),
        (["resume", "*"], "there are sketch, remove-background, caption"),
        (["vm", "drain", "VM 1"], "vm: "),
        (["vm", "resume", "vm.*"], "vm: "),
        (["cancel", ""], "job: "),
        (["cancel", "j" * 256], "255 bytes"),
        (["vm", "drain"], "NAME"),
    ],
    ids=lambda value: " ".join(value)[:20] if isinstance(value, list) else "",
)
def test_an_order_that_can_not_be_meant_is_refused(overspill: Overspill, arguments: list[str], said: str) -> None:
    ran = overspill(*arguments, url="amqp://127.0.0.1:1")
    assert ran.returncode == 2
    assert said in ran.stderr


def test_no_broker_is_told_with_the_remedy(overspill: Overspill) -> None:
    ran = overspill("pause", "sketch")
    assert ran.returncode == 1
    assert "set AMQP_URL" in ran.stderr
