"""`overspill tail`: events as they happen, and as they happened."""

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bus import settings
from bus.events import AnyEvent
from telemetry.process import set_up_logs
from ui.commands.wording import printable, seconds_of, short
from ui.stack.state import broker_url
from ui.tail.choice import Choice
from ui.tail.lines import Clock, Lines, json_line
from ui.tail.output import need_standard_output
from ui.tail.patterns import KEYS, can_match, nearest

_KEYS = typer.Argument(
    help="Topic patterns, as AMQP has them: `job.#`, `vm.heartbeat.*`, `#`; * is one word, # any number. Default: "
    "every step of every job and every change of a VM, but not what is said once a second (heartbeats, and what "
    "routers and bridges say of themselves)."
)

_ID_SHOWN = 12
"""Of a job's id on a terminal, where a line is to fit; `overspill why` takes as much."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tail)


def tail(  # noqa: PLR0913 (each argument is an option of the command)
    keys: Annotated[list[str] | None, _KEYS] = None,
    *,
    since: Annotated[str | None, typer.Option(help="Begin with the last 90s, 15m, 24h. Default: now.")] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's jobs.")] = None,
    job: Annotated[str | None, typer.Option(help="Only the job of this id.")] = None,
    as_json: Annotated[
        bool | None, typer.Option("--json/--pretty", help="One JSON document a line. Default: in a pipe or a file.")
    ] = None,
    ago: Annotated[bool, typer.Option("--ago", help="How long ago, instead of the time of day.")] = False,
    follow: Annotated[bool, typer.Option(help="Go on with what happens; else end with what has, and --since.")] = True,
) -> None:
    """Show events as they happen, in their order, until Ctrl-C.

    The past comes from the history, kept for a day; a busy system drops the oldest sooner. Nothing is missed while a
    connection is lost, and reading slowly holds up no job.
    """
    need_standard_output()
    set_up_logs("ERROR")  # that a connection is lost and made again is told here
    if since is None and not follow:
        raise typer.BadParameter("--no-follow needs --since: how far back to begin, as in --since 10m.")
    choice = Choice.of(keys or [], user, job, None if since is None else _moment_ms(since))
    pretty = sys.stdout.isatty() if as_json is None else not as_json
    url = broker_url(settings.load())
    for pattern in choice.patterns:
        _hint(pattern)
    from ui.tail import listening  # noqa: PLC0415 (a usage error doesn't wait for this import)

    write = _pretty(_ago if ago else _time_of_day) if pretty else lambda _event, body: f"{json_line(body)}\n"
    try:
        asyncio.run(listening.tail(url, choice, listening.Looks(write, _tell), follow=follow))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _moment_ms(since: str) -> int:
    try:
        return int((time.time() - seconds_of(since)) * 1000)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _hint(pattern: str) -> None:
    if not can_match(pattern):
        _tell(f"No event can match {pattern!r}: keys are {KEYS}. Perhaps {nearest(pattern)!r} is meant.")


def _tell(text: str) -> None:
    Console(stderr=True, highlight=False).print(Text(printable(text), "dim"), soft_wrap=True)


def _pretty(clock: Clock) -> "Callable[..., str]":
    console = Console(highlight=False)
    lines = Lines(clock, id_shown=_ID_SHOWN if console.is_terminal else None)

    def write(event: AnyEvent, _body: bytes) -> str:
        with console.capture() as written:
            console.print(lines.line(event), soft_wrap=True)
        return written.get()

    return write


def _time_of_day(at_ms: int) -> str:
    """Hours to milliseconds of the local time, with the date where it is not today's."""
    when = datetime.fromtimestamp(at_ms / 1000).astimezone()
    shown = "%H:%M:%S" if when.date() == datetime.now().astimezone().date() else "%Y-%m-%d %H:%M:%S"
    return f"{when:{shown}}.{at_ms % 1000:03}"


def _ago(at_ms: int) -> str:
    return f"{short(time.time() - at_ms / 1000):>12} ago"
