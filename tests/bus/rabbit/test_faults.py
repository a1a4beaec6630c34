"""Which faults are worth trying again, and what the others tell the operator to do."""

import asyncio
from urllib.parse import urlsplit

import pytest
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAuthenticationError,
    StreamLostError,
)

from bus.errors import SetupError
from bus.rabbit import Bus
from bus.rabbit.faults import said, setup_fault
from bus.topology import Exchange, Queue, Topology
from tests.bus.rabbit.foreign import Foreign

NOTHING = Topology()


def test_the_cause_is_dug_out_of_its_wrappings() -> None:
    inner = ConnectionRefusedError("nobody listens")
    assert said(AMQPConnectionError(AMQPConnectionError(inner))) == "ConnectionRefusedError nobody listens"
    assert said(StreamLostError("reset")) == "StreamLostError reset"


@pytest.mark.parametrize(
    "passing",
    [
        OSError("no route"),
        StreamLostError("reset"),
        ConnectionClosedByBroker(320, "CONNECTION_FORCED - broker forced connection closure"),
        ChannelClosedByBroker(404, "NOT_FOUND - no exchange 'jobs'"),
        ChannelClosedByBroker(406, "PRECONDITION_FAILED - unknown delivery tag 1"),
        ChannelClosedByBroker(406, "PRECONDITION_FAILED - message size 9 is larger than configured max size 8"),
        ChannelClosedByBroker(406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out"),
    ],
)
def test_what_passes_is_tried_again(passing: Exception) -> None:
    assert setup_fault(passing, "broker:5672") is None


@pytest.mark.parametrize(
    ("lasting", "remedy"),
    [
        (ProbableAuthenticationError("ACCESS_REFUSED"), "Correct AMQP_URL"),
        (ChannelClosedByBroker(406, "PRECONDITION_FAILED - inequivalent arg 'durable'"), "Delete it there"),
        (ChannelClosedByBroker(403, "ACCESS_REFUSED - configure access to exchange 'jobs'"), "Grant the account"),
    ],
)
def test_what_lasts_names_the_remedy(lasting: Exception, remedy: str) -> None:
    assert remedy in str(setup_fault(lasting, "broker:5672"))


async def refusal(url: str, topology: Topology = NOTHING) -> str:
    """What `start` says when the broker won't have us."""
    bus = Bus(url, name="test", topology=topology)
    with pytest.raises(SetupError) as refused:
        await bus.start()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return str(refused.value)


@pytest.mark.broker
async def test_a_wrong_password_is_told_at_once_and_not_shown(amqp_url: str) -> None:
    parts = urlsplit(amqp_url)
    wrong = parts._replace(netloc=f"{parts.username}:hunter2@{parts.hostname}:{parts.port}").geturl()
    told = await refusal(wrong)
    assert "Correct AMQP_URL" in told
    assert "hunter2" not in told


@pytest.mark.broker
async def test_a_virtual_host_that_is_not_there_is_told_at_once(amqp_url: str) -> None:
    assert "Correct AMQP_URL" in await refusal(urlsplit(amqp_url)._replace(path="/nowhere").geturl())


@pytest.mark.broker
async def test_a_queue_of_another_make_is_told_with_its_name(amqp_url: str, foreign: Foreign) -> None:
    foreign.queue("work", x_max_length=5)
    told = await refusal(amqp_url, Topology(queues=(Queue("work", {"x-queue-type": "quorum"}),)))
    assert "'work'" in told
    assert "Delete it there, or use a virtual host of its own" in told


@pytest.mark.broker
async def test_an_exchange_of_another_make_is_told_with_its_name(amqp_url: str, foreign: Foreign) -> None:
    foreign.channel.exchange_declare("jobs", "fanout", durable=True)
    assert "'jobs'" in await refusal(amqp_url, Topology(exchanges=(Exchange("jobs", "topic"),)))


@pytest.mark.broker
async def test_a_missing_plugin_is_told_with_the_command_that_enables_it(foreign: Foreign) -> None:
    # No broker without the plugin is at hand: another type that none has is refused with the same words.
    with pytest.raises((ConnectionClosedByBroker, ChannelClosedByBroker)) as refused:
        foreign.channel.exchange_declare("lanes", "x-inconsistent-hash", durable=True)
    words = refused.value.reply_text.replace("x-inconsistent-hash", "x-consistent-hash")
    fault = setup_fault(type(refused.value)(refused.value.reply_code, words), "broker:5672")
    assert "rabbitmq-plugins enable rabbitmq_consistent_hash_exchange" in str(fault)


async def test_no_broker_within_the_time_allowed_is_told_with_the_address() -> None:
    bus = Bus("amqp://anna:hunter2@127.0.0.1:1/v", name="test", topology=NOTHING)
    with pytest.raises(SetupError, match=r"No broker answers at 127\.0\.0\.1:1/v\. Start it"):
        await bus.start(0.05)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("url", ["amqp://localhost:port", "http://localhost", "amqp://u:p@h/v?heartbeat=x"])
async def test_a_url_that_is_none_is_told_with_an_example(url: str) -> None:
    with pytest.raises(SetupError, match="it looks like amqp://"):
        Bus(url, name="test", topology=NOTHING)
