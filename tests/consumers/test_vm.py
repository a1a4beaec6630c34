"""A whole VM: its agent and its worker on one connection, from start to stop."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.blobs import Blobs
from bus.errors import SetupError
from bus.events import Heartbeat, read_event
from bus.settings import MIB, Settings
from bus.topology import EVENTS, VMS, vm_queue
from consumers.vm import keep_swept, serve_vm, worker_config
from tests.bus.rabbit.foreign import Foreign, eventually
from tests.consumers.desk import PHOTOGRAPH, computing


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {"vm_name": "vm1", "operations": ("sketch",), "slots": 1, "beat_interval_s": 0.1}
    return Settings(**given | changes)


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        client.channel.exchange_declare(EVENTS, "topic", durable=True)
        yield client


class Vm:
    """A VM that serves until it is told to stop, and what it says meanwhile."""

    def __init__(self, url: str, foreign: Foreign) -> None:
        self._foreign = foreign
        self._beats = foreign.listen(EVENTS, "vm.heartbeat.vm1")
        self.heard: list[Heartbeat] = []
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(serve_vm(settings(), url, self.stop))

    async def beat(self, **figures: Any) -> Heartbeat:
        """The next heartbeat with these figures."""
        while True:
            beat = read_event((await self._foreign.get(self._beats)).body)
            assert isinstance(beat, Heartbeat)
            self.heard.append(beat)
            if figures.items() <= beat.model_dump().items():
                return beat


@pytest.fixture
async def vm(amqp_url: str, foreign: Foreign) -> AsyncIterator[Vm]:
    vm = Vm(amqp_url, foreign)
    yield vm
    vm.stop.set()
    await asyncio.gather(vm.task, return_exceptions=True)
    assert computing() == []


@pytest.mark.broker
async def test_a_vm_serves_beats_while_it_computes_and_leaves_in_order(vm: Vm, foreign: Foreign) -> None:
    ready = await vm.beat(worker="ready")
    assert (ready.operations, ready.slots, ready.look_ahead, ready.running) == (("sketch",), 1, 1, 0)
    replies = foreign.queue()
    (pid,) = computing()
    os.kill(pid, signal.SIGSTOP)
    foreign.publish(
        VMS, vm_queue("vm1"), PHOTOGRAPH, message_id="j1", reply_to=replies, headers={"operation": "sketch"}
    )
    during = await vm.beat(running=1, held=("j1",))
    assert (await vm.beat(running=1)).seq > during.seq  # beats go on
    vm.stop.set()
    draining = await vm.beat(worker="draining")
    assert (draining.running, draining.session) == (1, ready.session)
    os.kill(pid, signal.SIGCONT)
    await vm.task
    assert (await foreign.get(replies)).properties.content_type == "image/jpeg"
    assert foreign.depth(vm_queue("vm1")) == 0
    assert [beat.seq for beat in vm.heard] == sorted(beat.seq for beat in vm.heard)


@pytest.mark.broker
async def test_a_vm_told_to_stop_while_it_loads_stops(vm: Vm) -> None:
    await eventually(computing)
    vm.stop.set()
    await vm.task


@pytest.mark.broker
async def test_a_vm_whose_queue_is_of_another_make_ends_with_the_remedy(amqp_url: str, foreign: Foreign) -> None:
    foreign.queue(vm_queue("vm1"))
    with pytest.raises(SetupError, match="another make"):
        await serve_vm(settings(), amqp_url, asyncio.Event())


async def test_a_vm_that_waits_for_its_broker_can_be_stopped() -> None:
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_vm(settings(), "amqp://127.0.0.1:1", stop))
    await asyncio.sleep(0)
    stop.set()
    await serving
    await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})


async def test_a_vm_keeps_the_blob_store_swept_and_outlives_its_faults(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await keep_swept(None)
    old = tmp_path / "blobs" / "pictures" / "20200131"
    old.parent.parent.write_text("a file where a folder should be")
    sweeping = asyncio.create_task(keep_swept(Blobs(f"file://{tmp_path}/blobs"), every_s=0.01))
    await eventually(lambda: "nothing is swept" in caplog.text)
    old.parent.parent.unlink()
    for _ in range(2):
        old.mkdir(parents=True)
        await eventually(lambda: not old.exists())
    sweeping.cancel()


async def test_a_vm_with_a_store_that_cannot_be_ends_with_the_remedy() -> None:
    with pytest.raises(SetupError, match="OVERSPILL_BLOBS is wrong"):
        await serve_vm(settings(blobs="carrier-pigeon://loft"), "amqp://127.0.0.1:1", asyncio.Event())


def test_a_process_takes_what_the_store_may_hold_where_there_is_one() -> None:
    sizes = {"max_image_bytes": 8, "max_claim_bytes": 9}
    assert worker_config(settings(**sizes), 1, 1 << 30).child.max_bytes == 8
    assert worker_config(settings(**sizes, blobs="file:///blobs"), 1, 1 << 30).child.max_bytes == 9
    assert worker_config(settings(**sizes | {"max_claim_bytes": 7}, blobs="file:///b"), 1, 1 << 30).child.max_bytes == 8


def test_a_vm_has_a_slot_for_each_processor_it_may_use_and_one_at_least() -> None:
    assert [worker_config(settings(slots=None), cores, 1 << 30).slots for cores in (0.5, 1, 3.9)] == [1, 1, 3]
    assert worker_config(settings(slots=7), 1, 1 << 30).slots == 7


def test_the_settings_reach_the_worker(tmp_path: Path) -> None:
    config = worker_config(
        settings(answers_kept_mib=3, max_pixels=9, max_image_bytes=8, state_dir=tmp_path, max_attempts=2), 1, 1 << 30
    )
    assert (config.answers_kept_bytes, config.max_attempts) == (3 * MIB, 2)
    assert (config.child.max_pixels, config.child.max_bytes) == (9, 8)
    assert config.batched == {"caption"}
    assert config.child.models_dir == str(tmp_path / "models")


def test_computing_processes_share_out_most_of_the_memory_unless_told_otherwise() -> None:
    assert worker_config(settings(slots=4), 4, 1000 * MIB).child.memory_bytes == 200 * MIB
    assert worker_config(settings(slots=4, child_memory_mib=300), 4, 1000 * MIB).child.memory_bytes == 300 * MIB


def test_a_vm_without_operations_is_told_what_to_run_instead() -> None:
    with pytest.raises(SetupError, match="run `overspill agent`"):
        worker_config(settings(operations=()), 1, 1 << 30)
