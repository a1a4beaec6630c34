"""The process of one VM: its agent and its worker on one connection."""

import asyncio
import logging
import uuid

from bus.errors import SetupError
from bus.rabbit import Bus
from bus.settings import MIB, Settings
from bus.topology import of_vm, shared
from consumers.compute import ChildConfig
from consumers.worker import Worker, WorkerConfig
from telemetry.agent import Agent
from telemetry.machine import Machine

log = logging.getLogger(__name__)


async def serve_vm(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Run jobs and send heartbeats until `stop`, then drain. Raises SetupError when the broker won't have us."""
    bus = Bus(url, name=f"vm {settings.vm_name}", topology=shared(), heartbeat_s=settings.amqp_heartbeat_s)
    await bus.start()
    await bus.declare(of_vm(settings.vm_name))
    machine = Machine()
    worker = Worker(bus, worker_config(settings, machine.cores))
    agent = Agent(settings, uuid.uuid4().hex, machine, bus.post, worker.report)
    worker.on_change = agent.beat
    beating = asyncio.create_task(agent.run())
    starting = asyncio.create_task(worker.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        # Beats go on until the very end: while it drains, a VM must not look lost.
        await asyncio.wait({beating, stopping}, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        await worker.drain(settings.job_timeout_s)
    finally:
        for task in (beating, starting, stopping):
            task.cancel()
        await asyncio.gather(beating, starting, stopping, return_exceptions=True)
        await bus.close()


def worker_config(settings: Settings, cores: float) -> WorkerConfig:
    """The worker's part of the settings. One process a slot and one thread each: no more than `cores` compute."""
    if not settings.operations:
        raise SetupError("OVERSPILL_OPERATIONS names no operation: name one at least, or run `overspill agent`.")
    models_dir = settings.models_dir or settings.state_dir / "models"
    return WorkerConfig(
        vm=settings.vm_name,
        slots=settings.slots or max(1, int(cores)),
        look_ahead=settings.look_ahead,
        max_attempts=settings.max_attempts,
        job_timeout_s=settings.job_timeout_s,
        answers_kept_bytes=settings.answers_kept_mib * MIB,
        child=ChildConfig(
            operations=settings.operations,
            models_dir=str(models_dir),
            max_bytes=settings.max_image_bytes,
            max_pixels=settings.max_pixels,
        ),
    )
