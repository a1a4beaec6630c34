"""The options of `overspill bench`, with their help."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

RUN: Final = "60s"
STEP: Final = "20s"
"""How long each rate of a search is tried, unless told otherwise."""

Rate = Annotated[float, typer.Option(min=0.01, help="Jobs a second; where a search begins.")]
For = Annotated[
    str | None, typer.Option("--for", help=f"How long to send: 90s, 5m. Default: {RUN}; in a search {STEP} a rate.")
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Send so many, then stop.")]
Arriving = Annotated[Literal["poisson", "constant"], typer.Option(help="As strangers come, or in equal steps.")]
Users = Annotated[int, typer.Option(min=1, max=100_000, help="Users that the jobs are spread over.")]
Spreading = Annotated[
    Literal["equal", "zipf"], typer.Option(help="Each user as many, or the k-th one k-th of the first one's.")
]
Mix = Annotated[str, typer.Option(help="Operations and their weights: sketch=3,caption=1.")]
Param = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A parameter; sketch.style=... is that operation's. May be repeated."),
]
Images = Annotated[str | None, typer.Option(help="A folder of pictures to send. Default: made ones.")]
Megapixels = Annotated[float, typer.Option(min=0.001, max=50, help="The size of made pictures.")]
Priority = Annotated[int, typer.Option(min=0, max=9, help="5 and over for someone who waits.")]
Site = Annotated[Literal["any", "local"], typer.Option(help="`local` keeps the pictures off the cloud.")]
WarmUp = Annotated[
    str | None, typer.Option(help="Left out at the beginning. Default: 5s, or a tenth of a short bench.")
]
Timeout = Annotated[str, typer.Option(help="A job without an answer by then is lost.")]
FindCapacity = Annotated[bool, typer.Option("--find-capacity", help="Look for the highest rate that is held.")]
Slo = Annotated[str, typer.Option(help="In a search: what 95 % of the jobs must be answered within.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures there; `-` is standard output.")]
Hgrm = Annotated[Path | None, typer.Option(help="Write the latencies there, for HdrHistogram's plotter.")]
Check = Annotated[bool, typer.Option("--check/--no-check", help="Look whether answers are their jobs' own.")]
Seed = Annotated[int, typer.Option(help="Another number gives another schedule.")]
