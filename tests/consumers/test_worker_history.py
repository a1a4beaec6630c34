"""What a job that failed tells of its attempts, and what events tell of a job."""

import json
import signal

import pytest

from bus.topology import of_vm, vm_queue
from tests.bus.rabbit.foreign import Foreign, eventually
from tests.consumers.desk import PHOTOGRAPH, SHORT, VM, Desk, desk, history

pytestmark = pytest.mark.broker

EARLIER = {"attempt": 2, "at_ms": 7, "vm": "vm9", "reason": "vm9 was lost"}


async def test_a_job_handed_back_tells_what_became_of_it(vm: Desk) -> None:
    vm.freeze()
    vm.send()
    await vm.told("running")
    vm.signal(signal.SIGKILL)
    (told,) = history(await vm.handed_back())
    assert (told["attempt"], told["vm"], told["problem"]) == (1, VM, "too-many-attempts")
    assert "signal 9" in told["reason"]


async def test_a_job_that_is_buried_tells_every_attempt(amqp_url: str) -> None:
    async with desk(amqp_url, SHORT) as vm:
        vm.freeze()
        vm.send(headers={"attempt": 3, "history": json.dumps([EARLIER])})
        await vm.answer()
        earlier, last = history(await vm.dead())
        assert earlier == EARLIER
        assert (last["attempt"], last["vm"], last["problem"]) == (3, VM, "timed-out")


async def test_a_job_that_outlived_its_vm_tells_so(amqp_url: str) -> None:
    queue = of_vm(VM).queues[0]
    with Foreign(amqp_url) as dying:
        dying.channel.exchange_declare("jobs.returned", "fanout", durable=True)
        dying.channel.queue_declare(queue.name, durable=True, arguments=queue.arguments)
        dying.publish("", vm_queue(VM), PHOTOGRAPH, message_id="j1", headers={"operation": "sketch", "attempt": 3})
        method, _, _ = dying.channel.basic_get(queue.name)
        dying.channel.basic_reject(method.delivery_tag, requeue=True)
    async with desk(amqp_url) as vm:
        dead = await vm.dead()
        assert dead.headers["attempt"] == 4
        (told,) = history(dead)
        assert (told["attempt"], told["vm"]) == (3, VM)
        assert "while it held the job" in told["reason"]


async def test_what_was_given_back_unbegun_has_failed_nothing(vm: Desk) -> None:
    vm.freeze()
    vm.send()
    await vm.told("running")
    vm.send(message_id="j2")
    await eventually(lambda: vm.worker.report().held == ("j1", "j2"))
    await vm.worker.drain(0)
    back = {got.properties.message_id: history(got) for got in [await vm.handed_back(), await vm.handed_back()]}
    assert {job: len(told) for job, told in back.items()} == {"j1": 1, "j2": 0}


async def test_events_tell_the_pictures_size_as_the_router_counted_it(vm: Desk) -> None:
    vm.send(headers={"pixels": 12_345})
    await vm.answer()
    assert [(await vm.told(state)).pixels for state in ("running", "done")] == [12_345, 12_345]
