import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from ui.stack.children import ProgramChild, ServerChild
from ui.stack.plan import Program

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@dataclass
class Heard:
    lines: list[tuple[str, str]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, name: str, text: str) -> None:
        self.lines.append((name, text))
        self.news.set()


@pytest.fixture
async def heard() -> Heard:
    return Heard()


def child(heard: Heard, *command: str, **environ: str) -> ProgramChild:
    return ProgramChild(Program("p", command, environ), os.environ, heard.say)


async def test_what_a_program_says_is_passed_on_in_its_name(heard: Heard) -> None:
    status = await child(heard, "sh", "-c", "echo $WORD; echo two >&2; exit 3", WORD="one").run()

    assert status == 3
    assert heard.lines == [("p", "one"), ("p", "two")]


async def test_it_can_be_run_again(heard: Heard) -> None:
    program = child(heard, "echo", "again")

    await program.run()
    await program.run()

    assert heard.lines == [("p", "again")] * 2


async def test_what_a_program_leaves_behind_goes_with_it(heard: Heard) -> None:
    # The one left behind holds the pipe: unless it goes, this never ends.
    assert await child(heard, "sh", "-c", "sleep 60 & exit 0").run() == 0


async def test_a_program_is_asked_to_stop(heard: Heard) -> None:
    program = child(heard, "sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done")
    running = asyncio.create_task(program.run())
    await heard.news.wait()

    await program.stop(60, asyncio.Event())

    assert await running == 0
    assert heard.lines == [("p", "up"), ("p", "bye")]


@pytest.mark.parametrize("grace_s", [0, 60])
async def test_a_program_that_does_not_stop_is_killed_after_the_grace_or_in_a_hurry(heard: Heard, grace_s: int) -> None:
    program = child(heard, sys.executable, "-c", DEAF)
    running = asyncio.create_task(program.run())
    await heard.news.wait()
    hurry = asyncio.Event()
    if grace_s:
        hurry.set()

    await program.stop(grace_s, hurry)

    assert await running == -9
    assert heard.lines == [("p", "up"), ("p", "does not stop; killed")]


async def test_stopping_what_does_not_run_is_no_work(heard: Heard) -> None:
    program = child(heard, "true")

    await program.stop(60, asyncio.Event())
    await program.run()
    await program.stop(60, asyncio.Event())

    assert heard.lines == []


class Sleeper:
    """A server that answers at once."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["true"])
        self.process.wait()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def spawn(self) -> None:
        self.process = subprocess.Popen(["sleep", "60"])

    def wait_ready(self) -> None:
        assert self.running

    def stop(self, grace_s: float) -> None:
        self.process.terminate()
        self.process.wait(grace_s or 10)


async def test_a_server_is_started_again_and_says_each_time_that_it_answers(heard: Heard) -> None:
    server = Sleeper()
    child = ServerChild("s", server, heard.say)
    child.spawn()
    await child.wait_ready()
    heard.news.clear()

    running = asyncio.create_task(child.run())
    await asyncio.sleep(0)  # it waits for the end by now
    server.process.terminate()
    assert await running == -15
    running = asyncio.create_task(child.run())
    await heard.news.wait()
    await child.stop(10, asyncio.Event())

    assert await running == -15
    assert heard.lines == [("s", "answers")] * 2
