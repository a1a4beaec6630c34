"""`overspill why`: everything that was told of one job."""

import asyncio
import itertools
import re
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Annotated, Final

import typer
from pydantic_core import to_json
from rich.console import Console

from bus import settings
from bus.errors import BadInput, OverspillError
from bus.events import JobEvent, read_event
from bus.topology import EVENTS_HISTORY, shared
from telemetry.process import set_up_logs
from ui.commands.why_view import arrived_ms, in_order, render
from ui.commands.wording import printable, seconds_of
from ui.stack.state import CONNECT_WITHIN_S, broker_url

_LEAST: Final = 8
"""Characters of an id from which it may be a beginning."""
_MOST_NAMED: Final = 10
_SPANS: Final = ("15m", "24h")
"""Most ask of what has just happened, and a day's events are a hundred times as many."""
_BEGINNINGS: Final = frozenset({"waiting", "parked", "routed", "failed", "unanswerable"})
_A_LOOK: Final = 2000
_AT: Final = re.compile(rb'"at_ms":(\d{1,15})\b')


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(why)


def why(
    job: Annotated[
        str,
        typer.Argument(help="The job's id, as `overspill submit --json` tells it, or 8 characters of its beginning."),
    ],
    *,
    since: Annotated[
        str | None,
        typer.Option(
            help="How far to look back: 90s, 15m, 24h, 2d. Default: 15m, and where that doesn't tell all of it, 24h.",
            show_default=False,
        ),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's job of that id. Default: everybody's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The events as they were told, one a line.")] = False,
) -> None:
    """Tell what became of a job: where it waited and ran, and why there.

    The events are kept for a day; a busy system drops the oldest sooner. All of the span are read: a day's may take a
    minute or two.
    """
    set_up_logs("CRITICAL")  # what goes wrong is told once, with its remedy
    told = _told(job, user, since)
    if as_json:
        for event in told:
            print(event.model_dump_json(exclude_none=True))
        return
    Console(highlight=False).print(render(told), soft_wrap=True)


def _told(job: str, user: str | None, since: str | None) -> list[JobEvent]:
    spans = _SPANS if since is None else (since,)
    moments = [(each, time.time() - _span(each)) for each in spans]
    url = broker_url(settings.load())
    for each, from_s in moments:
        told = _meant(_read(job, user, url, each, from_s), job)
        if told and (each == spans[-1] or begins_here(told[0], int(from_s * 1000))):
            return told
    raise OverspillError(f"No trace of job {printable(job)}{f' of {user}' if user else ''}{_remedy(job, spans[-1])}")


def _read(job: str, user: str | None, url: str, span: str, from_s: float) -> list[JobEvent]:
    began, reading = time.time(), f"Reading the events of the last {span} ..."
    with Console(stderr=True).status(reading) as status:

        def show(at_ms: int) -> None:
            done = (at_ms / 1000 - from_s) / max(1.0, began - from_s)
            status.update(f"{reading} {min(1.0, max(0.0, done)):.0%}")

        begins = len(job) >= _LEAST
        return asyncio.run(events_of(job, url, int(from_s * 1000), user=user, begins=begins, show=show))


def _remedy(job: str, span: str) -> str:
    short = f" As a beginning of one it is too short: {_LEAST} characters are needed." if len(job) < _LEAST else ""
    return (
        f" in the last {span}. Check its id, or look further back with --since; events are kept for a day, on a busy "
        f"system for less.{short}"
    )


def begins_here(first: JobEvent, from_ms: int) -> bool:
    """Whether the first thing told of a job since a moment is its beginning, so that nothing was told before.

    One that was parked, or that the cloud gave back, is at its first attempt again: it came when it first came.
    """
    return first.state in _BEGINNINGS and (first.attempt or 1) == 1 and arrived_ms(first) >= from_ms


def _meant(told: list[JobEvent], job: str) -> list[JobEvent]:
    """The events of the one job meant: of that very id, or the only id that begins so. Raises OverspillError."""
    very = [event for event in told if event.job == job]
    others = sorted({event.job for event in told})
    if very or len(others) < 2:
        return very or told
    named = "".join(f"\n  {printable(name)}" for name in others[:_MOST_NAMED])
    raise OverspillError(f"{len(others)} jobs' ids begin with {printable(job)}; name one by more of it:{named}")


def _span(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


async def events_of(
    job: str,
    url: str,
    since_ms: int,
    *,
    user: str | None = None,
    begins: bool = False,
    show: Callable[[int], object] = lambda _at_ms: None,
) -> list[JobEvent]:
    """What was told of a job since a moment (milliseconds since the epoch), oldest first.

    Ids are their callers' own and may repeat: `user` chooses one caller's. `begins` is for all jobs whose ids begin
    with `job`. `show` is told now and then up to which moment all has been read. Raises SetupError when no broker
    answers.
    """
    from bus.rabbit import Bus  # noqa: PLC0415 (a usage error doesn't wait for this import)

    written = to_json(job)  # as in the event's JSON, so that most are passed over without being read
    written = written[:-1] if begins else written
    bus = Bus(url, name="why", topology=shared())
    await bus.start(CONNECT_WITHIN_S)
    try:
        async with aclosing(bus.replay(EVENTS_HISTORY, since_ms, _naming(written, show))) as history:
            found = [event_of(message.body, job, begins=begins) async for message in history]
    finally:
        await bus.close()
    return in_order([event for event in found if event is not None and user in {None, event.user}])


def _naming(written: bytes, show: Callable[[int], object]) -> Callable[[bytes], bool]:
    """Whether a body names the job; looks at the time of one in `_A_LOOK`, unparsed, to show how far it is."""
    read = itertools.count(1)

    def wanted(body: bytes) -> bool:
        if next(read) % _A_LOOK == 0 and (at := _AT.search(body)):
            show(int(at[1]))
        return written in body

    return wanted


def event_of(body: bytes, job: str, *, begins: bool = False) -> JobEvent | None:
    """A step of this job (or `begins`: of one whose id begins so), or None for anything else that names it."""
    try:
        event = read_event(body)
    except BadInput:
        return None
    if not isinstance(event, JobEvent):
        return None
    return event if event.job == job or (begins and event.job.startswith(job)) else None
