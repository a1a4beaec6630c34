"""What an operator orders is done, by the command or by any AMQP client, and stays so when the router is restarted."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import Any

import psutil
import pytest

from bus.errors import JobFailed
from bus.topology import CONTROL
from producers.client import AsyncClient, JobHandle
from tests.bus.rabbit.foreign import PATIENCE_S, Foreign, eventually
from tests.journey.pictures import photograph
from tests.journey.processes import Processes
from tests.journey.watching import Watch

pytestmark = [pytest.mark.journey, pytest.mark.broker]

PICTURE = photograph(400, 300)


async def overspill(url: str, *arguments: str) -> str:
    """What the command prints."""
    command = [sys.executable, "-m", "ui.cli", *arguments]
    environment = os.environ | {"AMQP_URL": url}
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return str(done.stdout).strip()


async def ordered(operator: Foreign, key: str, **command: Any) -> str:
    """What a router replies to a command from any AMQP client."""
    replies = operator.queue()
    operator.publish(CONTROL, key, json.dumps(command).encode(), reply_to=replies)
    return (await operator.get(replies)).body.decode()


async def refused_as(operator: Foreign, job: str, reason: str) -> None:
    """Cancel it until the router has read the same events as we have, and says so."""
    async with asyncio.timeout(PATIENCE_S):
        while await ordered(operator, "job.cancel", kind="cancel", job=job, user="anna") != reason:
            pass


async def drawn_by(client: AsyncClient, jobs: int) -> set[str | None]:
    handles = [await client.submit(PICTURE, "sketch") for _ in range(jobs)]
    return {(await handle.result(30)).vm for handle in handles}


async def drawn_by_each(client: AsyncClient) -> None:
    seen: set[str | None] = set()
    while seen != {"vm1", "vm2"}:
        seen |= await drawn_by(client, 6)


async def slug_of(handle: JobHandle) -> str | None:
    with pytest.raises(JobFailed) as failed:
        await handle.result(30)
    return failed.value.problem.slug


def restart_router(running: Processes) -> None:
    running.kill("router")
    running.start_router()


async def test_drain_and_pause_outlive_the_router(running: Processes) -> None:
    url = running.url
    with Foreign(url) as operator:
        async with Watch(url) as watch, AsyncClient(url, user="anna") as client:
            assert await overspill(url, "vm", "drain", "vm1") == "vm1 is drained"
            assert await drawn_by(client, 6) == {"vm2"}
            said = await ordered(operator, "operation.pause.sketch", kind="pause", operation="sketch")
            assert said == "sketch is paused"
            waiting = [await client.submit(PICTURE, "sketch", job_id=f"waiting{n}") for n in range(6)]
            unwanted = await client.submit(PICTURE, "sketch", job_id="unwanted")
            await eventually(lambda: watch.steps("unwanted") == ["parked"])
            await ordered(operator, "job.cancel", kind="cancel", job="unwanted", user="anna")

            watch.routers.clear()
            restart_router(running)
            late = await client.submit(PICTURE, "sketch", job_id="late")
            status = await watch.active()
            assert (status.drained, status.paused) == (("vm1",), ("sketch",))
            await eventually(lambda: watch.steps("late") == ["parked"])
            assert not any(handle.done for handle in [*waiting, unwanted, late])

            assert await overspill(url, "resume", "sketch") == "sketch goes on"
            assert {(await handle.result(30)).vm for handle in [*waiting, late]} == {"vm2"}
            assert await slug_of(unwanted) == "cancelled"
            assert await drawn_by(client, 6) == {"vm2"}
            assert (
                await ordered(operator, "vm.resume.vm1", kind="drain", vm="vm1", resume=True) == "vm1 is in use again"
            )
            await drawn_by_each(client)
            assert client.duplicates == 0


async def test_a_job_is_cancelled_in_line_and_on_its_vm_and_as_it_runs(running: Processes) -> None:
    """The computing processes are stopped meanwhile: nothing ends by itself."""
    url = running.url
    for vm in ("vm1", "vm2"):
        for child in psutil.Process(running.pid(vm)).children():
            child.send_signal(signal.SIGSTOP)
    with Foreign(url) as operator:
        async with Watch(url) as watch, AsyncClient(url, user="anna") as client:
            handles = {}
            for job in ("runs", "runs too", "is next", "is kept", "in line"):
                handles[job] = await client.submit(PICTURE, "sketch", job_id=job)
            await asyncio.gather(watch.running("runs"), watch.running("runs too"))
            await eventually(lambda: watch.steps("is kept") == ["routed"])

            assert await overspill(url, "cancel", "in line", "--user", "anna") == "cancelled"
            assert await slug_of(handles["in line"]) == "cancelled"
            for job in ("is next", "runs", "runs too"):
                await ordered(operator, "job.cancel", kind="cancel", job=job, user="anna")
                assert await slug_of(handles[job]) == "cancelled"
            assert (await handles["is kept"].result(30)).attempt == 1
            assert watch.runs() == {"runs": 1, "runs too": 1, "is kept": 1}
            await eventually(lambda: "done" in watch.steps("is kept"))
            await refused_as(operator, "is kept", "it has ended already")
            await drawn_by_each(client)
            assert client.duplicates == 0


async def test_what_cannot_be_read_as_an_order_is_told_and_does_no_harm(stack: str) -> None:
    with Foreign(stack) as operator:
        assert "can't be read" in await ordered(operator, "vm.drain.vm1", kind="drain", vm="../vm1")
        assert "can't be read" in await ordered(operator, "nonsense", kind="orders", seq=-1)
        operator.publish(CONTROL, "job.cancel", b"\x00garbage")
        async with AsyncClient(stack) as client:
            await drawn_by_each(client)
