"""Whatever dies on the way, every job is answered, once to its caller."""

import asyncio
import itertools
import json
import signal
from collections import Counter
from collections.abc import Awaitable, Callable

import pika
import psutil
import pytest

from bus.answers import Answer
from bus.errors import JobFailed
from bus.topology import DEAD
from producers.client import AsyncClient
from tests.bus.rabbit.foreign import Foreign, eventually
from tests.journey.pictures import is_sketch_of, photograph
from tests.journey.processes import Processes
from tests.journey.watching import Watch
from ui.stack.rabbitmq import PrivateBroker

pytestmark = [pytest.mark.journey, pytest.mark.broker]

JOBS = 24
PICTURES = [photograph(2400 + n, 1800, seed=n) for n in range(JOBS)]

SMALL = photograph(300, 200)
SLOW_TO_DRAW = photograph(4000, 3000)
SLOW = {"style": "coloured", "format": "png"}
"""Keeps a process busy for long enough to be killed at it."""
SLOT_AND_LOOK_AHEAD = 2

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


async def test_a_vm_that_freezes_with_its_hands_full_and_wakes_up_again(running: Processes) -> None:
    async with Watch(running.url) as watch, AsyncClient(running.url, user="anna") as client:
        signal_computing(running, "vm1", signal.SIGSTOP)
        handles = [await client.submit(picture, "sketch") for picture in PICTURES]
        await eventually(lambda: watch.holds("vm1") > 0)
        running.signal("vm1", signal.SIGSTOP)
        answers = await asyncio.gather(*(handle.result(20) for handle in handles))
        assert {answer.vm for answer in answers} == {"vm2"}
        running.signal("vm1", signal.SIGCONT)
        signal_computing(running, "vm1", signal.SIGCONT)
        await eventually(lambda: watch.holds("vm1") == 0)
        await drawn_by(client, "vm1")
        assert client.duplicates == client.strangers == 0
    assert all(is_sketch_of(answer, picture) for answer, picture in zip(answers, PICTURES, strict=True))


async def drawn_by(client: AsyncClient, vm: str) -> None:
    """Small jobs, one after another, until one is drawn by `vm`."""
    for _ in range(200):
        if (await (await client.submit(SMALL, "sketch")).result(30)).vm == vm:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{vm} got no job")


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


async def test_a_job_whose_process_dies_is_tried_again_after_a_while_until_it_is_enough(running: Processes) -> None:
    """`unlucky` fails once, `poison` always."""
    async with Watch(running.url) as watch, AsyncClient(running.url, user="anna") as client:
        unlucky = await client.submit(SLOW_TO_DRAW, "sketch", SLOW, job_id="unlucky")
        signal_computing(running, (await watch.running("unlucky")).vm, signal.SIGKILL)
        poison = await client.submit(SLOW_TO_DRAW, "sketch", SLOW, job_id="poison")
        for attempt in range(1, 4):
            signal_computing(running, (await watch.running("poison", attempt)).vm, signal.SIGKILL)
        assert (await unlucky.result(30)).attempt == 2
        with pytest.raises(JobFailed) as failed:
            await poison.result(30)
        assert failed.value.problem.slug == "too-many-attempts"
        # Router and VM tell each their own: what they tell may come in any order.
        steps = {"routed": 2, "running": 2, "retried": 1, "done": 1}
        await eventually(lambda: Counter(watch.steps("unlucky")) == steps)
        routed = [event.at_ms for event in watch.jobs if (event.job, event.state) == ("poison", "routed")]
        first, second = (later - earlier for earlier, later in itertools.pairwise(routed))
        # Half a second, then a whole one, each less up to a half.
        assert first >= 250
        assert second >= 500
    with Foreign(running.url) as operator:
        dead = await operator.get(DEAD)
    assert (dead.properties.message_id, dead.body) == ("poison", SLOW_TO_DRAW)
    attempts = json.loads(dead.headers["history"])
    assert [attempt["attempt"] for attempt in attempts] == [1, 2, 3]
    assert all(attempt["vm"] in attempt["reason"] for attempt in attempts)
    assert len({attempt["vm"] for attempt in attempts}) == 2


def signal_computing(processes: Processes, vm: str | None, number: signal.Signals) -> None:
    for child in psutil.Process(processes.pid(str(vm))).children():
        child.send_signal(number)
