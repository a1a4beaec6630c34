"""compose.yaml for real: a photograph in, a sketch out, on RabbitMQ 4, whatever dies on the way."""

import io
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from PIL import Image

from tests.compose.conftest import PROJECT, Stack
from tests.compose.engine import run

pytestmark = [pytest.mark.compose, pytest.mark.timeout(900)]

PHOTOGRAPH = PROJECT / "tests/data/photographs/astronaut.jpg"
ANSWERED_WITHIN_S = 120


class Caller:
    """A client that knows AMQP and nothing of overspill: jobs out, answers in, on a reply queue of its own."""

    def __init__(self, channel: BlockingChannel) -> None:
        self._channel = channel
        self.reply_to = channel.queue_declare("", exclusive=True).method.queue
        self.answers: dict[str, tuple[str, bytes]] = {}
        self.vms: set[str] = set()
        channel.basic_consume(self.reply_to, self._take, auto_ack=True)

    def send(self, body: bytes, count: int = 1) -> set[str]:
        """Publish `count` sketch jobs, confirmed; returns their ids."""
        ids = {uuid.uuid4().hex for _ in range(count)}
        for job in ids:
            properties = pika.BasicProperties(message_id=job, correlation_id=job, reply_to=self.reply_to)
            self._channel.basic_publish("jobs", "sketch", body, properties, mandatory=True)
        return ids

    def wait_for(self, count: int) -> None:
        """Return when `count` different jobs are answered. Fails after ANSWERED_WITHIN_S."""
        until = time.monotonic() + ANSWERED_WITHIN_S
        while len(self.answers) < count:
            assert time.monotonic() < until, f"{len(self.answers)} of {count} jobs answered in {ANSWERED_WITHIN_S} s"
            self._channel.connection.process_data_events(0.2)

    def _take(self, _channel: BlockingChannel, _method: object, properties: pika.BasicProperties, body: bytes) -> None:
        self.answers[str(properties.correlation_id)] = (str(properties.content_type), body)
        self.vms.add(str((properties.headers or {}).get("vm")))


@pytest.fixture
def caller(stack: Stack) -> Iterator[Caller]:
    with pika.BlockingConnection(pika.URLParameters(stack.amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield Caller(channel)


def sketches(caller: Caller) -> set[tuple[int, int]]:
    """The sizes of the pictures that came back; fails on an answer that is none."""
    for content_type, body in caller.answers.values():
        assert content_type.startswith("image/"), body
    return {Image.open(io.BytesIO(body)).size for _, body in caller.answers.values()}


def test_a_photograph_comes_back_as_a_sketch_of_its_size(caller: Caller) -> None:
    sent = caller.send(PHOTOGRAPH.read_bytes())
    caller.wait_for(1)
    assert caller.answers.keys() == sent
    assert sketches(caller) == {Image.open(PHOTOGRAPH).size}


def test_a_vm_killed_at_work_costs_no_answer(stack: Stack, caller: Caller) -> None:
    sent = caller.send(PHOTOGRAPH.read_bytes(), count=60)
    caller.wait_for(3)
    stack.compose("kill", "vm1")
    caller.wait_for(60)
    assert caller.answers.keys() == sent
    assert sketches(caller) == {Image.open(PHOTOGRAPH).size}
    stack.compose("up", "--wait", "--no-recreate", "--scale", "router=2")


def test_with_one_router_of_two_killed_jobs_are_answered(stack: Stack, caller: Caller) -> None:
    sent = caller.send(PHOTOGRAPH.read_bytes(), count=20)
    stack.compose("kill", "--signal", "KILL", "router")
    stack.compose("up", "--wait", "--no-recreate", "--scale", "router=1")
    sent |= caller.send(PHOTOGRAPH.read_bytes())
    caller.wait_for(21)
    assert caller.answers.keys() == sent
    assert sketches(caller) == {Image.open(PHOTOGRAPH).size}


def test_a_vm_has_no_privileges_and_nowhere_to_write(stack: Stack) -> None:
    status = dict(
        line.split(":\t", 1) for line in stack.compose("exec", "-T", "vm2", "cat", "/proc/self/status").splitlines()
    )
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"].split() == ["10001"] * 4
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {0}
    with pytest.raises(AssertionError, match="Read-only file system"):
        stack.compose("exec", "-T", "vm2", "touch", "/opt/overspill/x")


def test_the_broker_contract_holds_on_rabbitmq_4(stack: Stack, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        "OVERSPILL_TEST_AMQP_URL": stack.amqp_url,
        "OVERSPILL_TEST_MANAGEMENT_URL": stack.management_url,
    }
    # Not those of the private node that the command starts: they bring their own RabbitMQ.
    kept = ("-m", "broker", "--ignore=tests/ui", "--ignore=tests/compose", "--basetemp", tmp_path / "suite")
    suite = (sys.executable, "-m", "pytest", *kept)
    run(*suite, environment=environment, cwd=PROJECT, timeout_s=400)
