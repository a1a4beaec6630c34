"""`overspill status`: the fleet as it is, and why jobs wait."""

import asyncio
from typing import Annotated

import typer

from bus import settings
from telemetry.process import set_up_logs
from ui.stack.state import broker_url


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Keep looking, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for programs, a line a look.")] = False,
) -> None:
    """Show the VMs, what waits where, and why."""
    from ui.commands.fleet_look import show_lines, show_table  # noqa: PLC0415 (no command waits for another's imports)

    set_up_logs("CRITICAL")  # what goes wrong is told once, with its remedy
    chosen = settings.load()
    show = show_lines if as_json else show_table
    try:
        asyncio.run(show(chosen, broker_url(chosen), watch=watch))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
