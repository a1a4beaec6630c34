"""The topology is really there, and each part does on a broker what it is there for."""

import pytest

from bus import topology
from bus.errors import SetupError
from bus.events import heartbeat_key
from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import (
    EVENTS,
    EVENTS_HISTORY,
    HEARTBEATS,
    JOBS,
    JOBS_RETURNED,
    JOBS_UNKNOWN,
    LANES,
    VMS,
    Binding,
    Exchange,
    Queue,
    Topology,
    lane,
    vm_queue,
)
from tests.bus.rabbit.conftest import WORK, Sessions
from tests.bus.rabbit.foreign import Foreign, eventually, network

pytestmark = pytest.mark.broker


async def test_all_of_the_topology_is_there_and_another_process_finds_it_right(amqp_url: str, foreign: Foreign) -> None:
    everything = topology.shared()
    async with Bus(amqp_url, name="one", topology=everything) as one, Bus(amqp_url, name="two", topology=everything):
        await one.declare(topology.of_vm("vm1"))
        assert [q.name for q in everything.queues if foreign.depth(q.name) is None] == []
        for exchange in everything.exchanges:
            foreign.channel.exchange_declare(exchange.name, passive=True)

        foreign.publish(VMS, vm_queue("vm1"), b"for vm1")
        foreign.publish(VMS, "cloud", b"for the cloud")
        assert (await foreign.get(vm_queue("vm1"))).body == b"for vm1"
        assert (await foreign.get(topology.OVERFLOW)).body == b"for the cloud"

        foreign.publish(JOBS, "sharpen", b"unknown")
        assert (await foreign.get(JOBS_UNKNOWN)).body == b"unknown"

        heard = foreign.listen(EVENTS, "vm.heartbeat.vm1")
        assert one.post(HEARTBEATS, Message(b"beat", heartbeat_key("vm1")))
        assert (await foreign.get(heard)).body == b"beat"
        history = await _history(foreign)
        assert b"beat" in history

        foreign.publish(JOBS, "sketch", b"short-lived", headers={"user": "anna"}, expiration="1")
        returned = await foreign.get(JOBS_RETURNED)
        assert (returned.body, returned.headers["x-first-death-reason"]) == (b"short-lived", "expired")

        for number in range(200):
            foreign.publish(JOBS, "sketch", headers={"user": f"user {number}"})
        before = _lanes(foreign)
        assert sum(before.values()) == 200
        assert sum(depth > 0 for depth in before.values()) > LANES // 2  # many users spread
        for operation in topology.OPERATIONS * 4:
            foreign.publish(JOBS, operation, headers={"user": "anna"})
        after = _lanes(foreign)
        assert sorted(after[name] - before[name] for name in after)[-2:] == [0, 12]  # one user keeps to a lane


def _lanes(foreign: Foreign) -> dict[str, int]:
    """How many jobs lie in each lane."""
    return {name: foreign.depth(name) or 0 for name in map(lane, range(LANES))}


async def _history(foreign: Foreign) -> list[bytes]:
    """The first message of the stream, as soon as there is one."""
    bodies: list[bytes] = []
    channel = foreign.channel
    channel.basic_qos(prefetch_count=10)
    tag = channel.basic_consume(
        EVENTS_HISTORY, lambda _c, _m, _p, body: bodies.append(body), arguments={"x-stream-offset": "first"}
    )

    def look() -> list[bytes]:
        channel.connection.process_data_events(0)
        return bodies

    await eventually(look)
    channel.basic_cancel(tag)
    return bodies


async def test_more_may_be_declared_later_and_is_declared_again_with_each_session(
    amqp_url: str, foreign: Foreign
) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK) as bus:
        await bus.declare(Topology((Exchange("news", "topic"),), (Queue("extra"),), (Binding("news", "extra", "#"),)))
        foreign.publish("news", "a", b"1")
        assert (await foreign.get("extra")).body == b"1"
        sessions = Sessions(bus)
        foreign.channel.queue_delete("extra")
        foreign.channel.exchange_delete("news")
        between.cut()
        between.mend()
        await sessions.renewed()
        foreign.publish("news", "a", b"2")
        assert (await foreign.get("extra")).body == b"2"


async def test_what_the_broker_will_not_declare_is_told_to_whoever_asked(bus: Bus, foreign: Foreign) -> None:
    foreign.queue("extra", x_max_length=5)
    with pytest.raises(SetupError, match="'extra'"):
        await bus.declare(Topology(queues=(Queue("extra"),)))
