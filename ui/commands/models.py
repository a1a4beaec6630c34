"""`overspill models list`, `pull` and `verify`: the weights that remove-background and caption compute with."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from bus import settings
from bus.errors import SetupError
from consumers.fetching import Advance, FetchFailed, pull
from consumers.models import CATALOGUE, Models, Weights, pull_hint
from ui.stack import extras

DEFAULTS = ("u2netp", "blip-image-captioning-base")
"""What the operations use when a job names no model."""

Names = Annotated[list[str] | None, typer.Argument(help="Models as `overspill models list` names them.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The models that remove-background and caption need.", no_args_is_help=True)
    group.command("list")(list_models)
    group.command("pull")(pull_models)
    group.command("verify")(verify_models)
    app.add_typer(group, name="models")


def list_models() -> None:
    """Every model there is: what it is for, its size and licence, and whether it is on this machine."""
    models = _models()
    table = Table("model", "operation", "size", "licence", "here", box=None)
    for weights in CATALOGUE.values():
        here = Text("no", "dim") if models.missing(weights) else Text("yes", "green")
        name = f"{weights.name} (default)" if weights.name in DEFAULTS else weights.name
        table.add_row(name, weights.operation, f"{weights.megabytes:,} MB", weights.licence, here)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"They lie in {models.folder}", soft_wrap=True)


def pull_models(names: Names = None) -> None:
    """Fetch models ahead: those named, else the default of each operation whose packages are installed.

    What is here already is only checked.
    """
    models, failed = _models(), []
    chosen = _named(names) if names else _of_installed()
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()) as progress:
        for weights in chosen:
            if models.missing(weights):
                progress.console.print(
                    f"Fetching {weights.name} ({weights.megabytes:,} MB) for {weights.operation} ..."
                )
            try:
                elsewhere = pull(models, weights, _shown(progress, weights))
            except FetchFailed as why:
                failed.append(str(why))
                continue
            progress.console.print(f"{weights.name} is here ({weights.licence}, {weights.page})", soft_wrap=True)
            for note in elsewhere:
                progress.console.print(note, soft_wrap=True)
    if failed:
        raise SetupError("\n".join(failed))


def verify_models(names: Names = None) -> None:
    """Check the sums of the models named, else of all that are here. Exit status 1 when one is wrong."""
    models, wrong = _models(), False
    chosen = _named(names) if names else [weights for weights in CATALOGUE.values() if _any_here(models, weights)]
    console = Console(highlight=False)
    for weights in chosen:
        faults = models.faults(weights)
        wrong |= bool(faults)
        verdict = Text(f"{'; '.join(faults)} ({pull_hint(weights.name)})", "red") if faults else Text("as published")
        console.print(Text(f"{weights.name}: ").append(verdict), soft_wrap=True)
    if not chosen:
        console.print(f"No model is in {models.folder}; {pull_hint(DEFAULTS[0])}", soft_wrap=True)
    raise typer.Exit(int(wrong))


def _models() -> Models:
    chosen = settings.load()
    return Models(chosen.models_dir or chosen.state_dir / "models")


def _named(names: Sequence[str]) -> list[Weights]:
    if unknown := [name for name in names if name not in CATALOGUE]:
        raise SetupError(f"There is no model {unknown[0]!r}; there are: {', '.join(CATALOGUE)}")
    return [CATALOGUE[name] for name in names]


def _of_installed() -> list[Weights]:
    """The default models of the operations that can run here; says which are left out."""
    chosen, console = [], Console(highlight=False, soft_wrap=True, stderr=True, markup=False)
    for weights in _named(DEFAULTS):
        if extras.missing(weights.operation):
            remedy = extras.remedy(weights.operation)
            console.print(f"{weights.name} is left out: {weights.operation} is not installed ({remedy})")
        else:
            chosen.append(weights)
    return chosen


def _any_here(models: Models, weights: Weights) -> bool:
    return len(models.missing(weights)) < len(weights.files)


def _shown(progress: Progress, weights: Weights) -> Advance:
    task = progress.add_task(weights.name, total=None)
    return lambda done, whole: progress.update(task, completed=done, total=whole)
