"""`overspill record`: what routers, VMs and bridges tell, as a file that can be replayed."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from bus import settings
from bus.clock import now_ms
from bus.errors import OverspillError
from telemetry.process import set_up_logs
from ui.commands.wording import seconds_of
from ui.record.span import Span
from ui.stack.state import broker_url

if TYPE_CHECKING:
    from ui.record.tape import Tape

_STDOUT: Final = "-"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(record)


def record(
    file: Annotated[str, typer.Argument(help="Where to, as day.jsonl.gz; - is the standard output, uncompressed.")],
    *,
    since: Annotated[
        str | None,
        typer.Option(help="Begin so far back: 90s, 15m, 24h. Default: all there is, or now with --for or --follow."),
    ] = None,
    length: Annotated[str | None, typer.Option("--for", help="Record so long, from the beginning or from now.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Write pseudonyms for the names of users and jobs.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Record the jobs of some hours, and the VMs and the cloud that they met, in a small file.

    No pictures are in it and no results. Events are kept for a day, so the day that is over can be recorded too.
    """
    set_up_logs("CRITICAL")  # what goes wrong is told once, with its remedy
    span = _span(since, length, follow=follow)
    _check(file, force=force)
    try:
        _record(file, span, anonymous=anonymous, force=force)
    except BrokenPipeError:
        # Whoever read it has enough. What is left in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except OSError as error:
        raise OverspillError(f"{file} can't be written: {error.strerror or error}. Choose another place.") from None


def _record(file: str, span: Span, *, anonymous: bool, force: bool) -> None:
    from ui.record.tape import Tape  # noqa: PLC0415 (a usage error doesn't wait for these imports)
    from ui.record.view import ended, progress  # noqa: PLC0415

    url = broker_url(settings.load())
    salt = secrets.token_bytes(32) if anonymous else None
    tape = Tape(_opener(file, force=force), span, compressed=file.endswith(".gz"), salt=salt)
    console = Console(stderr=True, highlight=False)
    with console.status("Recording ...") as shown, tape:
        asyncio.run(_until_told(url, span, tape, lambda: shown.update(progress(tape.summary, tape.span_ms))))
    if not tape.heard:
        raise OverspillError("Nothing was told in that time, so nothing is written. Is a router running?")
    console.print(ended(tape.summary, tape.header, file))


async def _until_told(url: str, span: Span, tape: "Tape", look: Callable[[], object]) -> None:
    from ui.record.taking import take  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await take(url, span, tape, stop, look)


def _span(since: str | None, length: str | None, *, follow: bool) -> Span:
    try:
        since_s, for_s = (None if text is None else seconds_of(text) for text in (since, length))
        return Span.of(now_ms(), since_s=since_s, for_s=for_s, follow=follow)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _check(file: str, *, force: bool) -> None:
    """Before hours go by: whether the file can be written."""
    if file == _STDOUT:
        return
    path = Path(file)
    if path.exists() and not force:
        raise OverspillError(f"{file} is there already. Choose another name, or write over it with --force.")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OverspillError(f"{file} can't be written. Choose another place.")


def _opener(file: str, *, force: bool) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    if file == _STDOUT:
        return lambda: nullcontext(sys.stdout.buffer)
    return lambda: Path(file).open("wb" if force else "xb")
