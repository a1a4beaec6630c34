"""`overspill bench`: load as many people make it, and what they would have seen."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer

from bus import settings
from bus.blobs import Blobs
from bus.errors import OverspillError, SetupError
from telemetry.process import set_up_logs
from ui.commands import bench_options as option
from ui.commands.pictures import params_of
from ui.commands.wording import seconds_of
from ui.stack import extras
from ui.stack.state import CONNECT_WITHIN_S, broker_url, joined

if TYPE_CHECKING:
    from ui.bench.running import Order, Ran
    from ui.bench.search import Step
    from ui.bench.tally import Tally

T = TypeVar("T")
_WARM_UP_S: Final = 5.0
_WARM_UP_SHARE: Final = 0.1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(bench)


def bench(  # noqa: PLR0913 (each argument is an option of the command)
    *,
    rate: option.Rate = 1.0,
    for_: option.For = None,
    jobs: option.Jobs = None,
    arrivals: option.Arriving = "poisson",
    users: option.Users = 10,
    spread: option.Spreading = "equal",
    mix: option.Mix = "sketch",
    param: option.Param = None,
    images: option.Images = None,
    megapixels: option.Megapixels = 0.5,
    priority: option.Priority = 5,
    site: option.Site = "any",
    warm_up: option.WarmUp = None,
    timeout: option.Timeout = "60s",
    find_capacity: option.FindCapacity = False,
    slo: option.Slo = "2s",
    as_json: option.Json = None,
    hgrm: option.Hgrm = None,
    check: option.Check = True,
    seed: option.Seed = 0,
) -> None:
    """Send jobs as many people would, and tell how long they wait.

    Each is sent when it is due, however those before it fare, and its latency counts from then. Exit status 1 when jobs
    were lost, answered wrongly or not taken by the broker, or none got a good answer.
    """
    set_up_logs("CRITICAL")  # what goes wrong is counted, and told at the end
    _check_installed()
    from ui.bench import mix as mixing  # noqa: PLC0415 (these need what was just looked for)
    from ui.bench import pictures  # noqa: PLC0415
    from ui.bench.running import Order  # noqa: PLC0415
    from ui.bench.schedule import Load  # noqa: PLC0415

    for_s = _for_s(for_, jobs, option.STEP if find_capacity else option.RUN)
    operations = _meant(mixing.mix_of, mix)
    params = _meant(lambda pairs: mixing.params_for(operations.names, params_of(pairs)), param or [])
    warm_up_s = _warm_up_s(warm_up, for_s if for_s is not None else (jobs or 1) / rate)
    slo_s = _meant(seconds_of, slo) if find_capacity else None
    timeout_s = _meant(seconds_of, timeout)
    sent = pictures.of_folder(images) if images else pictures.made(megapixels)
    load = Load(rate, arrivals, operations, mixing.users_of(users, spread), len(sent), for_s, jobs)
    order = Order(load, sent, params, {"priority": priority, "site": site}, warm_up_s, timeout_s, check, seed)
    _tell(asyncio.run(_benched(settings.load(), order, slo_s)), slo_s, as_json, hgrm)


def _check_installed() -> None:
    """Raises SetupError naming what brings the packages that are missing."""
    missing = extras.said_missing("lab")
    if missing:
        raise SetupError(f"`overspill bench` needs more than is here: {missing}.")


def _meant(read: Callable[..., T], said: object) -> T:
    """What an option means. Raises BadParameter in the words of a ValueError."""
    try:
        return read(said)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _for_s(said: str | None, jobs: int | None, otherwise: str) -> float | None:
    """How long to send, seconds; None when a number of jobs alone ends it."""
    return None if jobs and not said else _meant(seconds_of, said or otherwise)


def _warm_up_s(said: str | None, lasts_s: float) -> float:
    if said is None:
        return min(_WARM_UP_S, _WARM_UP_SHARE * lasts_s)
    seconds = _meant(seconds_of, said)
    if seconds >= lasts_s:
        raise typer.BadParameter(f"--warm-up {said} leaves nothing of {lasts_s:g} s; give less, or a longer --for.")
    return seconds


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of it; of a search, the best rate's figures and all steps."""

    ran: "Ran"
    steps: "list[Step] | None" = None


async def _benched(chosen: settings.Settings, order: "Order", slo_s: float | None) -> _Done:
    from producers.client import AsyncClient  # noqa: PLC0415 (a usage error doesn't wait for these imports)
    from ui.bench.running import Bench  # noqa: PLC0415

    client = AsyncClient(
        broker_url(chosen),
        user="bench",
        connect_timeout_s=CONNECT_WITHIN_S,
        accept_timeout_s=order.timeout_s,
        max_image_bytes=chosen.max_image_bytes,
        blobs=Blobs.of(joined(chosen)),
    )
    async with client:
        bench = Bench(client, _stopped_by_ctrl_c(), _show)
        if slo_s is None:
            return _Done(await bench.run(order))
        steps, ran = await bench.search(order, slo_s, _show_step)
        return _Done(ran, steps)


def _stopped_by_ctrl_c() -> asyncio.Event:
    """Set by the first Ctrl-C; a second one ends the program."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_signal() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, on_signal)
    return stop


def _show(tally: "Tally", passed_s: float) -> None:
    """One line on the terminal, written over again and again."""
    from ui.bench.report import progress  # noqa: PLC0415

    if sys.stderr.isatty():
        print(f"\r\x1b[K{progress(tally, passed_s)}", end="", file=sys.stderr, flush=True)


def _show_step(step: "Step") -> None:
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{clear}{step.rate:.2f} jobs/s: {step.why_not or 'good'}", file=sys.stderr, flush=True)


def _tell(done: _Done, slo_s: float | None, as_json: Path | None, hgrm: Path | None) -> None:
    """Write all that was asked for, and end with the status that it means."""
    from ui.bench.replies import NOT_TAKEN, WRONG  # noqa: PLC0415
    from ui.bench.report import lines, search_lines  # noqa: PLC0415

    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    figures = done.ran.figures
    if as_json:
        _write(as_json, json.dumps(_facts(done), indent=2) + "\n")
    if as_json != Path("-"):
        print("\n".join([*(search_lines(done.steps, slo_s) if done.steps and slo_s else ()), *lines(figures)]))
    if hgrm:
        _write(hgrm, done.ran.latencies.hgrm())
    in_vain = figures.offered > 0 and not figures.good and not figures.under_way
    failed = figures.lost or figures.problems.get(WRONG) or figures.problems.get(NOT_TAKEN) or in_vain
    raise typer.Exit(1 if failed else 0)


def _facts(done: _Done) -> dict[str, Any]:
    steps = {} if done.steps is None else {"steps": [step.model_dump() for step in done.steps]}
    return {**done.ran.figures.model_dump(), **steps}


def _write(path: Path, text: str) -> None:
    if path == Path("-"):
        print(text, end="")
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OverspillError(f"{path} can't be written ({error.strerror}). Name another file.") from None
