"""compose.yaml for real: a photograph in, a sketch out, on RabbitMQ 4, whatever dies on the way."""

import io
import os
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pika
import pytest
import yaml
from pika.adapters.blocking_connection import BlockingChannel
from PIL import Image

from tests.compose.conftest import PROJECT, Stack
from tests.compose.engine import run

pytestmark = [pytest.mark.compose, pytest.mark.timeout(900)]

PHOTOGRAPH = (PROJECT / "tests/data/photographs/astronaut.jpg").read_bytes()
EVERYTHING = ("up", "--wait", "--no-recreate", "--scale", "router=2")
ANSWERED_WITHIN_S = 120
ELSEWHERE = (
    # The command's own tests bring a RabbitMQ of their own, and what journeys show is shown here by containers.
    *("ui", "compose", "journey"),
    # What the bridge does with this broker is in tests/bridge/test_bridge.py; these are about clouds and its own books.
    *("bridge/test_bridge_pubsub.py", "bridge/test_forwarder.py", "bridge/test_returns.py"),
    *("bridge/test_crew.py", "bridge/test_endings.py", "bridge/test_recalls.py"),
    # What a worker does with pictures and batches is the same on any broker.
    *("consumers/test_worker_batches.py", "consumers/test_worker_claims.py"),
)


@dataclass(frozen=True)
class Received:
    """One answer: what it says of itself, and the size of the picture in it."""

    vm: str
    attempt: int
    size: tuple[int, int]


class Caller:
    """A client that knows AMQP and nothing of overspill: jobs out, answers in, on a reply queue of its own."""

    def __init__(self, channel: BlockingChannel) -> None:
        self._channel = channel
        self._reply_to = channel.queue_declare("", exclusive=True).method.queue
        self._sent: set[str] = set()
        self.answers: dict[str, Received] = {}
        channel.basic_consume(self._reply_to, self._take, auto_ack=True)

    def send(self, body: bytes, count: int = 1) -> None:
        """Publish `count` sketch jobs, each confirmed by the broker."""
        for _ in range(count):
            job = uuid.uuid4().hex
            properties = pika.BasicProperties(message_id=job, correlation_id=job, reply_to=self._reply_to)
            self._channel.basic_publish("jobs", "sketch", body, properties, mandatory=True)
            self._sent.add(job)

    def wait_for(self, count: int) -> None:
        """Return when `count` different jobs are answered. Fails after ANSWERED_WITHIN_S."""
        until = time.monotonic() + ANSWERED_WITHIN_S
        while len(self.answers) < count:
            assert time.monotonic() < until, f"{len(self.answers)} of {count} jobs answered in {ANSWERED_WITHIN_S} s"
            self._channel.connection.process_data_events(0.2)

    def wait_for_all(self) -> None:
        """Return when every job sent is answered, and no other."""
        self.wait_for(len(self._sent))
        assert self.answers.keys() == self._sent

    def _take(self, _channel: BlockingChannel, _method: object, properties: pika.BasicProperties, body: bytes) -> None:
        assert str(properties.content_type).startswith("image/"), body
        headers = properties.headers or {}
        self.answers[str(properties.correlation_id)] = Received(headers["vm"], headers["attempt"], size(body))


def size(picture: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    with Image.open(io.BytesIO(picture)) as image:
        return image.size


def enlarged(picture: bytes, width: int, height: int) -> bytes:
    """The picture at another size, as JPEG: large ones keep a VM at work long enough to kill it there."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.resize((width, height)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def caller(stack: Stack) -> Iterator[Caller]:
    with pika.BlockingConnection(pika.URLParameters(stack.amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield Caller(channel)


def test_a_photograph_comes_back_as_a_sketch_of_its_size(caller: Caller) -> None:
    caller.send(PHOTOGRAPH)
    caller.wait_for_all()
    assert [answer.size for answer in caller.answers.values()] == [size(PHOTOGRAPH)]


def test_a_vm_killed_at_work_costs_no_answer(stack: Stack, caller: Caller) -> None:
    caller.send(enlarged(PHOTOGRAPH, 4000, 3000), count=40)
    caller.wait_for(4)
    stack.compose("kill", "vm1")
    caller.wait_for_all()
    answers = caller.answers.values()
    assert {answer.size for answer in answers} == {(4000, 3000)}
    # What vm1 held was placed again.
    assert {answer.vm for answer in answers if answer.attempt > 1} <= {"vm2", "cloud"}
    stack.compose(*EVERYTHING)


def test_what_the_vms_cannot_hold_is_answered_by_the_cloud(stack: Stack, caller: Caller) -> None:
    stack.compose("kill", "vm1", "vm2")
    caller.send(PHOTOGRAPH, count=6)
    caller.wait_for_all()
    assert {(answer.vm, answer.size) for answer in caller.answers.values()} == {("cloud", size(PHOTOGRAPH))}
    stack.compose(*EVERYTHING)


def test_either_router_may_be_killed(stack: Stack, caller: Caller) -> None:
    for router in stack.compose("ps", "--quiet", "router").split():
        caller.send(PHOTOGRAPH, count=20)
        run("docker", "kill", router, environment=stack.environment, timeout_s=60)
        caller.send(PHOTOGRAPH)
        caller.wait_for_all()
        stack.compose(*EVERYTHING)
    assert len(caller.answers) == 42


def test_jobs_wait_while_no_router_lives(stack: Stack, caller: Caller) -> None:
    stack.compose("kill", "router")
    caller.send(PHOTOGRAPH, count=5)
    stack.compose(*EVERYTHING)
    caller.wait_for_all()


def test_the_page_takes_a_photograph_from_whoever_has_an_account_and_keeps_it_over_its_own_death(stack: Stack) -> None:
    token = stack.compose("exec", "-T", "page", "overspill", "user", "token", "operator", "test").strip()
    caller = {"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg", "Prefer": "wait=60"}
    jobs = f"{stack.page_url}/api/v1/jobs"

    refused = httpx.post(
        jobs, params={"operation": "sketch"}, content=PHOTOGRAPH, headers=caller | {"Authorization": ""}
    )
    answered = httpx.post(jobs, params={"operation": "sketch"}, content=PHOTOGRAPH, headers=caller, timeout=70)
    stack.compose("kill", "page")
    stack.compose(*EVERYTHING)
    kept = httpx.get(stack.page_url + answered.headers["Content-Location"], headers=caller)

    assert refused.status_code == 401
    assert (answered.status_code, size(answered.content)) == (200, size(PHOTOGRAPH))
    assert kept.content == answered.content


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
    left_out = [*(f"--ignore=tests/{name}" for name in ELSEWHERE), "--ignore-glob=*_traces.py"]
    side_by_side = ("--numprocesses", "3", "--dist", "loadfile", "--no-loadscope-reorder")
    chosen = ("-m", "broker", "-p", "tests.compose.broker_elsewhere", *side_by_side, *left_out)
    suite = (sys.executable, "-m", "pytest", *chosen, f"--basetemp={tmp_path / 'suite'}")
    run(*suite, environment=environment, cwd=PROJECT, timeout_s=560)


def test_compose_reads_prometheus_and_grafana_beside_the_stack(stack: Stack) -> None:
    files = ("--file", "compose.yaml", "--file", "deploy/observability/compose.yaml")
    told = replace(stack, environment={**stack.environment, "GRAFANA_PASSWORD": "x"})
    assert {"prometheus", "grafana", "router"} <= yaml.safe_load(told.compose(*files, "config"))["services"].keys()
