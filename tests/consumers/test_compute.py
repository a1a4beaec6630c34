"""The worker's grip on a child process: it always gets a reply, or learns why there is none."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from consumers.compute import Child, ChildConfig, ChildDied, ChildTimedOut
from tests.bus.rabbit.foreign import eventually
from tests.consumers.desk import SMALL_MEMORY, computing, heavy
from tests.consumers.operations.pictures import gradient, opened, photograph, saved

CONFIG = ChildConfig(("sketch",), "", max_bytes=16 << 20, max_pixels=50_000_000, memory_bytes=1 << 30)
LARGE = bytes(8 << 20)
"""More than a socket takes before it is read."""


@pytest.fixture
async def child() -> AsyncIterator[Child]:
    files = psutil.Process().num_fds()
    child = Child(CONFIG)
    await child.start()
    yield child
    child.close()
    child.close()  # once more is harmless
    assert computing() == []
    assert psutil.Process().num_fds() == files


def pid_of(child: Child) -> int:
    assert child.pid is not None
    return child.pid


async def drawn(child: Child, body: bytes = photograph(), timeout_s: float = 60) -> str:
    """The status of a sketch's reply."""
    (reply,) = await child.run("sketch", {}, [body], timeout_s)
    status: str = reply.head["status"]
    return status


async def test_a_child_runs_one_job_after_another(child: Child) -> None:
    assert child.is_alive
    assert [await drawn(child), await drawn(child, b"a letter"), await drawn(child)] == ["done", "bad", "done"]


async def test_several_jobs_run_together_and_each_gets_its_own_reply(child: Child) -> None:
    pictures = [saved(gradient(40, 30 + number), "PNG") for number in range(3)]
    replies = await child.run("sketch", {"format": "png"}, [pictures[0], b"a letter", *pictures[1:]], 60)
    assert [reply.head["status"] for reply in replies] == ["done", "bad", "done", "done"]
    assert [opened(reply.body).size for reply in replies if reply.body] == [(40, 30), (40, 31), (40, 32)]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is capped on Linux alone")
async def test_a_child_that_ran_out_of_memory_is_ended_and_can_be_started_again() -> None:
    child = Child(replace(CONFIG, memory_bytes=SMALL_MEMORY))
    await child.start()
    assert await drawn(child, heavy()) == "exhausted"
    assert (child.is_alive, child.pid, computing()) == (False, None, [])
    await child.start()
    assert await drawn(child) == "done"
    child.close()


async def test_a_child_says_what_it_serves() -> None:
    child = Child(ChildConfig(("sketch", "sharpen"), "", 1, 1, 1 << 30))
    served = await child.start()
    assert served.operations == ("sketch",)
    assert set(served.not_served) == {"sharpen"}
    child.close()


async def test_a_child_killed_in_the_middle_is_told_with_its_signal_and_can_be_started_again(child: Child) -> None:
    os.kill(pid_of(child), signal.SIGSTOP)
    running = asyncio.create_task(drawn(child))
    await asyncio.sleep(0)
    os.kill(pid_of(child), signal.SIGKILL)
    with pytest.raises(ChildDied, match="signal 9"):
        await running
    assert not child.is_alive
    with pytest.raises(ChildDied, match="no process runs"):
        await drawn(child)
    await child.start()
    assert await drawn(child) == "done"


@pytest.mark.parametrize("body", [photograph(), LARGE], ids=["waits for the reply", "waits to write"])
async def test_a_frozen_child_is_ended_in_time_even_while_it_is_written_to(child: Child, body: bytes) -> None:
    os.kill(pid_of(child), signal.SIGSTOP)
    with pytest.raises(ChildTimedOut, match=r"no result within 0\.2 s"):
        await drawn(child, body, 0.2)
    assert (child.is_alive, child.pid, computing()) == (False, None, [])


async def test_a_child_closed_in_the_middle_ends_the_run(child: Child) -> None:
    os.kill(pid_of(child), signal.SIGSTOP)
    running = asyncio.create_task(drawn(child))
    await asyncio.sleep(0)
    await asyncio.to_thread(child.close)
    with pytest.raises(ChildDied):
        await running


async def test_a_child_interrupted_in_the_middle_gets_no_other_job_until_it_is_started_again(child: Child) -> None:
    assert child.start_s > 0
    os.kill(pid_of(child), signal.SIGSTOP)
    running = asyncio.create_task(drawn(child))
    await asyncio.sleep(0)
    child.interrupt()
    assert not child.is_alive  # whether or not its end has been noticed
    with pytest.raises(ChildDied, match="signal 9"):
        await running
    child.interrupt()  # there is nothing to end now
    await child.start()
    assert child.is_alive
    assert await drawn(child) == "done"


async def test_a_start_given_up_leaves_no_process() -> None:
    child = Child(CONFIG)
    starting = asyncio.create_task(child.start())
    await eventually(lambda: child.is_alive)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    child.close()
    assert computing() == []


IMPOSTOR = """#!{python}
import os, struct, sys, time
fd = int(sys.argv[3])
frame = lambda data: struct.pack(">i", len(data)) + data
os.write(fd, frame(b'[{{"operations": ["sketch"], "not_served": {{}}}}, 0]'))
os.read(fd, 4)
os.write(fd, {nonsense})
time.sleep(600)
"""


@pytest.mark.parametrize(
    "nonsense",
    ['frame(b"no JSON")', 'struct.pack(">i", -5)', 'frame(b"\\xff\\xfe")', 'frame(b"{}")', 'frame(b"[{}, null]")'],
)
async def test_a_child_that_talks_nonsense_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nonsense: str
) -> None:
    program = tmp_path / "impostor"
    program.write_text(IMPOSTOR.format(python=sys.executable, nonsense=nonsense))
    program.chmod(0o700)
    monkeypatch.setattr("consumers.compute.sys.executable", str(program))
    child = Child(CONFIG)
    await child.start()
    with pytest.raises(ChildDied):
        await drawn(child)
    assert child.pid is None
    child.close()


async def test_a_process_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    files = psutil.Process().num_fds()
    monkeypatch.setattr("consumers.compute.sys.executable", "/nowhere/python")
    child = Child(CONFIG)
    with pytest.raises(ChildDied, match="could not be started"):
        await child.start()
    child.close()
    assert psutil.Process().num_fds() == files
