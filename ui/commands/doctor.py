"""`overspill doctor`: what this machine lacks, and how to mend it."""

import asyncio
import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from bus import settings
from bus.errors import OverspillError, SetupError
from bus.topology import shared
from telemetry.machine import Machine
from telemetry.process import set_up_logs
from ui.commands import findings
from ui.commands.findings import EXTRAS, Finding
from ui.stack.processes import free_port
from ui.stack.rabbitmq import PLUGINS, server_script
from ui.stack.state import running

_CONNECT_WITHIN_S = 3.0
_MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor() -> None:
    """Check this machine, and say how to mend what is missing. Exit status 1 when something needed is."""
    set_up_logs("CRITICAL")
    chosen = settings.load()
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
    for name, modules in EXTRAS.items():
        yield findings.packages(name, [module for module in modules if importlib.util.find_spec(module) is None])
    yield from findings.time_outs(chosen)
    yield _disk(chosen.state_dir)
    yield _ports()
    yield findings.emulator(java=shutil.which("java") is not None, jar=emulator_jar(shutil.which("gcloud")))
    yield _broker(chosen)
    yield from _operations(chosen)


def _disk(state_dir: Path) -> Finding:
    there = next(folder for folder in (state_dir.absolute(), *state_dir.absolute().parents) if folder.exists())
    return findings.disk(str(there), shutil.disk_usage(there).free)


def _ports() -> Finding:
    try:
        free_port()
    except SetupError as error:
        return findings.ports(str(error))
    return findings.ports(None)


def emulator_jar(gcloud: str | None) -> str | None:
    """The emulator's program in the SDK that the command `gcloud` belongs to, or None."""
    if gcloud is None:
        return None
    lib = Path(gcloud).resolve().parent.parent / "platform" / "pubsub-emulator" / "lib"
    return next((str(jar) for jar in sorted(lib.glob("cloud-pubsub-emulator-*.jar"))), None)


def _broker(chosen: settings.Settings) -> Finding:
    stack = running(chosen.state_dir)
    url = chosen.amqp_url or (stack.environ.get("AMQP_URL") if stack else None)
    if url is not None:
        try:
            return findings.broker(asyncio.run(_address_of(url)), None)
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
    await bus.start(_CONNECT_WITHIN_S)
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
