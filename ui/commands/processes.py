"""`overspill router`, `vm` (or `worker`), `agent` and `page`: one process each, until SIGINT or SIGTERM.

`vm` alone runs one; `vm drain` and `vm resume` are orders about one that runs somewhere.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus import settings
from bus.errors import SetupError
from telemetry import process
from ui.commands import orders
from ui.stack import extras
from ui.stack.state import broker_url, joined

if TYPE_CHECKING:
    from telemetry.metrics.families import Program

Name = Annotated[str | None, typer.Option("--name", help="This VM's name on the bus (OVERSPILL_VM_NAME).")]
Slots = Annotated[int | None, typer.Option("--slots", help="Jobs it runs at a time (OVERSPILL_SLOTS).")]
Operations = Annotated[
    str | None, typer.Option("--operations", help="What it offers, with commas between (OVERSPILL_OPERATIONS).")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(router)
    group = typer.Typer(invoke_without_command=True)
    group.callback()(vm)
    orders.register_for_vms(group)
    app.add_typer(group, name="vm")
    app.command("worker", help="Run jobs on this machine: the same as `vm`.")(worker)
    app.command()(agent)
    app.command()(page)


def router() -> None:
    """Route jobs to VMs; start a second one for a standby."""
    from producers.router import serve_router  # noqa: PLC0415 (no command waits for another's imports)

    chosen, url = _ready_to_serve("router")
    process.run(lambda stop: serve_router(chosen, url, stop))


def vm(context: typer.Context, name: Name = None, slots: Slots = None, operations: Operations = None) -> None:
    """Run jobs on this machine, and send its heartbeats; or, with a command, drain and resume any VM."""
    if context.invoked_subcommand is None:
        worker(name, slots, operations)


def worker(name: Name = None, slots: Slots = None, operations: Operations = None) -> None:
    """Run jobs on this machine, and send its heartbeats."""
    from consumers.vm import serve_vm  # noqa: PLC0415

    chosen, url = _ready_to_serve("vm", vm_name=name, slots=slots, operations=operations)
    process.run(lambda stop: serve_vm(chosen, url, stop))


def agent(name: Name = None) -> None:
    """Send this machine's heartbeats only: it is watched, and given no jobs."""
    from telemetry.agent import serve_agent  # noqa: PLC0415

    chosen, url = _ready_to_serve("agent", vm_name=name)
    process.run(lambda stop: serve_agent(chosen, url, stop))


def page() -> None:
    """Serve the page, the dashboard and the HTTP API."""
    lacking = extras.said_missing("page")
    if lacking is not None:
        raise SetupError(f"The page can't be served here: {lacking}.")
    from ui.web.server import serve_page  # noqa: PLC0415

    chosen, url = _ready_to_serve("page")
    process.run(lambda stop: serve_page(chosen, url, stop))


def _ready_to_serve(program: "Program", **overrides: Any) -> tuple[settings.Settings, str]:
    from telemetry import observed  # noqa: PLC0415 (it brings pika, which few commands need)

    chosen = joined(settings.load(**overrides))
    observed.set_up(chosen, program)
    return chosen, broker_url(chosen)
