"""A bus that mends itself: whatever ends its session, it comes back with its topology and its consumers."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import psutil
import pytest

from bus.errors import Disconnected, SetupError
from bus.messages import Message
from bus.rabbit import Bus, Delivery
from bus.rabbit import session as sessions
from bus.topology import (
    Queue,
    Topology,
)
from tests.bus.rabbit.conftest import WORK, Sessions
from tests.bus.rabbit.foreign import Foreign, eventually, network
from tests.conftest import Vhosts
from ui.stack.rabbitmq import PrivateBroker

pytestmark = pytest.mark.broker


# -- what ends a session


Fault = Callable[[Bus, Foreign], object]


def queue_deleted(_bus: Bus, foreign: Foreign) -> None:
    """The broker cancels the consumer."""
    foreign.channel.queue_delete("work")


def published_to_no_exchange(bus: Bus, _foreign: Foreign) -> None:
    """The broker closes the channel."""
    bus.publish("no such exchange", Message(routing_key="x"))


def telemetry_to_no_exchange(bus: Bus, _foreign: Foreign) -> None:
    bus.post("no such exchange", Message(routing_key="x"))


@pytest.mark.parametrize("fault", [queue_deleted, published_to_no_exchange, telemetry_to_no_exchange])
async def test_a_lost_consumer_or_channel_is_renewed(bus: Bus, foreign: Foreign, fault: Fault) -> None:
    inbox: list[Delivery] = []
    heard: list[Delivery] = []
    await bus.consume("work", inbox.append, prefetch=1)
    await bus.listen([("amq.topic", "#")], heard.append)
    sessions = Sessions(bus)
    fault(bus, foreign)
    await sessions.renewed()
    assert bus.connected
    foreign.publish("", "work", b"after")
    foreign.publish("amq.topic", "news", b"heard")
    await eventually(lambda: [d.message.body for d in inbox] == [b"after"] and bus.ack(inbox[0]))
    await eventually(lambda: [d.message.body for d in heard] == [b"heard"])


async def test_what_the_server_closes_and_forgets_is_made_anew(vhosts: Vhosts, amqp_url: str) -> None:
    # Deleting a virtual host is how any broker can be made to close a connection, and to refuse it for a while.
    name = urlsplit(amqp_url).path.strip("/")
    async with Bus(amqp_url, name="test", topology=WORK) as bus:
        inbox: list[Delivery] = []
        await bus.consume("work", inbox.append, prefetch=1)
        sessions = Sessions(bus)
        vhosts.delete_vhost(name)
        await eventually(lambda: sessions.ended == 1)
        assert not bus.connected
        vhosts.add_vhost(name)
        await eventually(lambda: bus.connected)
        with Foreign(amqp_url) as foreign:
            foreign.publish("", "work", b"after")
            await eventually(lambda: [d.message.body for d in inbox] == [b"after"])


async def test_a_broker_that_restarts_goes_on_where_it_was(private_broker: PrivateBroker) -> None:
    url = private_broker.add_vhost("restarted")
    async with Bus(url, name="test", topology=WORK) as bus:
        inbox: list[Delivery] = []
        await bus.publish("", Message(b"kept", "work"))
        await bus.consume("work", inbox.append, prefetch=1)
        await eventually(lambda: inbox)
        private_broker.restart()  # on this thread: the node ends with the thread that started it
        await eventually(lambda: len(inbox) == 2)
        assert (inbox[1].message.body, inbox[1].redelivered) == (b"kept", True)
        assert bus.ack(inbox[1])
    private_broker.delete_vhost("restarted")


async def test_a_silent_network_is_given_up_by_the_heartbeat(amqp_url: str) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK, heartbeat_s=1) as bus:
        sessions = Sessions(bus)
        between.freeze()
        sent = bus.publish("", Message(routing_key="work"))
        await eventually(lambda: sessions.ended)
        with pytest.raises(Disconnected):
            await sent
        between.mend()
        await eventually(lambda: bus.connected)


async def test_a_consumer_added_or_cancelled_while_disconnected_counts_from_the_next_session(
    amqp_url: str, foreign: Foreign
) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK) as bus:
        first: list[Delivery] = []
        second: list[Delivery] = []
        consumer = await bus.consume("work", first.append, prefetch=1)
        sessions = Sessions(bus)
        between.cut()
        await eventually(lambda: sessions.ended)
        await bus.cancel(consumer)
        await bus.consume("work", second.append, prefetch=1)
        between.mend()
        await eventually(lambda: sessions.begun)
        foreign.publish("", "work")
        await eventually(lambda: second)
        assert (first, foreign.consumers("work")) == ([], 1)


async def test_consumers_added_at_every_moment_of_a_reconnect_all_consume(amqp_url: str, foreign: Foreign) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK) as bus:
        between.cut()
        between.mend()
        added = 0
        sessions = Sessions(bus)
        while not sessions.begun:
            await bus.consume("work", lambda _delivery: None, prefetch=1)
            added += 1
            await asyncio.sleep(0.005)
        await eventually(lambda: foreign.consumers("work") == added)


async def test_a_failing_callback_does_not_end_the_mending(amqp_url: str) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK) as bus:
        calls: list[int] = []

        def once() -> None:
            calls.append(1)
            if len(calls) == 1:
                raise LookupError("a fault of ours")

        bus.on_connect = once
        between.cut()
        between.mend()
        await eventually(lambda: len(calls) == 2 and bus.connected)


# -- two in one process, and the end


async def test_two_buses_in_one_process_do_not_meet(amqp_url: str) -> None:
    async with (
        network(amqp_url) as between,
        Bus(between.url, name="one", topology=WORK) as one,
        Bus(amqp_url, name="two", topology=WORK) as two,
    ):
        inbox: list[Delivery] = []
        await two.consume("work", inbox.append, prefetch=1)
        between.cut()
        await eventually(lambda: not one.connected)
        assert two.connected
        await two.publish("", Message(routing_key="work"))
        await eventually(lambda: inbox)
        assert two.ack(inbox[0])


async def test_close_leaves_no_task_and_no_socket(amqp_url: str) -> None:
    files = psutil.Process().num_fds()
    async with Bus(amqp_url, name="test", topology=WORK) as bus:
        await bus.listen([("amq.topic", "#")], lambda _delivery: None)
        assert psutil.Process().num_fds() > files
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert psutil.Process().num_fds() == files
    await bus.close()  # once more is harmless
    assert not bus.connected


async def test_what_a_close_leaves_unconfirmed_or_unanswered_is_told(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_CLOSES_WITHIN_S", 0.1)
    async with network(amqp_url) as between:
        bus = Bus(between.url, name="test", topology=WORK)
        await bus.start(30)
        between.freeze()
        sent = [bus.publish("", Message(routing_key="work")) for _ in range(3)]
        asked = asyncio.create_task(bus.depths(["work"]))
        await asyncio.sleep(0)
        await bus.close()
        assert [publish.done() for publish in sent] == [True] * 3
        told = await asyncio.gather(*sent, asked, return_exceptions=True)
        assert [type(error) for error in told] == [Disconnected] * 4
        with pytest.raises(Disconnected, match="no connection"):
            await bus.publish("", Message(routing_key="work"))


async def test_a_start_that_is_given_up_leaves_nothing(amqp_url: str) -> None:
    files = psutil.Process().num_fds()
    starting = asyncio.create_task(Bus("amqp://127.0.0.1:1", name="test", topology=WORK).start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert psutil.Process().num_fds() == files


async def test_a_server_that_never_speaks_is_given_up_without_a_trace() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bus = Bus(f"amqp://127.0.0.1:{port}", name="test", topology=WORK)
    with pytest.raises(SetupError, match="No broker answers"):
        await bus.start(0.2)
    server.close()
    await server.wait_closed()
    await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})


async def test_a_queue_may_be_deleted_with_what_it_holds(bus: Bus) -> None:
    await bus.declare(Topology(queues=(Queue("gone"),)))
    await bus.publish("", Message(routing_key="gone"))
    await bus.delete("gone")
    await bus.delete("gone")
    assert await bus.depths(["gone"]) == {"gone": None}
