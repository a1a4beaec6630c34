"""`overspill top`: the fleet live on one screen."""

import asyncio
import json
import sys
from typing import Annotated, Final

import typer
from rich.console import Console

from bus import settings
from telemetry.process import set_up_logs
from ui.stack.state import broker_url
from ui.tail.output import need_standard_output

_ONCE_LINES: Final = 32
"""Of a frame that is printed: a screen of it. `--json` has all there is."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(top)


def top(
    *,
    one: Annotated[bool, typer.Option("--once", help="Print one frame as text and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one frame as a JSON object and end.")] = False,
) -> None:
    """Watch VMs, queues, rates and the latest steps of jobs on one screen.

    Keys: q quits, p pauses, s sorts the VMs otherwise, j and k scroll them. Where there is no terminal it prints one
    frame. `q` before p50 and p95 stands for queueing: the time until a job's run began.
    """
    from ui.top.screen import glyphs_of, once, show  # noqa: PLC0415 (no command waits for another's imports)
    from ui.top.view import as_json as told  # noqa: PLC0415
    from ui.top.view import render  # noqa: PLC0415

    need_standard_output()
    set_up_logs("CRITICAL")  # what goes wrong is told once, with its remedy
    chosen = settings.load()
    url = broker_url(chosen)
    if as_json:
        print(json.dumps(told(asyncio.run(once(chosen, url)))))
    elif one or not sys.stdout.isatty():
        console = Console(highlight=False)
        frame = asyncio.run(once(chosen, url))
        console.print(render(frame, console.width, _ONCE_LINES, glyphs_of(console), keys=False))
    else:
        asyncio.run(show(chosen, url))
