"""`overspill submit`: pictures in, results out."""

import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.text import Text

from bus import settings
from bus.answers import Answer
from bus.blobs import Blobs
from bus.errors import OverspillError, ProblemError
from bus.messages import ANONYMOUS
from bus.problems import Problem
from telemetry import traces
from telemetry.process import set_up_logs
from ui.commands.pictures import Names, expand, params_of, text_of
from ui.stack.state import CONNECT_WITHIN_S, broker_url, joined

_JOB_URN = "urn:overspill:job:"
_ANSWER_GRACE_S = 3.0
"""Waited past a job's time to live: the problem that it ran out says more than we could."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(submit)


def submit(  # noqa: PLR0913 (each argument is an option of the command)
    images: Annotated[list[str], typer.Argument(help="Files, folders, or patterns the shell left alone.")],
    *,
    operation: Annotated[
        str, typer.Option("-o", "--operation", help="What to do: sketch, remove-background, caption.")
    ] = "sketch",
    out: Annotated[Path, typer.Option(help="The folder for the results.", file_okay=False)] = Path(),
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter; may be repeated.")] = None,
    user: Annotated[str | None, typer.Option(help="Whose fair share the jobs count against. Default: you.")] = None,
    priority: Annotated[int, typer.Option(min=0, max=9, help="5 and over for someone who waits.")] = 5,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that each job may take, waiting included.")] = 300.0,
    window: Annotated[int, typer.Option(min=1, help="Jobs under way at a time.")] = 32,
    local: Annotated[bool, typer.Option("--local", help="Keep the pictures off the cloud.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
) -> None:
    """Send pictures through the fleet and write their results.

    Exit status: 0 when all went well, 1 when some failed, 2 for a command that can't be meant.
    """
    set_up_logs("CRITICAL")  # what goes wrong is told below, once and with its remedy
    order = order_of(images, operation, param or [])
    options = {
        "user": user or me(),
        "priority": priority,
        "site": "local" if local else "any",
        "expiration_s": timeout,
    }
    chosen = settings.load()
    out.mkdir(parents=True, exist_ok=True)
    names = Names(order.images, operation, out)
    with _reporting(len(order.images), as_json=as_json) as report, traces.exported(chosen, "client", _warn):
        for image, outcome in _outcomes(chosen, order, options, window):
            report.tell(result_of(image, outcome, names))
    raise typer.Exit(1 if report.failed else 0)


def _warn(what: str) -> None:
    print(what, file=sys.stderr)


@dataclass(frozen=True, slots=True)
class Order:
    """What to do to which pictures."""

    images: list[Path]
    operation: str
    params: dict[str, Any]


def order_of(arguments: list[str], operation: str, pairs: list[str]) -> Order:
    """What the command line asks for. Raises BadParameter naming what can't be meant."""
    try:
        return Order(expand(arguments), operation, params_of(pairs))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def me() -> str:
    """Whose jobs these are unless told otherwise: the account's name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        return ANONYMOUS


def _outcomes(
    chosen: settings.Settings, order: Order, options: dict[str, Any], window: int
) -> Iterator[tuple[Path, Answer | OverspillError]]:
    from producers.client import Client  # noqa: PLC0415 (a usage error doesn't wait for this import)

    connection = Client(
        broker_url(chosen),
        connect_timeout_s=CONNECT_WITHIN_S,
        max_image_bytes=chosen.max_image_bytes,
        blobs=Blobs.of(joined(chosen)),
    )
    timeout_s = options["expiration_s"] + _ANSWER_GRACE_S
    with connection as client:
        answers = client.map(order.operation, order.images, order.params, window=window, timeout_s=timeout_s, **options)
        for image, outcome in answers:
            assert isinstance(image, Path)  # noqa: S101 (we gave paths)
            yield image, outcome


@dataclass(frozen=True, slots=True)
class Result:
    """How one picture went: what to say of it, to people and to programs."""

    image: Path
    failed: bool
    words: str
    facts: dict[str, Any] = field(default_factory=dict)


def result_of(image: Path, outcome: Answer | OverspillError, names: Names) -> Result:
    """How a picture went; a result is written to its file."""
    if isinstance(outcome, OverspillError):
        return failure(image, outcome)
    path = names.of(image, outcome.content_type)
    text = text_of(outcome.body, outcome.content_type)
    try:
        path.write_bytes(outcome.body if text is None else f"{text}\n".encode())
    except OSError as error:
        return failure(image, OverspillError(f"{path} can't be written ({error.strerror}). Choose another --out."))
    return success(image, path, outcome, text)


def success(image: Path, path: Path, answer: Answer, text: str | None) -> Result:
    """A picture that went well: its result, and where it ran and how long."""
    where = f"{answer.vm or 'somewhere'}{' in the cloud' if answer.route == 'cloud' else ''}"
    words = f"{image} -> {path}  ({where}, {_seconds(answer.ran_ms)} after waiting {_seconds(answer.waited_ms)})"
    told = ("vm", "route", "attempt", "waited_ms", "ran_ms", "model", "cost")
    facts = {"image": str(image), "output": str(path), "job": answer.job, **{k: getattr(answer, k) for k in told}}
    if text is None:
        return Result(image, failed=False, words=words, facts=facts)
    return Result(image, failed=False, words=f"{words}\n  {text}", facts={**facts, "caption": text})


def _seconds(ms: int | None) -> str:
    return "? s" if ms is None else f"{ms / 1000:.2f} s"


def failure(image: Path, error: OverspillError) -> Result:
    """A picture that didn't: why, and what to do."""
    facts: dict[str, Any] = {"image": str(image), "error": str(error)}
    words = f"{image}: {error}"
    if isinstance(error, ProblemError):
        facts["problem"] = error.problem.model_dump(exclude_none=True)
        if job := _job_of(error.problem):
            facts["job"] = job
            words += f"\n  `overspill why {job}` tells its story."
    return Result(image, failed=True, words=words, facts=facts)


def _job_of(problem: Problem) -> str | None:
    """The id of the job that a problem answers; None for one that was found before there was a job."""
    instance = problem.instance or ""
    return instance.removeprefix(_JOB_URN) if instance.startswith(_JOB_URN) else None


class Report:
    """Tells of each result as it comes, and keeps count of the failed."""

    def __init__(self, console: Console, progress: Progress | None, *, as_json: bool) -> None:
        self.failed = 0
        self._console = console
        self._progress = progress
        self._as_json = as_json

    def tell(self, result: Result) -> None:
        """Print a result: on standard output when it went well or for programs, else as an error."""
        self.failed += result.failed
        if self._as_json:
            print(json.dumps(result.facts), flush=True)
        elif result.failed and self._progress is None:
            print(result.words, file=sys.stderr, flush=True)
        else:
            self._console.print(Text(result.words, "red" if result.failed else ""), soft_wrap=True)
        if self._progress is not None:
            self._progress.advance(self._progress.task_ids[0])


@contextmanager
def _reporting(total: int, *, as_json: bool) -> Iterator[Report]:
    """A report with a progress bar where a person looks on, and plain lines elsewhere."""
    console = Console(highlight=False)
    if as_json or not console.is_terminal:
        yield Report(console, None, as_json=as_json)
        return
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task("pictures", total=total)
        yield Report(console, progress, as_json=False)
