"""Work on the side is held, waited for, stopped, and its faults told."""

import asyncio

import pytest

from bridge.tasks import Tasks


async def test_work_is_waited_for() -> None:
    tasks, done = Tasks(), asyncio.Event()
    tasks.spawn(_set(done))
    assert len(tasks) == 1
    await tasks.wait(10)
    assert done.is_set()
    assert len(tasks) == 0
    await tasks.wait(10)


async def test_work_that_takes_too_long_is_stopped() -> None:
    tasks, stopped = Tasks(), asyncio.Event()
    tasks.spawn(_never(stopped))
    await tasks.wait(0.01)
    assert len(tasks) == 1
    await tasks.cancel()
    assert stopped.is_set()


async def test_a_fault_is_told(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    tasks.spawn(_fail())
    await tasks.wait(10)
    await asyncio.sleep(0)
    assert "ZeroDivisionError" in caplog.text


async def _set(event: asyncio.Event) -> None:
    await asyncio.sleep(0)
    event.set()


async def _never(stopped: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        stopped.set()


async def _fail() -> None:
    raise ZeroDivisionError
