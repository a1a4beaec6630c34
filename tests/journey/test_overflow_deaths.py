"""Whatever dies between the bridge and the cloud, every job that overflowed is answered, once to its caller."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from bus.errors import JobFailed
from bus.topology import CLOUD_TICKETS, OVERFLOW
from tests.bus.rabbit.foreign import Foreign, eventually
from tests.journey.processes import Processes
from tests.journey.watching import tell
from tests.needed import need_package
from ui.stack.emulator import PubSubEmulator

need_package("google.cloud.pubsub_v1", "bridge")
need_package("uvicorn", "service")

from tests.journey.bridges import AT_EACH_STEP, Bridges, Caller, caller, stopped  # noqa: E402 (they need the first)
from tests.journey.clouds import Site  # noqa: E402

pytestmark = [pytest.mark.journey, pytest.mark.broker]


@pytest.fixture
def site(pubsub_emulator: PubSubEmulator) -> Iterator[Site]:
    with Site(pubsub_emulator) as site:
        yield site


@pytest.fixture
def cloudy(site: Site, amqp_url: str, tmp_path: Path) -> Iterator[Processes]:
    """A router and a cloud service. There is no VM: with a bridge every job overflows, without one it waits."""
    processes = Processes(amqp_url, tmp_path, **site.settings)
    try:
        processes.start_router()
        processes.start_service()
        yield processes
    finally:
        processes.stop()


@pytest.fixture
async def anna(cloudy: Processes) -> AsyncIterator[Caller]:
    async with caller(cloudy.url) as anna:
        yield anna


@pytest.fixture
async def bridges(cloudy: Processes, site: Site, anna: Caller) -> AsyncIterator[Bridges]:
    """One works, another stands by."""
    async with AsyncExitStack() as wires:
        bridges = Bridges(cloudy, site, anna.watch, wires)
        await bridges.add()
        await bridges.takeover()
        await eventually(lambda: site.has_results)  # the bridge is the active one before it has made all topics
        await bridges.add()
        yield bridges


async def test_kill_of_the_bridge_at_each_step(
    cloudy: Processes, bridges: Bridges, anna: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other bridge goes on where it was."""
    service = cloudy.pid("cloud")
    seconds = []
    for step in (delivered, written, sent, pulled, replied, cut):
        bridges.site.tap_results()
        seconds.append(await step(bridges, anna, service))
        await bridges.site.redeliver_until(lambda: anna.settled)  # so that no step kills one in the middle of this
    answers = await anna.all_answered()
    assert {answer.route for answer in answers} == {"cloud"}
    assert (anna.client.duplicates, anna.client.strangers) == (AT_EACH_STEP, 0)  # of what was `replied`, no more
    took = ", ".join(f"{each:.1f}" for each in seconds)
    tell(capsys, f"another bridge works after {took} s; {len(answers)} answers, {anna.client.duplicates} came again")
    bridges.stop()
    with Foreign(cloudy.url) as foreign:
        assert tickets_left(foreign) == []
        assert foreign.depth(OVERFLOW) == 0


async def delivered(bridges: Bridges, anna: Caller, service: int) -> float:
    """The broker has given it the jobs, and it has done nothing yet."""
    with stopped(service, bridges.pid):
        await anna.submit("delivered", until="routed")
        with Foreign(anna.url) as foreign:
            await eventually(lambda: foreign.depth(OVERFLOW) == 0)
        return await bridges.kill()


async def written(bridges: Bridges, anna: Caller, service: int) -> float:
    """The tickets are written, and the cloud takes nothing."""
    with stopped(service):
        with stopped(bridges.site.emulator.process.pid):
            await anna.submit("written", until="routed")
            await eventually(lambda: bridges.in_flight >= AT_EACH_STEP)
            bridges.processes.signal(bridges.name, signal.SIGKILL)
        return await bridges.kill()


async def sent(bridges: Bridges, anna: Caller, service: int) -> float:
    """The jobs are in the cloud."""
    with stopped(service):
        await anna.submit("sent", until="sent")
        return await bridges.kill()


async def pulled(bridges: Bridges, anna: Caller, service: int) -> float:
    """It has the answers, and the broker has not."""
    with stopped(service):
        jobs = await anna.submit("pulled", until="sent")
        bridges.wire.loses_what_is_said = True
    await bridges.site.redeliver_until(lambda: all(job.id.encode() in bridges.wire.lost for job in jobs))
    assert not any(job.done for job in jobs)
    return await bridges.kill()


async def replied(bridges: Bridges, anna: Caller, service: int) -> float:
    """Its caller has the answers, and it does not know: they are sent again, and known by their jobs' ids."""
    with stopped(service):
        jobs = await anna.submit("replied", until="sent")
        bridges.wire.loses_what_is_heard = True
    await bridges.site.redeliver_until(lambda: all(job.done for job in jobs))
    seconds = await bridges.kill()
    await bridges.site.redeliver_until(lambda: anna.client.duplicates >= len(jobs))
    return seconds


async def cut(bridges: Bridges, anna: Caller, service: int) -> float:
    """Nobody is killed: its connection to the broker is."""
    with stopped(service):
        await anna.submit("cut", until="sent")
        wire = bridges.wire
        wire.cut()
        seconds = await bridges.takeover()
        wire.mend()
        return seconds


def tickets_left(foreign: Foreign) -> list[str]:
    """The ids of the jobs that a next bridge would hold to be in the cloud; a bridge's calls have no body."""
    left = []
    for method, properties, body in foreign.channel.consume(CLOUD_TICKETS, auto_ack=True, inactivity_timeout=1):
        if method is None:
            break
        left.append((properties.message_id, body))
    assert left  # the calls of those that were stopped
    return [job for job, body in left if body]


async def test_kill_of_the_service_that_runs_a_job_and_a_run_past_the_ack_deadline(
    cloudy: Processes, site: Site, anna: Caller
) -> None:
    cloudy.start_bridge()
    await anna.submit("first", 1, until="done")

    site.push_again_after(10)
    with stopped(cloudy.pid("cloud")):
        await anna.submit("slow", 1, until="sent")
        await eventually(lambda: site.pushes() == 2)  # of one job
    await anna.all_answered()
    await eventually(lambda: site.pushes() == 0)

    computing = psutil.Process(cloudy.pid("cloud")).children()
    with stopped(*(child.pid for child in computing)):
        (unlucky,) = await anna.submit("unlucky", 1, until="sent")
        await eventually(lambda: site.pushes() == 1)
        assert not unlucky.done
        cloudy.kill("cloud")
    await anna.submit("early", 5, until="sent")
    await asyncio.sleep(3)  # in which their pushes are refused, again and again
    cloudy.start_service()
    await anna.all_answered()
    assert anna.client.duplicates == anna.client.strangers == 0


async def test_what_is_lost_with_the_memory_of_the_emulator_is_answered_with_a_problem(
    amqp_url: str, tmp_path: Path
) -> None:
    """And what it had not got yet, by the cloud, once its topics are there again."""
    emulator = PubSubEmulator(tmp_path / "emulator")
    emulator.start()
    site = Site(emulator)
    processes = Processes(amqp_url, tmp_path, OVERSPILL_CLOUD_TIMEOUT_S="15", **site.settings)
    try:
        processes.start_router()
        processes.start_bridge()
        async with caller(amqp_url) as anna:
            lost = await anna.submit("lost", until="sent")  # no service is there yet
            with Foreign(amqp_url) as foreign, stopped(processes.pid("bridge")):
                kept = await anna.submit("kept", until="routed")
                await eventually(lambda: foreign.depth(OVERFLOW) == 0)
                emulator.process.kill()
                emulator.process.wait(10)
                emulator.start()
                assert site.topics() == []
            processes.start_service()
            answers = await asyncio.gather(*(handle.result(60) for handle in kept))
            assert {answer.route for answer in answers} == {"cloud"}
            for handle in lost:
                with pytest.raises(JobFailed) as failed:
                    await handle.result(60)
                assert failed.value.problem.slug == "timed-out"
            assert anna.client.duplicates == anna.client.strangers == 0
    finally:
        processes.stop()
        site.close()
        emulator.stop()
