"""The process of one VM: its agent and its worker on one connection."""

import asyncio
import logging
import uuid

from bus.blobs import Blobs, BlobsDown
from bus.errors import SetupError
from bus.rabbit import Bus
from bus.settings import MIB, Settings
from bus.topology import of_vm, shared
from consumers.claims import Claims
from consumers.compute import ChildConfig
from consumers.operations import REGISTRY
from consumers.worker import Worker, WorkerConfig
from telemetry.agent import Agent
from telemetry.machine import Machine
from telemetry.process import unless_set

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 3600.0


async def serve_vm(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Run jobs and send heartbeats until `stop`, then drain.

    Raises SetupError when the broker won't have us, or the blob store can't be used.
    """
    machine = Machine()
    config = worker_config(settings, machine.cores, machine.memory_bytes)
    bus = Bus(url, name=f"vm {settings.vm_name}", topology=shared(), heartbeat_s=settings.amqp_heartbeat_s)
    claims = Claims.of(settings)
    worker = Worker(bus, config, claims)
    worker.load()  # takes seconds, which the broker may need as well
    sweeping = asyncio.create_task(keep_swept(claims.blobs))
    try:
        if await unless_set(stop, bus.start()):
            await bus.declare(of_vm(settings.vm_name))
            agent = Agent(settings, uuid.uuid4().hex, machine, bus.post, worker.report)
            worker.on_change = agent.beat
            await _serve(worker, agent, stop, settings.job_timeout_s)
    finally:
        sweeping.cancel()
        await worker.drain(0)
        await bus.close()


async def _serve(worker: Worker, agent: Agent, stop: asyncio.Event, grace_s: float) -> None:
    beating = asyncio.create_task(agent.run())
    try:
        # Until one of them fails, or `stop`: a VM that beats but takes no jobs would only look alive.
        await unless_set(stop, _both(worker, beating))
    finally:
        # Beats go on until the very end: while it drains, a VM must not look lost.
        await worker.drain(grace_s)
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def _both(worker: Worker, beating: "asyncio.Task[None]") -> None:
    await worker.start()
    await asyncio.shield(beating)


async def keep_swept(blobs: Blobs | None, every_s: float = SWEEP_EVERY_S) -> None:
    """Remove what is kept no longer from the blob store, every so often. Each VM does; they don't disturb another."""
    while blobs is not None:
        try:
            swept = await blobs.sweep()
        except BlobsDown as error:
            log.warning("nothing is swept: %s", error)
        else:
            log.log(logging.INFO if swept else logging.DEBUG, "swept %d old folders out of %s", swept, blobs.url)
        await asyncio.sleep(every_s)


def worker_config(settings: Settings, cores: float, memory_bytes: int) -> WorkerConfig:
    """The worker's part of the settings, on a machine of so many cores and so much memory.

    One process a slot and one thread each: no more than `cores` compute, and together they leave a part of the memory
    to the worker and everything else.
    """
    if not settings.operations:
        raise SetupError("OVERSPILL_OPERATIONS names no operation: name one at least, or run `overspill agent`.")
    slots = settings.slots or max(1, int(cores))
    return WorkerConfig(
        vm=settings.vm_name,
        slots=slots,
        look_ahead=settings.look_ahead,
        max_attempts=settings.max_attempts,
        job_timeout_s=settings.job_timeout_s,
        answers_kept_bytes=settings.answers_kept_mib * MIB,
        batched=frozenset(name for name, operation in REGISTRY.items() if operation.batchable),
        child=ChildConfig.of(settings, slots, memory_bytes),
    )
