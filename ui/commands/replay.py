"""`overspill replay`: a recorded day again, under another rule, on other VMs, with or without a cloud."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from bus.errors import OverspillError
from bus.settings import Settings
from producers.flight.what_if import WhatIf
from ui.commands.wording import printable
from ui.stack import extras

# What routes is imported when a file is played: other commands don't wait for it.
if TYPE_CHECKING:
    from producers.flight.outcomes import Replayed
    from producers.flight.recording import Recording
    from ui.replay.report import Report

_POLICIES: Final = ", ".join(get_args(Settings.model_fields["policy"].annotation))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="replay")(replay_file)


def replay_file(  # noqa: PLR0913 (each argument is an option of the command)
    file: Annotated[Path, typer.Argument(help="What `overspill record` wrote.")],
    *,
    policy: Annotated[str | None, typer.Option(help=f"Another policy: {_POLICIES}.")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=100, help="Another CPU threshold, percent.")] = None,
    ram_threshold: Annotated[float | None, typer.Option(min=0, max=100, help="Another one of RAM, percent.")] = None,
    add_vm: Annotated[int, typer.Option(min=0, max=1000, help="So many VMs more, like those there were.")] = 0,
    remove_vm: Annotated[list[str] | None, typer.Option(help="Without this VM; may be given several times.")] = None,
    cloud: Annotated[bool | None, typer.Option("--cloud/--no-cloud", help="With a cloud, or without.")] = None,
    money_per_day: Annotated[float | None, typer.Option(min=0, help="Another cap on the cloud, US dollars.")] = None,
    user_weights: Annotated[str | None, typer.Option(help="Shares of computing time: anna=2,ben=0.5.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Draw into this folder.")] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="The figures for programs.")] = False,
) -> None:
    """Play a recorded day again, through the code that routes, and lay it beside the day as it was.

    Without options it is played unchanged, which tells how far a replay of this recording is to be believed.
    """
    from ui.replay.report import as_json, render, report  # noqa: PLC0415 (see above)

    asked = WhatIf(
        policy=policy,
        cpu_threshold=threshold,
        ram_threshold=ram_threshold,
        add_vms=add_vm,
        remove_vms=tuple(remove_vm or ()),
        cloud=cloud,
        money_per_day=money_per_day,
        user_weights=weights_of(user_weights or ""),
    )
    if plots is not None and (lacking := extras.said_missing("lab")):
        raise OverspillError(f"--plots needs the extra `lab`: {lacking}.")
    recording = _read(file)
    played = _play(recording, asked)
    told = report(recording, asked, played)
    if plots is not None:
        _draw(told, played, plots)
    if as_json_:
        print(json.dumps(as_json(told), indent=2))
    else:
        Console(highlight=False).print(render(told))


def weights_of(text: str) -> dict[str, float]:
    """Users' weights in `anna=2,ben=0.5`. Raises typer.BadParameter for anything else."""
    pairs = (part.rpartition("=") for part in text.split(",") if part.strip())
    weights: dict[str, float] = {}
    for user, _, weight in pairs:
        value = _positive(weight)
        if not user.strip() or value is None:
            raise typer.BadParameter("must look like anna=2,ben=0.5, with numbers above 0", param_hint="--user-weights")
        weights[user.strip()] = value
    return weights


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None


def _read(file: Path) -> "Recording":
    from producers.flight.files import read  # noqa: PLC0415 (see above)

    try:
        with Console(stderr=True).status(f"Reading {printable(str(file))} ..."):
            return read(file)
    except OSError as error:
        raise OverspillError(
            f"{file} can't be read ({error.strerror or error}): name a file of `overspill record`."
        ) from None


def _play(recording: "Recording", asked: WhatIf) -> "Replayed":
    from ui.replay.running import replay  # noqa: PLC0415 (see above)

    hours = (recording.header.to_ms - recording.header.from_ms) / 3_600_000
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        names = ["unchanged", *([asked.said()] if asked.changes else [])]
        said = f"{len(recording.jobs):,} jobs of {hours:.1f} h"
        bars = [progress.add_task(f"Playing {said}, {printable(name)}", total=1.0) for name in names]

        def show(shares: Sequence[float]) -> None:
            for bar, share in zip(bars, shares, strict=True):
                progress.update(bar, completed=share)

        return replay(recording, asked, show)


def _draw(told: "Report", played: "Replayed", folder: Path) -> None:
    from ui.replay.plots import draw  # noqa: PLC0415 (an extra brings what it needs)

    days = [played.recorded, played.unchanged, *([played.hypothetical] if played.hypothetical is not None else [])]
    try:
        drawn = draw([(name, day) for (name, _), day in zip(told.columns, days, strict=True)], folder)
    except OSError as error:
        raise OverspillError(f"{folder} can't be written ({error.strerror or error}): name another folder.") from None
    Console(stderr=True).print(f"Drawn: {', '.join(str(path) for path in drawn)}", soft_wrap=True)
