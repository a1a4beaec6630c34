"""How a process of ours stops: in order at the first signal, at once at the second."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from telemetry.process import run, unless_set, until_set

PROGRAM = """
import asyncio
from telemetry.process import run

async def serve(stop):
    print("serving", flush=True)
    await stop.wait()
    print("winding up", flush=True)
    {rest}

run(serve)
print("ended", flush=True)
"""


def started(rest: str) -> "subprocess.Popen[str]":
    program = PROGRAM.format(rest=rest)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert said(process) == "serving"
    return process


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_process_in_order(number: signal.Signals) -> None:
    with started("pass") as process:
        process.send_signal(number)
        assert [said(process), said(process)] == ["winding up", "ended"]
        assert process.wait(30) == 0


def test_a_second_signal_ends_it_at_once() -> None:
    with started("await asyncio.sleep(600)") as process:
        process.send_signal(signal.SIGTERM)
        assert said(process) == "winding up"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 1
        assert said(process) == ""


def test_what_serving_raises_ends_the_process() -> None:
    async def serve(_stop: asyncio.Event) -> None:
        raise LookupError("no broker")

    with pytest.raises(LookupError, match="no broker"):
        run(serve)


def test_serving_may_end_by_a_signal_to_ourselves() -> None:
    async def serve(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()

    run(serve)


async def forever() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    pass


async def failing() -> None:
    raise LookupError("a fault")


def stopped() -> asyncio.Event:
    stop = asyncio.Event()
    stop.set()
    return stop


async def test_work_is_done_to_its_end_unless_stopped() -> None:
    assert await unless_set(asyncio.Event(), at_once()) is True
    assert await unless_set(stopped(), forever()) is False
    with pytest.raises(LookupError, match="a fault"):
        await unless_set(asyncio.Event(), failing())
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_work_given_up_from_outside_leaves_nothing() -> None:
    outer = asyncio.create_task(unless_set(asyncio.Event(), forever()))
    await asyncio.sleep(0)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_task_is_cancelled_by_the_stop_and_its_failure_is_not_swallowed() -> None:
    task = asyncio.create_task(forever())
    await until_set(stopped(), task)
    assert task.cancelled()
    with pytest.raises(LookupError, match="a fault"):
        await until_set(asyncio.Event(), asyncio.create_task(failing()))


def test_a_command_says_what_is_grave_enough() -> None:
    program = 'import logging; from telemetry.process import set_up_logs; set_up_logs("ERROR"); '
    program += 'logging.warning("not told"); logging.error("told")'
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert line.endswith(" ERROR   told")
