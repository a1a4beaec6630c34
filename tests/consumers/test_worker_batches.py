"""Jobs that wait together run together, where that is faster, and never at each other's expense."""

import signal
import time
from dataclasses import replace
from typing import Any

import pytest

from bus.topology import DEAD
from tests.bus.rabbit.foreign import eventually
from tests.consumers.desk import BACK, CONFIG, SMALL_MEMORY, Desk, desk, heavy, problem
from tests.consumers.operations.pictures import gradient, opened, saved

pytestmark = pytest.mark.broker

TOGETHER = replace(CONFIG, look_ahead=8, batched=frozenset({"sketch"}))
"""Sketches gain nothing by it; here they show that it is done right."""


def picture(number: int) -> bytes:
    """One that its sketch's size tells from the others."""
    return saved(gradient(40, 30 + number), "PNG")


async def send_behind_a_running_job(vm: Desk, *jobs: tuple[bytes, dict[str, Any]]) -> None:
    """All of them wait in the worker when this returns, behind `j0`, whose process is frozen."""
    vm.freeze()
    vm.send(picture(0), message_id="j0")
    await vm.told("running")
    for number, (body, headers) in enumerate(jobs, 1):
        vm.send(body, message_id=f"j{number}", headers=headers)
    await eventually(lambda: len(vm.worker.report().held) == len(jobs) + 1)


async def test_waiting_jobs_run_together_and_each_gets_its_own_answer(amqp_url: str) -> None:
    async with desk(amqp_url, TOGETHER) as vm:
        await send_behind_a_running_job(vm, *((picture(number), {"user": f"user{number}"}) for number in range(1, 5)))
        vm.thaw()
        answers = {got.headers["job"]: got for got in [await vm.answer() for _ in range(5)]}
        assert {job: opened(got.body).size for job, got in answers.items()} == {f"j{n}": (40, 30 + n) for n in range(5)}
        assert (
            len({answers[f"j{number}"].headers["ran_ms"] for number in range(1, 5)}) == 1
        )  # the run's, which they share
        await vm.told("done", 5)
        assert vm.count("running") == 5
        assert {event.user for event in vm.events if event.state == "done"} == {
            "anna",
            *(f"user{n}" for n in range(1, 5)),
        }
        assert vm.worker.report().done == 5
        await vm.settled()


async def test_one_bad_picture_spoils_only_its_own_answer(amqp_url: str) -> None:
    async with desk(amqp_url, TOGETHER) as vm:
        await send_behind_a_running_job(vm, (picture(1), {}), (b"a letter", {}), (picture(3), {}))
        vm.thaw()
        answers = {got.headers["job"]: got for got in [await vm.answer() for _ in range(4)]}
        assert problem(answers["j2"])["slug"] == "not-an-image"
        assert [opened(answers[job].body).height for job in ("j1", "j3")] == [31, 33]
        assert vm.foreign.depth(BACK) == 0


async def test_a_crash_counts_for_all_who_ran_together_and_then_each_runs_alone(amqp_url: str) -> None:
    async with desk(amqp_url, TOGETHER) as vm:
        await send_behind_a_running_job(vm, (heavy(), {}), (picture(2), {}), (picture(3), {}))
        vm.thaw()
        await vm.told("running", 4)
        vm.signal(signal.SIGKILL)
        back = [await vm.handed_back() for _ in range(3)]
        assert {got.properties.message_id: got.headers["attempt"] for got in back} == {"j1": 1, "j2": 1, "j3": 1}
        assert "signal 9" in str((await vm.told("retried")).reason)


async def test_a_picture_that_takes_all_memory_is_found_out_and_its_neighbours_are_answered(amqp_url: str) -> None:
    capped = replace(TOGETHER, child=replace(CONFIG.child, memory_bytes=SMALL_MEMORY))
    async with desk(amqp_url, capped) as vm:
        await send_behind_a_running_job(vm, (picture(1), {}), (heavy(), {}), (picture(3), {}))
        vm.thaw()
        assert (await vm.answer()).headers["job"] == "j0"
        back = {got.properties.message_id: got for got in [await vm.handed_back() for _ in range(3)]}
        assert set(back) == {"j1", "j2", "j3"}
        for job in ("j1", "j2", "j3"):  # as the router would, once more
            vm.send(back[job].body, message_id=job, headers={"attempt": 2})
        answers = [await vm.answer() for _ in range(2)]
        assert {got.headers["job"] for got in answers} == {"j1", "j3"}
        assert (await vm.handed_back()).properties.message_id == "j2"
        vm.send(heavy(), message_id="j2", headers={"attempt": 3})
        told = problem(await vm.answer())
        assert (told["slug"], "memory" in told["detail"]) == ("out-of-memory", True)
        assert (await vm.dead()).properties.message_id == "j2"
        await vm.settled()
        assert vm.foreign.depth(DEAD) == 0


async def test_a_job_whose_time_runs_out_in_the_line_is_answered_and_not_run(amqp_url: str) -> None:
    async with desk(amqp_url, TOGETHER) as vm:
        soon = time.time_ns() // 1_000_000 + 300
        await send_behind_a_running_job(vm, (picture(1), {"deadline_ms": soon}), (picture(2), {}))
        await eventually(lambda: time.time_ns() // 1_000_000 > soon)
        vm.thaw()
        answers = {got.headers["job"]: got for got in [await vm.answer() for _ in range(3)]}
        assert problem(answers["j1"])["slug"] == "expired"
        assert vm.count("running") <= 2
        assert opened(answers["j2"].body).height == 32
