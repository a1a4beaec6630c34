"""Two routers: when the active one is killed the other goes on where it was."""

import asyncio
import time

import pytest

from bus.events import JobEvent
from producers.client import AsyncClient, JobHandle
from tests.bus.rabbit.foreign import eventually
from tests.journey.pictures import is_sketch_of, photograph
from tests.journey.processes import Processes
from tests.journey.watching import Watch, pid_of, tell

pytestmark = [pytest.mark.journey, pytest.mark.broker]

BACKLOG = 100
FLOWING = 100
PICTURES = [photograph(1000 + n, 800, seed=n) for n in range(BACKLOG + FLOWING)]
HELD_BY_VMS = 4
"""Two VMs, each with a slot and a job ahead."""


# With the processors to itself: what a router had no time to ack before it died is run again, and counted here.
@pytest.mark.alone
async def test_kill_of_the_active_router_under_load(running: Processes, capsys: pytest.CaptureFixture[str]) -> None:
    running.start_router("another")
    async with Watch(running.url) as watch, AsyncClient(running.url, user="anna") as client:
        await eventually(lambda: len(watch.routers) == 2)
        handles: list[JobHandle] = []
        flow = asyncio.create_task(submit_all(client, handles))
        await eventually(lambda: sum(handle.done for handle in handles) > BACKLOG // 3)
        killed_ms = time.time_ns() // 1_000_000
        running.kill(running.name_of(pid_of((await watch.active()).router)))
        placed = await eventually(lambda: [event.at_ms for event in watch.jobs if placed_after(event, killed_ms)])
        assert not flow.done()
        await flow
        answers = await asyncio.gather(*(handle.result(60) for handle in handles))
        # What was forwarded and not yet acked comes again, and is told from a new job by its id.
        assert client.strangers == 0
        assert client.duplicates <= HELD_BY_VMS
        twice = {job: times for job, times in watch.runs().items() if times > 1}
    takeover_s = (placed[0] - killed_ms) / 1000
    again = f"run more than once: {twice}; second answers: {client.duplicates}"
    tell(capsys, f"another router places {takeover_s:.1f} s after the kill; {again}")
    assert takeover_s < 10
    assert len(twice) <= HELD_BY_VMS
    assert all(is_sketch_of(answer, picture) for answer, picture in zip(answers, PICTURES, strict=True))


async def submit_all(client: AsyncClient, handles: list[JobHandle]) -> None:
    """A backlog at once, then one job after another."""
    for number, picture in enumerate(PICTURES):
        handles.append(await client.submit(picture, "sketch", job_id=f"job{number}"))
        await asyncio.sleep(0.05 if number > BACKLOG else 0)


def placed_after(event: JobEvent, at_ms: int) -> bool:
    return event.state == "routed" and event.at_ms > at_ms
