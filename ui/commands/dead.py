"""`overspill dead list|show|replay|purge`: jobs that died, looked at, sent again, or taken out for good."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.console import Console

from bus import settings
from bus.clock import now_ms
from bus.errors import OverspillError
from bus.topology import OPERATIONS
from producers.letter import Letter, Sieve, letter_of
from telemetry.process import set_up_logs
from ui.commands import dead_view
from ui.commands.dead_names import named
from ui.commands.jobs import me
from ui.commands.wording import printable, seconds_of
from ui.stack.state import broker_url

if TYPE_CHECKING:
    from ui.commands.dead_work import Work

_INTERRUPTED: Final = 130
Verb = Literal["send again", "remove"]

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Letters, the first digits of their ids, or whole job ids."),
]
All = Annotated[bool, typer.Option("--all", help="All that the filters let through; without a filter, all.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask; for scripts.")]
OfOperation = Annotated[str | None, typer.Option("--operation", "-o", help=f"Only of this: {', '.join(OPERATIONS)}.")]
OfUser = Annotated[str | None, typer.Option("--user", help="Only this user's.")]
ForReason = Annotated[
    str | None, typer.Option("--reason", help="Only with this text in their reason, or this problem, as `timed-out`.")
]
Older = Annotated[str | None, typer.Option("--older-than", metavar="TIME", help="Only dead for longer: 90s, 2h, 3d.")]
Younger = Annotated[str | None, typer.Option("--younger-than", metavar="TIME", help="Only dead for less long.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Jobs that died, kept until they are sent again or removed.", no_args_is_help=True)
    group.command("list")(show_all)
    group.command("show")(show_one)
    group.command("replay")(replay)
    group.command("purge")(purge)
    app.add_typer(group, name="dead")


def show_all(  # noqa: PLR0913 (each argument is an option of the command)
    *,
    operation: OfOperation = None,
    user: OfUser = None,
    reason: ForReason = None,
    older_than: Older = None,
    younger_than: Younger = None,
    limit: Annotated[int, typer.Option(min=0, help="How many at the most; 0 for all.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
) -> None:
    """List dead jobs, those that died first coming first. All are looked at, and nobody else's to see meanwhile."""
    found, more = _found(_sieve(operation, user, reason, older_than, younger_than), limit)
    if as_json:
        for letter in found:
            print(json.dumps(dead_view.as_json(letter)))
        return
    console = Console(highlight=False)
    if found:
        console.print(dead_view.table(found, now_ms()))
    else:
        console.print("No dead job." if operation is user is reason is None else "No such dead job.")
    if more:
        console.print(f"There are more: --limit {2 * limit} shows {2 * limit}, --limit 0 all.")


def show_one(
    letter: Annotated[
        str, typer.Argument(metavar="ID", help="The letter, the first digits of its id, or its job's id.")
    ],
    *,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the picture there; never over a file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, without the headers.")] = False,
) -> None:
    """Show one dead job: each attempt with its VM, time and reason, its headers and its picture's size and kind."""
    from ui.commands.dead_work import opened, picture  # noqa: PLC0415 (a usage error doesn't wait for this import)

    chosen = _chosen()
    (meant,) = named([letter], _letters(Sieve()))
    message = asyncio.run(opened(broker_url(chosen), meant.id))
    told = letter_of(message, now_ms())
    if as_json:
        print(json.dumps(dead_view.as_json(told)))
    else:
        print("\n".join(dead_view.lines(told, message, now_ms())))
    if save is not None:
        _save(save, asyncio.run(picture(chosen, message)))
        Console(stderr=True).print(f"The picture is in {printable(str(save))}", highlight=False, soft_wrap=True)


def replay(  # noqa: PLR0913 (each argument is an option of the command)
    ids: Ids = None,
    *,
    everything: All = False,
    operation: OfOperation = None,
    user: OfUser = None,
    reason: ForReason = None,
    older_than: Older = None,
    younger_than: Younger = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also after three replays, and where nobody waits for the answer.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Send dead jobs to the lanes again, with attempts counted anew and without a deadline.

    One whose reply queue is gone stays, since its answer, and with it the picture, would be lost. So does one that died
    after three replays already.

    Exit status: 0 when all were sent, 1 when some were not.
    """
    sieve = _sieve(operation, user, reason, older_than, younger_than)
    meant = _meant(ids or [], sieve, everything=everything)
    gone = _gone(meant)
    refused = {letter: why for letter in meant if (why := letter.why_not(gone=letter.replies in gone, force=force))}
    for letter, why in refused.items():
        _complain(letter, why)
    _offer_force(refused, len(meant))
    going = [letter for letter in meant if letter not in refused]
    failed = _carry_out(going, "send again", yes=yes, force=force, gone=gone) if going or not refused else False
    raise typer.Exit(int(failed or bool(refused)))


def _offer_force(refused: Collection[Letter], of: int) -> None:
    forced = sum(letter.refused is None for letter in refused)
    if forced:
        print(dead_view.staying(forced, of), file=sys.stderr)


def purge(  # noqa: PLR0913 (each argument is an option of the command)
    ids: Ids = None,
    *,
    everything: All = False,
    operation: OfOperation = None,
    user: OfUser = None,
    reason: ForReason = None,
    older_than: Older = None,
    younger_than: Younger = None,
    yes: Yes = False,
) -> None:
    """Take dead jobs out for good, with their pictures.

    Exit status: 0 when all were removed, 1 when some were not.
    """
    sieve = _sieve(operation, user, reason, older_than, younger_than)
    meant = _meant(ids or [], sieve, everything=everything)
    raise typer.Exit(int(_carry_out(meant, "remove", yes=yes)))


# -- which ones


def _sieve(
    operation: str | None, user: str | None, reason: str | None, older_than: str | None, younger_than: str | None
) -> Sieve:
    return Sieve(operation, user, reason, before_ms=_ago(older_than), after_ms=_ago(younger_than))


def _ago(span: str | None) -> int | None:
    try:
        return None if span is None else int((time.time() - seconds_of(span)) * 1000)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _meant(ids: list[str], sieve: Sieve, *, everything: bool) -> list[Letter]:
    if bool(ids) == everything:
        raise typer.BadParameter("Name letters by their ids, or say --all, with filters if you like; not both.")
    if not ids:
        return _letters(sieve)
    if sieve != Sieve():
        raise typer.BadParameter("Filters choose among --all; letters named by their ids need none.")
    return named(ids, _letters(Sieve()))


def _letters(sieve: Sieve) -> list[Letter]:
    return _found(sieve, limit=0)[0]


def _found(sieve: Sieve, limit: int) -> tuple[list[Letter], bool]:
    """The letters that are meant, `limit` at the most (0: all), and whether there are more."""
    from ui.commands.dead_work import found  # noqa: PLC0415 (a usage error doesn't wait for this import)

    with Console(stderr=True).status("Looking through the dead jobs ..."):
        return asyncio.run(found(broker_url(_chosen()), sieve, limit))


def _gone(letters: list[Letter]) -> frozenset[str]:
    """The reply queues of these letters that are gone."""
    from ui.commands.dead_work import gone  # noqa: PLC0415 (a usage error doesn't wait for this import)

    return asyncio.run(gone(broker_url(_chosen()), letters)) if letters else frozenset()


def _chosen() -> settings.Settings:
    set_up_logs("CRITICAL")  # what goes wrong is told once, with its remedy
    return settings.load()


# -- what is done


def _carry_out(
    letters: list[Letter], verb: Verb, *, yes: bool, force: bool = False, gone: Collection[str] = ()
) -> bool:
    """Ask, do it, and say how far it got. Returns whether anything was left undone."""
    from ui.commands.dead_work import Work, carry_out  # noqa: PLC0415 (a usage error doesn't wait for this import)

    if not letters:
        print(f"There is no dead job to {verb}.")
        return False
    print("\n".join(dead_view.plan(letters, verb, gone)))
    _ask(yes=yes)
    work = Work(tuple(letters), verb, by=f"{me()}@{socket.gethostname()}", force=force)
    try:
        with Console(stderr=True).status("") as status:
            asyncio.run(carry_out(broker_url(_chosen()), work, status.update))
    except (KeyboardInterrupt, asyncio.CancelledError):
        work.interrupted = True
    except OverspillError as error:
        _report(work)
        raise OverspillError(f"{error}. What is not done is still there.") from None
    left = _report(work)
    if work.interrupted and left:
        raise typer.Exit(_INTERRUPTED)
    return left


def _ask(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise OverspillError("Nobody is there to be asked, and nothing was done: add --yes.")
    typer.confirm("Go on?", abort=True)


def _report(work: "Work") -> bool:
    """Say what became of the letters. Returns whether any is left."""
    for outcome in work.refused:
        _complain(outcome.letter, outcome.refused or "")
    whole = dead_view.jobs(len(work.letters))
    beginning = "Interrupted: " if work.interrupted else ""
    print(f"{beginning}{work.done} of {whole} {'sent again' if work.verb == 'send again' else 'removed'}.")
    if work.left:
        print(f"{dead_view.jobs(work.left)} not reached, or no more there.", file=sys.stderr)
    return bool(work.left or work.refused)


def _save(file: Path, body: bytes) -> None:
    try:
        with file.open("xb") as opened:
            opened.write(body)
    except FileExistsError:
        raise OverspillError(f"{file} is there already: name another file.") from None
    except OSError as error:
        raise OverspillError(f"{file} can't be written ({error.strerror}).") from None


def _complain(letter: Letter, why: str) -> None:
    print(printable(f"{dead_view.name_of(letter)}: {why}"), file=sys.stderr)
