"""`overspill doctor`: what this machine lacks, and how to mend it."""

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from bus import settings
from bus.blobs import Blobs
from bus.errors import OverspillError, SetupError
from bus.topology import shared
from telemetry.machine import Machine
from telemetry.process import set_up_logs
from ui.commands import findings
from ui.commands.cloud_findings import cloud
from ui.commands.findings import Finding
from ui.commands.page_findings import page
from ui.stack import emulator, extras, state
from ui.stack.page import ADDRESS
from ui.stack.processes import answers, free_port, serves
from ui.stack.rabbitmq import PLUGINS, server_script
from ui.stack.state import CONNECT_WITHIN_S

_STORES = {"gcs": ("gs", "gcs"), "s3": ("s3",), "azure": ("az", "abfs")}
"""The optional parts that only a blob store of such an address needs."""
_MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor() -> None:
    """Check this machine, and say how to mend what is missing. Exit status 1 when something needed is."""
    set_up_logs("CRITICAL")
    chosen = state.joined(settings.load())
    console = Console(highlight=False)
    found = []
    for finding in examine(chosen):
        found.append(finding)
        _show(console, finding)
    raise typer.Exit(1 if findings.failed(found) else 0)


def _show(console: Console, finding: Finding) -> None:
    mark, colour = _MARKS[finding.level]
    console.print(Text.assemble((mark, colour), f"  {finding.subject}: {finding.detail}"), soft_wrap=True)
    if finding.remedy:
        console.print(Text(f"      -> {finding.remedy}"), soft_wrap=True)


def examine(chosen: settings.Settings) -> Iterator[Finding]:
    """Everything that is looked at, the quick things first."""
    yield findings.python(sys.version_info[:3])
    for name in _extras_for(chosen.blobs):
        yield findings.packages(name, extras.missing(name))
    yield from findings.time_outs(chosen)
    yield _disk(chosen.state_dir)
    yield _ports()
    yield from cloud(chosen)
    yield from _silent_emulator(chosen.pubsub_emulator_host)
    yield _emulator()
    yield _blobs(chosen)
    yield from _page(chosen)
    yield _broker(chosen)
    yield from _operations(chosen)


def _extras_for(blobs: str | None) -> list[str]:
    """The optional parts worth a look."""
    scheme = (blobs or "").partition("://")[0]
    return [name for name in extras.EXTRAS if scheme in _STORES.get(name, (scheme,))]


def _silent_emulator(address: str | None) -> Iterator[Finding]:
    if address is not None and not answers(address, timeout_s=1.0):
        remedy = "Start it, or unset PUBSUB_EMULATOR_HOST."
        yield Finding("fail", "Pub/Sub emulator", f"none answers at {address}.", remedy)


def _emulator() -> Finding:
    try:
        return findings.emulator(str(emulator.find().jar), None)
    except SetupError as error:
        return findings.emulator("", str(error))


def _blobs(chosen: settings.Settings) -> Finding:
    try:
        asyncio.run(_use_blobs(chosen))
    except OverspillError as error:
        return findings.blobs(chosen.blobs, str(error), chosen.max_image_bytes)
    return findings.blobs(chosen.blobs, None, chosen.max_image_bytes)


async def _use_blobs(chosen: settings.Settings) -> None:
    """Store a few bytes, read them and remove them. Raises SetupError, BlobsDown or BadInput."""
    store = Blobs.of(chosen)
    if store is None:
        return
    claim = await store.put("pictures", b"overspill doctor")
    await store.get(claim)
    await store.delete(claim)


def _page(chosen: settings.Settings) -> list[Finding]:
    stack = state.running(chosen.state_dir)
    at = stack.environ.get(ADDRESS) if stack is not None else None
    return page(chosen, at, ready=at is not None and serves(at))


def _disk(state_dir: Path) -> Finding:
    there = next(folder for folder in (state_dir.absolute(), *state_dir.absolute().parents) if folder.exists())
    return findings.disk(str(there), shutil.disk_usage(there).free)


def _ports() -> Finding:
    try:
        free_port()
    except SetupError as error:
        return findings.ports(str(error))
    return findings.ports(None)


def _broker(chosen: settings.Settings) -> Finding:
    if chosen.amqp_url is not None:
        try:
            return findings.broker(asyncio.run(_address_of(chosen.amqp_url)), None)
        except SetupError as error:
            return findings.broker("", str(error))
    try:
        script = server_script()
    except SetupError as error:
        return findings.private_broker(str(error), has_plugin=False)
    return findings.private_broker(None, has_plugin=has_plugins(Path(script).resolve().parent.parent))


async def _address_of(url: str) -> str:
    """Where the broker answers, once it has let us declare what we need. Raises SetupError."""
    from bus.rabbit import Bus  # noqa: PLC0415 (no command waits for another's imports)

    bus = Bus(url, name="doctor", topology=shared())
    await bus.start(CONNECT_WITHIN_S)
    await bus.close()
    return bus.address


def has_plugins(home: Path) -> bool:
    """Whether RabbitMQ's own plugins that we enable lie below its home folder."""
    patterns = (f"{where}plugins/{plugin}-*" for plugin in PLUGINS for where in ("", "lib/*/"))
    return any(any(home.glob(pattern)) for pattern in patterns)


def _operations(chosen: settings.Settings) -> list[Finding]:
    # The process that a VM would compute in, asked itself: nothing else knows as well what it can load.
    from consumers.compute import Child  # noqa: PLC0415
    from consumers.vm import worker_config  # noqa: PLC0415

    machine = Machine()
    child = Child(worker_config(chosen, machine.cores, machine.memory_bytes).child)
    try:
        served = asyncio.run(child.start())
    except OverspillError as error:
        return findings.operations((), dict.fromkeys(chosen.operations, f"Its process did not start: {error}."))
    finally:
        child.close()
    return findings.operations(served.operations, served.not_served)
