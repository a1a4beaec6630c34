import asyncio
import os
import signal

import pytest

from bus.errors import SetupError
from ui.stack import plan
from ui.stack.supervisor import Supervisor


class Diary:
    """A child that writes down what happens to it, and ends when told."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name = name
        self.diary = diary
        self.started: asyncio.Queue[None] = asyncio.Queue()
        self.end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self) -> int:
        self.diary.append(f"{self.name} starts")
        self.end = asyncio.get_running_loop().create_future()
        self.started.put_nowait(None)
        return await self.end

    async def stop(self, grace_s: float, hurry: asyncio.Event) -> None:
        self.diary.append(f"{self.name} {'must' if hurry.is_set() else 'may'} stop")
        if not self.end.done():
            self.end.set_result(0)


@pytest.fixture
def diary() -> list[str]:
    return []


@pytest.fixture
def supervisor(diary: list[str], monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.setattr(plan, "restart_delay_s", lambda failures: 0.001 * failures)
    return Supervisor(lambda name, text: diary.append(f"{name}: {text}"))


async def test_what_ends_is_started_again(supervisor: Supervisor, diary: list[str]) -> None:
    child = Diary("vm1", diary)
    supervisor.keep(child)
    await child.started.get()
    child.end.set_result(-9)
    await child.started.get()
    child.end.set_exception(SetupError("no luck"))
    await child.started.get()

    await supervisor.stop([child])

    assert diary == [
        "vm1 starts",
        "vm1: killed; starting it again in 0.001 s",
        "vm1 starts",
        "vm1: no luck; starting it again in 0.002 s",
        "vm1 starts",
        "vm1 may stop",
    ]


async def test_groups_stop_one_after_the_other(supervisor: Supervisor, diary: list[str]) -> None:
    router, vm, broker = (Diary(name, diary) for name in ("router", "vm1", "broker"))
    for child in (broker, router, vm):
        supervisor.keep(child)
        await child.started.get()
    diary.clear()

    await supervisor.stop([router, vm], [broker])

    assert diary == ["router may stop", "vm1 may stop", "broker may stop"]


async def test_a_second_request_hurries(supervisor: Supervisor, diary: list[str]) -> None:
    child = Diary("vm1", diary)
    supervisor.keep(child)
    await child.started.get()

    supervisor.request_stop()
    supervisor.request_stop()
    await supervisor.stop([child])

    assert diary[-1] == "vm1 must stop"


async def test_a_child_waiting_to_start_again_is_not_waited_for(
    diary: list[str], supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "restart_delay_s", lambda failures: 1000)
    child = Diary("vm1", diary)
    supervisor.keep(child)
    await child.started.get()
    child.end.set_result(1)
    await asyncio.sleep(0)

    await supervisor.stop([child])

    assert diary.count("vm1 starts") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signals_request_a_stop(supervisor: Supervisor, number: signal.Signals) -> None:
    async with supervisor.signals():
        os.kill(os.getpid(), number)
        await supervisor.wait_for_stop()

    assert supervisor.stopping


async def test_work_is_given_up_when_a_stop_is_requested(supervisor: Supervisor) -> None:
    assert await supervisor.unless_stopped(asyncio.sleep(0))

    asyncio.get_running_loop().call_soon(supervisor.request_stop)
    assert not await supervisor.unless_stopped(asyncio.sleep(1000))


async def test_work_that_fails_says_why(supervisor: Supervisor) -> None:
    async def fail() -> None:
        raise SetupError("no broker")

    with pytest.raises(SetupError, match="no broker"):
        await supervisor.unless_stopped(fail())
