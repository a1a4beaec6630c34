"""Publishing: each message gets its own verdict, whatever becomes of the connection."""

import asyncio
import itertools

import pytest

from bus.errors import BusError, Disconnected, Refused, Unroutable
from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import Queue, Topology
from tests.bus.rabbit.conftest import WORK
from tests.bus.rabbit.foreign import Foreign, network

pytestmark = pytest.mark.broker


async def verdicts(futures: "list[asyncio.Future[None]]") -> list[type[BusError] | None]:
    """For each publish the kind of its error, or None when it was confirmed."""
    ended = await asyncio.gather(*futures, return_exceptions=True)
    return [type(error) if isinstance(error, BusError) else None for error in ended]


async def test_a_confirmed_message_is_in_its_queue_and_persistent(bus: Bus, foreign: Foreign) -> None:
    await bus.publish("", Message(b"\x00\xff", "work", {"user": "anna"}, "image/png", "m1", b"\xff\xfe", "replies"))
    got = await foreign.get("work")
    assert got.body == b"\x00\xff"
    assert got.properties.delivery_mode == 2
    assert (got.properties.message_id, got.properties.correlation_id) == ("m1", b"\xff\xfe")


async def test_a_message_without_a_queue_is_handed_back(bus: Bus) -> None:
    with pytest.raises(Unroutable, match="no queue for 'nowhere'"):
        await bus.publish("", Message(routing_key="nowhere"))


async def test_a_message_that_need_not_arrive_is_confirmed_without_a_queue(bus: Bus) -> None:
    await bus.publish("", Message(routing_key="nowhere"), mandatory=False)


async def test_of_many_at_once_each_gets_its_own_verdict(bus: Bus, foreign: Foreign) -> None:
    keys = [
        key for key, _ in zip(itertools.cycle(["work", "nowhere", "work", "lost", "lost"]), range(200), strict=False)
    ]
    sent = [bus.publish("", Message(b"x", key, message_id=f"{n}")) for n, key in enumerate(keys)]
    assert await verdicts(sent) == [None if key == "work" else Unroutable for key in keys]
    assert foreign.depth("work") == keys.count("work")


async def test_alike_messages_without_ids_get_as_many_verdicts(bus: Bus) -> None:
    sent = [bus.publish("", Message(routing_key=key)) for key in ["nowhere", "work"] * 20]
    assert await verdicts(sent) == [Unroutable, None] * 20


async def test_a_full_queue_refuses(bus: Bus) -> None:
    tiny = {"x-max-length": 1, "x-overflow": "reject-publish"}
    await bus.declare(Topology(queues=(Queue("tiny", tiny),)))
    await bus.publish("", Message(routing_key="tiny"))
    with pytest.raises(Refused, match="'tiny'"):
        await bus.publish("", Message(routing_key="tiny"))


async def test_what_amqp_cannot_carry_is_refused_and_mixes_up_no_other_verdict(bus: Bus) -> None:
    sent = [bus.publish("", Message(routing_key=key)) for key in ["work", "x" * 256, "nowhere", "work"]]
    assert await verdicts(sent) == [None, Refused, Unroutable, None]


async def test_without_a_connection_nothing_is_taken(amqp_url: str) -> None:
    bus = Bus(amqp_url, name="test", topology=WORK)
    with pytest.raises(Disconnected, match="no connection to the broker at"):
        await bus.publish("", Message(routing_key="work"))
    assert bus.post("", Message(routing_key="work")) is False
    with pytest.raises(Disconnected):
        await bus.depths(["work"])


async def test_what_a_lost_connection_leaves_unconfirmed_is_told(amqp_url: str) -> None:
    async with network(amqp_url) as between, Bus(between.url, name="test", topology=WORK) as bus:
        between.cut()
        sent = [bus.publish("", Message(routing_key="work")) for _ in range(10)]
        assert await verdicts(sent) == [Disconnected] * 10


async def test_a_large_body_goes_and_comes_whole(bus: Bus, foreign: Foreign) -> None:
    body = bytes(range(256)) * 40_000
    await bus.publish("", Message(body, "work"))
    assert (await foreign.get("work")).body == body


async def test_telemetry_is_transient_and_never_waits(bus: Bus, foreign: Foreign) -> None:
    assert bus.post("", Message(b"beat", "work")) is True
    got = await foreign.get("work")
    assert (got.body, got.properties.delivery_mode) == (b"beat", 1)


async def test_telemetry_that_amqp_cannot_carry_is_dropped(bus: Bus, foreign: Foreign) -> None:
    assert bus.post("", Message(b"lost", "x" * 256)) is False
    assert bus.post("", Message(b"beat", "work")) is True
    assert (await foreign.get("work")).body == b"beat"


async def test_on_a_closing_channel_nothing_is_taken(bus: Bus) -> None:
    assert bus._session is not None
    bus._session.telemetry.close()
    assert bus.post("", Message(routing_key="work")) is False
    with pytest.raises(Disconnected):
        await bus.publish("", Message(routing_key="work"))
