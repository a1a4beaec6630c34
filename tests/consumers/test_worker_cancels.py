"""Jobs that are cancelled, and a VM that its operator drains: each job has one answer, or goes back unharmed."""

import asyncio
import signal
import time
from typing import Any

import pytest

from bus.control import Cancel, Drain
from bus.topology import CONTROL
from tests.bus.rabbit.foreign import eventually
from tests.consumers.desk import BACK, PHOTOGRAPH, VM, Desk, desk, problem
from tests.consumers.operations.pictures import opened, photograph
from tests.consumers.test_worker_batches import TOGETHER, picture

pytestmark = pytest.mark.broker

OTHER = photograph("chelsea")
J1 = Cancel(job="j1", user="anna")


def since(seconds: float) -> dict[str, Any]:
    """The headers of a job that a router received so long ago."""
    return {"received_ms": time.time_ns() // 1_000_000 - round(seconds * 1000)}


async def cancelled(vm: Desk, order: Cancel = J1) -> None:
    """The VM has heard it."""
    vm.ask(order)
    await eventually(lambda: len(vm.worker._cancels) > 0)


async def test_a_job_that_waits_is_answered_at_once_and_never_runs(vm: Desk) -> None:
    vm.freeze()
    vm.send(OTHER, message_id="j0")
    await vm.told("running")
    vm.send(correlation_id="mine")
    await eventually(lambda: vm.worker.report().held == ("j0", "j1"))
    vm.ask(J1)
    got = await vm.answer()
    assert (problem(got)["slug"], got.headers["job"], got.properties.correlation_id) == ("cancelled", "j1", "mine")
    told = await vm.told("failed")
    assert (told.job, told.problem, told.attempt, told.ran_ms) == ("j1", "cancelled", 1, None)
    assert vm.worker.report().held == ("j0",)
    vm.thaw()
    assert (await vm.answer()).headers["job"] == "j0"
    await vm.told("done")
    assert vm.count("running") == 1
    await vm.settled()


async def test_a_job_that_runs_is_answered_while_it_hangs_and_its_slot_works_again(vm: Desk) -> None:
    hanging = vm.child.pid
    vm.freeze()
    vm.send()
    await vm.told("running")
    vm.ask(J1)
    assert problem(await vm.answer())["slug"] == "cancelled"
    assert (vm.worker.report().held, vm.worker.report().running) == ((), 0)
    vm.send(OTHER, message_id="j2")
    assert opened((await vm.answer()).body).size == opened(OTHER).size
    assert vm.child.pid not in {None, hanging}
    await vm.told("done")
    assert (vm.count("failed"), vm.count("retried")) == (1, 0)
    assert (await vm.told("failed")).ran_ms is not None  # it had the slot for so long
    await vm.settled()
    assert vm.foreign.depth(BACK) == 0


async def test_a_run_that_soon_ends_anyway_keeps_its_process(vm: Desk) -> None:
    process = vm.child.pid
    vm.child.start_s = 60
    vm.freeze()
    vm.send()
    await vm.told("running")
    vm.ask(J1)
    await vm.answer()
    vm.thaw()
    vm.send(OTHER, message_id="j2")
    assert (await vm.answer()).headers["job"] == "j2"
    await vm.told("done")
    assert (vm.child.pid, vm.count("done")) == (process, 1)
    await vm.settled()
    assert vm.foreign.taken(vm.replies) is None


async def test_whoever_shares_a_run_with_a_cancelled_job_loses_nothing(amqp_url: str) -> None:
    async with desk(amqp_url, TOGETHER) as vm:
        process, slots = vm.child.pid, vm.worker._slots
        vm.child.start_s = 0
        vm.freeze()
        busy = slots.take()
        assert busy is vm.child
        for number in (1, 2, 3):
            vm.send(picture(number), message_id=f"j{number}")
        await eventually(lambda: len(vm.worker.report().held) == 3)
        slots.free(busy)
        await vm.told("running", 3)
        vm.ask(Cancel(job="j2", user="anna"))
        got = await vm.answer()
        assert (problem(got)["slug"], got.headers["job"]) == ("cancelled", "j2")
        vm.thaw()
        answers = {got.headers["job"]: got for got in [await vm.answer(), await vm.answer()]}
        assert {job: opened(got.body).height for job, got in answers.items()} == {"j1": 31, "j3": 33}
        assert vm.child.pid == process
        assert vm.count("running") == 3
        await vm.settled()
        assert (vm.foreign.taken(vm.replies), vm.foreign.depth(BACK)) == (None, 0)


async def test_repeats_are_cancelled_with_their_job(vm: Desk) -> None:
    vm.freeze()
    vm.send(correlation_id="1")
    vm.send(correlation_id="2")
    await eventually(lambda: vm.worker.report().held == ("j1", "j1"))
    vm.ask(J1)
    answers = [await vm.answer(), await vm.answer()]
    assert {got.properties.correlation_id for got in answers} == {"1", "2"}
    assert [problem(got)["slug"] for got in answers] == ["cancelled", "cancelled"]
    await vm.settled()


async def test_pictures_of_one_id_are_all_cancelled_and_no_other_users(vm: Desk) -> None:
    vm.freeze()
    vm.send()
    vm.send(OTHER, headers={"user": "bert"})
    await eventually(lambda: len(vm.worker.report().held) == 2)
    vm.ask(J1)
    assert problem(await vm.answer())["slug"] == "cancelled"
    assert opened((await vm.answer()).body).size == opened(OTHER).size


async def test_a_job_that_comes_after_its_cancel_is_answered_and_not_run(vm: Desk) -> None:
    await cancelled(vm)
    for _ in range(2):  # given out again by the broker, say
        vm.send(headers=since(10))
        assert problem(await vm.answer())["slug"] == "cancelled"
    await vm.told("failed", 2)
    assert vm.count("running") == 0
    await vm.settled()


async def test_an_id_that_is_used_again_after_its_cancel_is_a_new_job(vm: Desk) -> None:
    await cancelled(vm)
    vm.send(headers=since(-10))
    assert opened((await vm.answer()).body).size == opened(PHOTOGRAPH).size


async def test_a_job_that_was_answered_stays_answered(vm: Desk) -> None:
    vm.send(headers=since(10))
    first = await vm.answer()
    await vm.told("done")
    await cancelled(vm)
    vm.send(headers=since(10))
    assert (await vm.answer()).body == first.body
    await vm.told("done", 2)
    assert vm.count("failed") == 0


async def test_a_cancelled_job_that_nobody_waits_for_is_told(vm: Desk) -> None:
    vm.freeze()
    vm.send(reply_to=None)
    await vm.told("running")
    vm.ask(J1)
    assert (await vm.told("unanswerable")).problem == "cancelled"
    await vm.settled()


async def test_a_run_that_dies_once_it_is_cancelled_is_no_failed_attempt(vm: Desk) -> None:
    vm.child.start_s = 60
    vm.freeze()
    vm.send()
    await vm.told("running")
    vm.ask(J1)
    await vm.answer()
    vm.signal(signal.SIGKILL)
    vm.send(OTHER, message_id="j2")
    assert (await vm.answer()).headers["job"] == "j2"
    assert vm.foreign.depth(BACK) == 0


async def test_an_order_that_cannot_be_read_does_no_harm(vm: Desk) -> None:
    vm.freeze()
    vm.send()
    await vm.told("running")
    vm.foreign.publish(CONTROL, J1.key, b"stop it, please")
    vm.ask(J1)
    assert problem(await vm.answer())["slug"] == "cancelled"


async def test_a_vm_drained_by_its_operator_gives_back_what_waits_and_stays_ready(vm: Desk) -> None:
    vm.freeze()
    vm.send()
    vm.send(OTHER, message_id="j2")
    await eventually(lambda: len(vm.worker.report().held) == 2)
    vm.ask(Drain(vm=VM))
    back = await vm.handed_back()
    assert (back.properties.message_id, back.headers["attempt"]) == ("j2", 0)
    retried = await vm.told("retried")
    assert ("drained" in str(retried.reason), retried.ran_ms) == (True, None)
    report = vm.worker.report()
    assert (report.worker, report.held, report.running) == ("ready", ("j1",), 1)
    vm.thaw()
    assert (await vm.answer()).headers["job"] == "j1"
    vm.send(OTHER, message_id="j3")  # placed before the router knew
    assert (await vm.answer()).headers["job"] == "j3"
    await vm.settled()


async def test_a_cancel_reaches_a_worker_that_drains(vm: Desk) -> None:
    vm.freeze()
    vm.send()
    await vm.told("running")
    draining = asyncio.create_task(vm.worker.drain(60))
    await eventually(lambda: vm.worker.report().worker == "draining")
    vm.ask(J1)
    assert problem(await vm.answer())["slug"] == "cancelled"
    await draining
