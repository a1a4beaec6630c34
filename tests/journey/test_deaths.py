"""Whatever dies on the way, every job is answered, once to its caller."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pika
import psutil
import pytest

from bus.messages import Answer
from producers.client import AsyncClient
from tests.journey.pictures import is_sketch_of, photograph
from tests.journey.processes import Processes
from ui.stack.rabbitmq import PrivateBroker

pytestmark = [pytest.mark.journey, pytest.mark.broker]

JOBS = 24
PICTURES = [photograph(2400 + n, 1800, seed=n) for n in range(JOBS)]

SMALL = photograph(300, 200)

Disturb = Callable[[], Awaitable[None]]


async def answers_despite(url: str, disturb: Disturb, timeout_s: float = 60) -> list[Answer]:
    """Submit all pictures, disturb when some are answered and others run; the answers, each checked, in order."""
    async with AsyncClient(url, user="anna") as client:
        handles = [await client.submit(picture, "sketch") for picture in PICTURES]
        await asyncio.gather(*(handle.result(timeout_s) for handle in handles[:3]))
        assert not all(handle.done for handle in handles)
        await disturb()
        answers = await asyncio.gather(*(handle.result(timeout_s) for handle in handles))
    for answer, picture in zip(answers, PICTURES, strict=True):
        assert is_sketch_of(answer, picture)
    return answers


async def test_kill_of_a_worker_that_never_comes_back(running: Processes) -> None:
    children = psutil.Process(running.pid("vm1")).children(recursive=True)
    assert children

    async def kill() -> None:
        running.kill("vm1")

    answers = await answers_despite(running.url, kill)
    assert {answer.vm for answer in answers[-6:]} == {"vm2"}
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


async def test_kill_of_a_worker_that_is_restarted(running: Processes) -> None:
    async def kill() -> None:
        running.kill("vm1")
        running.start_vm("vm1")

    await answers_despite(running.url, kill)


async def test_kill_of_the_computing_process(running: Processes) -> None:
    async def kill() -> None:
        for child in psutil.Process(running.pid("vm1")).children():
            child.kill()

    answers = await answers_despite(running.url, kill)
    assert max(answer.attempt or 0 for answer in answers) <= 2


async def test_kill_of_the_router(running: Processes) -> None:
    async def kill() -> None:
        running.kill("router")
        running.start_router()

    await answers_despite(running.url, kill)


async def test_stops_of_the_router_make_no_second_answers(running: Processes) -> None:
    """Without a message_id nothing could tell a second copy of a job from the first."""
    with pika.BlockingConnection(pika.URLParameters(running.url)) as connection:
        channel = connection.channel()
        replies = channel.queue_declare("", exclusive=True).method.queue
        for number in range(40):
            sent = pika.BasicProperties(
                reply_to=replies, correlation_id=str(number), headers={"user": f"u{number % 7}"}
            )
            channel.basic_publish("jobs", "sketch", SMALL, sent, mandatory=True)
        for _ in range(3):
            await asyncio.to_thread(running.stop, "router")
            running.start_router()
        answered: list[str] = []
        for _, properties, _ in channel.consume(replies, auto_ack=True, inactivity_timeout=8):
            if properties is None:
                break
            answered.append(properties.correlation_id)
    assert sorted(answered, key=int) == [str(number) for number in range(40)]


async def test_a_frozen_vm(running: Processes) -> None:
    async def freeze() -> None:
        running.signal("vm1", signal.SIGSTOP)

    answers = await answers_despite(running.url, freeze)
    assert "vm2" in {answer.vm for answer in answers[-6:]}


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
async def test_restart_of_the_broker(running: Processes, private_broker: PrivateBroker, *, kill: bool) -> None:
    async def restart() -> None:
        private_broker.restart(kill=kill)  # in this thread, which lasts: the node would end with another

    await answers_despite(running.url, restart, timeout_s=90)


async def test_a_vm_told_to_stop_hands_back_what_it_has_not_begun(running: Processes) -> None:
    async def stop() -> None:
        await asyncio.to_thread(running.stop, "vm1")

    answers = await answers_despite(running.url, stop)
    assert {answer.attempt for answer in answers} <= {1, 2}
