"""A worker from the caller's side: every job gets one answer, whatever happens to the process that computes it."""

import asyncio
import os
import signal
import time
from dataclasses import replace
from typing import Any

import pytest

from bus.topology import DEAD, vm_queue
from tests.bus.rabbit.foreign import eventually
from tests.consumers.desk import BACK, CONFIG, PHOTOGRAPH, SHORT, VM, Desk, computing, desk, problem
from tests.consumers.operations.pictures import gradient, opened, photograph, saved

pytestmark = pytest.mark.broker

OTHER = photograph("chelsea")


# -- answers


async def test_a_photograph_comes_back_as_a_sketch_that_says_where_and_how_it_was_made(vm: Desk) -> None:
    vm.send(correlation_id=b"\xffmine")
    got = await vm.answer()
    assert got.properties.content_type == "image/jpeg"
    assert got.properties.correlation_id == b"\xffmine"
    assert opened(got.body).size == opened(PHOTOGRAPH).size
    told = got.headers
    assert {"job": "j1", "operation": "sketch", "route": "vm", "vm": VM, "attempt": 1}.items() <= told.items()
    assert told["model"].startswith("overspill-sketch")
    assert told["ran_ms"] >= 0
    assert told["waited_ms"] >= 0
    done = await vm.told("done")
    assert (done.job, done.user, done.vm, done.ran_ms) == ("j1", "anna", VM, told["ran_ms"])
    assert vm.count("running") == 1
    assert vm.worker.report().done == 1
    await vm.settled()


BAD: dict[str, tuple[bytes, dict[str, Any], str, str | None]] = {
    "a parameter": (PHOTOGRAPH, {"params": '{"style": "oil"}'}, "bad-field", "params.style"),
    "a parameter nobody knows": (PHOTOGRAPH, {"params": {"colour": 1}}, "bad-field", "params.colour"),
    "params that are no JSON": (PHOTOGRAPH, {"params": "{"}, "bad-field", "params"),
    "a user that is a list": (PHOTOGRAPH, {"user": ["anna"]}, "bad-field", "user"),
    "a text": (b"Dear Sir or Madam", {}, "not-an-image", None),
    "a photograph cut short": (PHOTOGRAPH[:9000], {}, "broken-image", None),
}


@pytest.mark.parametrize(("body", "headers", "slug", "field"), BAD.values(), ids=BAD)
async def test_bad_input_is_answered_at_once_and_named(
    vm: Desk, body: bytes, headers: dict[str, Any], slug: str, field: str | None
) -> None:
    vm.send(body, headers=headers)
    told = problem(await vm.answer())
    assert told["slug"] == slug
    assert field is None or told["field"] == field
    assert told["remedy"]
    await vm.settled()
    assert vm.foreign.depth(BACK) == vm.foreign.depth(DEAD) == 0


async def test_a_parameter_that_is_no_text_at_all_is_answered(vm: Desk) -> None:
    vm.send(headers={"params": '{"\\ud800": 1}', "attempt": 3})
    assert problem(await vm.answer())["status"] >= 400
    vm.send(OTHER)
    assert (await vm.answer()).properties.content_type == "image/jpeg"


async def test_limits_are_answered_with_the_limit(amqp_url: str) -> None:
    small = replace(CONFIG.child, max_bytes=len(PHOTOGRAPH), max_pixels=1000)
    async with desk(amqp_url, replace(CONFIG, child=small)) as vm:
        vm.send()
        told = problem(await vm.answer())
        assert (told["slug"], told["limit"]) == ("too-many-pixels", 1000)
        vm.send(PHOTOGRAPH + b"\x00")
        told = problem(await vm.answer())
        assert (told["slug"], told["limit"]) == ("too-many-bytes", len(PHOTOGRAPH))


async def test_a_result_too_large_for_a_message_is_a_problem_and_no_lost_connection(amqp_url: str) -> None:
    small = replace(CONFIG.child, max_bytes=len(PHOTOGRAPH))
    async with desk(amqp_url, replace(CONFIG, child=small)) as vm:
        vm.send(headers={"params": '{"style": "coloured", "format": "png"}'})
        told = problem(await vm.answer())
        assert (told["slug"], told["limit"]) == ("too-many-bytes", len(PHOTOGRAPH))
        assert "jpeg" in told["remedy"]


# -- the process that computes dies, or hangs


async def test_a_job_whose_process_is_killed_is_handed_back_and_the_next_one_runs(vm: Desk) -> None:
    vm.freeze()
    vm.send()
    await vm.told("running")
    vm.signal(signal.SIGKILL)
    back = await vm.handed_back()
    assert (back.body, back.properties.message_id, back.headers["attempt"]) == (PHOTOGRAPH, "j1", 1)
    assert (back.properties.reply_to, back.headers["user"]) == (vm.replies, "anna")
    retried = await vm.told("retried")
    assert "signal 9" in (retried.reason or "")
    assert retried.ran_ms is not None
    vm.send(OTHER, message_id="j2")
    assert (await vm.answer()).headers["job"] == "j2"
    await vm.told("done")
    assert vm.worker.report().done == 1
    await vm.settled()


async def test_a_job_that_hangs_is_timed_out_and_handed_back(amqp_url: str) -> None:
    async with desk(amqp_url, SHORT) as vm:
        first = vm.child.pid
        vm.freeze()
        vm.send()
        assert (await vm.handed_back()).headers["attempt"] == 1
        retried = await vm.told("retried")
        assert (retried.problem, retried.reason) == ("timed-out", "sketch took more than 0.5 s on vm1.")
        assert (retried.ran_ms or 0) >= 500
        await eventually(lambda: vm.child.pid not in {None, first})


async def test_the_last_attempt_ends_in_an_answer_and_a_copy_for_the_operator(amqp_url: str) -> None:
    async with desk(amqp_url, SHORT) as vm:
        vm.freeze()
        vm.send(headers={"attempt": 3, "CC": [DEAD]})
        got = await vm.answer()
        assert problem(got)["slug"] == "timed-out"
        assert (got.headers["attempt"], got.headers["vm"]) == (3, VM)
        dead = await vm.dead()
        assert dead.body == PHOTOGRAPH
        assert dead.headers["reason"] == problem(got)["detail"]
        assert "CC" not in dead.headers
        failed = await vm.told("failed")
        assert (failed.problem, failed.ran_ms) == ("timed-out", got.headers["ran_ms"])
        assert got.headers["ran_ms"] >= 500
        await vm.settled()


async def test_a_job_that_broke_too_many_vms_is_not_run_again(vm: Desk) -> None:
    vm.send(headers={"attempt": 4})
    assert problem(await vm.answer())["slug"] == "too-many-attempts"
    assert (await vm.dead()).headers["attempt"] == 4
    assert (await vm.told("failed")).problem == "too-many-attempts"
    assert vm.count("running") == 0


async def test_a_process_that_died_idle_costs_no_job_an_attempt(vm: Desk) -> None:
    pid = vm.child.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not vm.child.is_alive)
    vm.send()
    assert (await vm.answer()).headers["attempt"] == 1
    assert vm.foreign.depth(BACK) == 0


# -- answers that can't be given


async def test_a_job_that_expired_on_the_way_is_answered_and_not_run(vm: Desk) -> None:
    vm.send(headers={"deadline_ms": time.time_ns() // 1_000_000 - 1})
    assert problem(await vm.answer())["slug"] == "expired"
    assert (await vm.told("failed")).problem == "expired"
    assert vm.count("running") == 0


@pytest.mark.parametrize("reply_to", [None, "nobody-listens-here"])
async def test_a_job_that_nobody_waits_for_is_told_and_settled(vm: Desk, reply_to: str | None) -> None:
    vm.send(reply_to=reply_to)
    told = await vm.told("unanswerable")
    assert (told.job, told.ran_ms is None) == ("j1", False)
    await vm.settled()


async def test_an_unreadable_job_without_an_address_is_kept_for_the_operator(vm: Desk) -> None:
    vm.send(headers={"user": ["anna"]}, reply_to=None)
    dead = await vm.dead()
    assert (dead.body, dead.properties.message_id) == (PHOTOGRAPH, "j1")
    assert dead.headers["reason"].startswith("user")
    await vm.settled()


# -- slots, look-ahead and the end


async def test_a_worker_holds_its_slots_and_look_ahead_and_no_more(
    amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "consumers.worker")
    async with desk(amqp_url, replace(CONFIG, look_ahead=2)) as vm:
        assert "serving sketch with 1 slot\n" in caplog.text
        vm.freeze()
        for number in range(6):
            vm.send(saved(gradient(40, 30 + number), "PNG"), message_id=f"j{number}")
        await eventually(lambda: len(vm.worker.report().held) == 3)
        report = vm.worker.report()
        assert (report.running, report.slots, report.look_ahead, report.worker) == (1, 1, 2, "ready")
        assert report.oldest_running_s is not None
        assert vm.foreign.depth(vm_queue(VM)) == 3
        vm.thaw()
        assert {(await vm.answer()).headers["job"] for _ in range(6)} == {f"j{n}" for n in range(6)}


async def test_two_slots_run_two_jobs_at_a_time(amqp_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "consumers.worker")
    async with desk(amqp_url, replace(CONFIG, slots=2)) as vm:
        assert "serving sketch with 2 slots\n" in caplog.text
        assert len(computing()) == 2
        for child in vm.worker._slots.children:
            assert child.pid is not None
            os.kill(child.pid, signal.SIGSTOP)
        vm.send()
        vm.send(OTHER, message_id="j2")
        await eventually(lambda: vm.worker.report().running == 2)
        for child in vm.worker._slots.children:
            assert child.pid is not None
            os.kill(child.pid, signal.SIGCONT)
        assert {(await vm.answer()).headers["job"] for _ in range(2)} == {"j1", "j2"}


async def test_a_worker_that_drains_gives_back_what_it_did_not_begin_and_finishes_the_rest(amqp_url: str) -> None:
    async with desk(amqp_url) as vm:
        vm.freeze()
        vm.send()
        vm.send(OTHER, message_id="j2")
        await eventually(lambda: len(vm.worker.report().held) == 2)
        states: list[str] = []
        vm.worker.on_change = lambda: states.append(vm.worker.report().worker)
        draining = asyncio.create_task(vm.worker.drain(60))
        back = await vm.handed_back()
        assert (back.properties.message_id, back.headers["attempt"]) == ("j2", 0)  # it never had its attempt
        assert states == ["draining"]
        vm.send(OTHER, message_id="j3")
        vm.thaw()
        await draining
        assert (await vm.answer()).headers["job"] == "j1"
        await vm.told("done")
        assert computing() == []
        await vm.bus.close()
        assert vm.foreign.depth(vm_queue(VM)) == 1  # j3 is another worker's


async def test_a_job_that_outlasts_the_grace_is_handed_back(amqp_url: str) -> None:
    async with desk(amqp_url) as vm:
        vm.freeze()
        vm.send()
        await vm.told("running")
        await vm.worker.drain(0.1)
        assert (await vm.handed_back()).headers["attempt"] == 1
        await vm.settled()


async def test_an_operation_that_cannot_be_served_says_why(amqp_url: str) -> None:
    odd = replace(CONFIG.child, operations=("sketch", "sharpen"))
    async with desk(amqp_url, replace(CONFIG, child=odd)) as vm:
        report = vm.worker.report()
        assert report.operations == ("sketch",)
        assert "OVERSPILL_OPERATIONS" in report.not_served["sharpen"]
        vm.send(headers={"operation": "caption", "attempt": 3})
        assert problem(await vm.answer())["slug"] == "operation-failed"
