"""What `overspill why` shows: the steps of a job, in words and small tables. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.text import Text

from bus.events import Candidate, CloudSeen, JobEvent
from bus.prices import dollars
from ui.commands.wording import printable, short, trace_of

COLOURS = {
    "done": "green", "failed": "red", "unanswerable": "red", "purged": "red", "retried": "yellow", "parked": "yellow",
    "replayed": "magenta",
}  # fmt: skip
_ENDS = ("done", "failed", "unanswerable", "purged")
_TOWARDS = ("routed", "sent")
_INDENT = " " * 12
_HEAD = ("  VM", "load", "RAM", "age", "held", "room", "end", "verdict")

Row = tuple[str, ...]


def in_order(told: Sequence[JobEvent]) -> list[JobEvent]:
    """Events in the order they came, but each placement before what came of it.

    A router tells of a placement once the broker has confirmed it, and a VM may have begun by then. The order of their
    clocks would be no better: machines' clocks differ.
    """
    begun: dict[str, int] = {}
    for index, event in enumerate(told):
        begun.setdefault(event.placement or "", index)

    def place(numbered: tuple[int, JobEvent]) -> tuple[int, bool]:
        index, event = numbered
        routed = event.state == "routed" and event.placement is not None
        return (begun[event.placement or ""], False) if routed else (index, True)

    return [event for _, event in sorted(enumerate(told), key=place)]


def render(told: Sequence[JobEvent]) -> Text:
    """The events of one job id, at least one and in the order they came; of each user's job a part of its own."""
    by_user = sorted(told, key=lambda event: event.user)  # stable: each user's stay in order
    return Text("\n").join(
        line for _, events in groupby(by_user, key=lambda event: event.user) for line in _part(events)
    )


def _part(events: Iterable[JobEvent]) -> Iterator[Text]:
    told = list(events)
    began_ms = arrived_ms(told[0])
    yield Text(printable(headline(told)), "bold")
    yield from (Text(f"{_INDENT}trace {printable(trace)}", "dim") for trace in _traces(told))
    for event in told:
        yield _step(event, (event.at_ms - began_ms) / 1000)
        if event.policy:
            yield Text(_INDENT + printable(decision(event)), "dim")
        for line in receipt(event):
            yield Text(_INDENT + printable(line))


def _traces(told: Sequence[JobEvent]) -> list[str]:
    """The ids of the traces it is part of, mostly one; a caller who uses an id again begins another."""
    return list(dict.fromkeys(filter(None, (trace_of(event.traceparent) for event in told))))


def headline(told: Sequence[JobEvent]) -> str:
    """What the job is and how it stands."""
    first, last = told[0], told[-1]
    pixels = next((event.pixels for event in told if event.pixels), None)
    size = f" of {pixels / 1e6:.1f} megapixels" if pixels else ""
    took_ms = last.at_ms - arrived_ms(first)
    after = f" after {short(took_ms / 1000)}" if last is not first or took_ms else ""
    stands = f"{last.state}{after}" if last.state in _ENDS else f"{last.state}, and no end is told yet"
    replays = sum(event.state == "replayed" for event in told)
    again = f", sent again out of the dead queue{f' {replays} times' if replays > 1 else ''}" if replays else ""
    return f"Job {first.job} of {first.user}: {first.operation}{size}{again}, {stands}"


def arrived_ms(first: JobEvent) -> int:
    """When a router first saw the job: before the first thing told of it, which mostly is where it was placed."""
    return first.at_ms - (first.waited_ms or 0) - (first.ran_ms or 0)


def _step(event: JobEvent, at_s: float) -> Text:
    line = Text(f"{f'{at_s:+.2f} s':>10}  ").append(f"{event.state:<9}", COLOURS.get(event.state, "cyan"))
    return line.append(printable(_and(words(event))))


def _and(parts: Sequence[str]) -> str:
    return f" {', '.join(parts)}" if parts else ""


def words(event: JobEvent) -> list[str]:
    """One step in words: where, which attempt, how long, and why."""
    told = [
        _where(event),
        event.attempt is not None and event.attempt > 1 and f"attempt {event.attempt}",
        event.place is not None and f"place {event.place} in line",
        event.waited_ms is not None and f"waited {short(event.waited_ms / 1000)}",
        event.ran_ms is not None and f"ran {short(event.ran_ms / 1000)}",
        event.eta_s is not None and _eta(event.eta_s),
        event.cost is not None and f"estimated price {dollars(event.cost)}",
        event.problem and f"problem {event.problem}",
    ]
    parts = [part for part in told if part]
    if event.reason:
        parts[-1:] = [f"{parts[-1]}: {event.reason}"] if parts else [event.reason]
    return parts


def _where(event: JobEvent) -> str | None:
    towards = event.state in _TOWARDS
    if event.route == "cloud":
        there = f"on {event.vm} in the cloud" if event.vm else "in the cloud"
        return "to the cloud" if towards else there
    return f"{'to' if towards else 'on'} {event.vm}" if event.vm else None


def _eta(eta_s: tuple[float, float]) -> str:
    return f"its end expected in {short(eta_s[0])} to {short(eta_s[1])}"


def decision(event: JobEvent) -> str:
    """Who decided, and by which limits."""
    limits = ", ".join(f"{name} {value:g}" for name, value in sorted(event.limits.items()))
    return f"policy {event.policy}{f' ({limits})' if limits else ''} saw"


def receipt(event: JobEvent) -> list[str]:
    """What the policy looked at as the lines of a table, the chosen one marked; no lines for nothing."""
    rows = [_of_vm(seen, chosen=event.state == "routed" and seen.vm == event.vm) for seen in event.candidates]
    if event.cloud is not None:
        rows.append(_of_cloud(event.cloud, chosen=event.route == "cloud"))
    return _aligned([_HEAD, *rows]) if rows else []


def _of_vm(seen: Candidate, *, chosen: bool) -> Row:
    figures = (f"{seen.load:.0f} %", f"{seen.ram:.0f} %", f"{seen.age_s:.1f} s", f"{seen.held}/{seen.slots}")
    return (_mark(seen.vm, chosen=chosen), *figures, str(seen.room), _end(seen.end_s, seen.late_s), seen.verdict)


def _of_cloud(seen: CloudSeen, *, chosen: bool) -> Row:
    verdict = seen.why or ("open" if seen.open else "closed")
    cost = f", estimated price {dollars(seen.cost)}" if seen.cost else ""
    return (_mark("cloud", chosen=chosen), "", "", "", "", "", _end(seen.end_s, 0), f"{verdict}{cost}")


def _aligned(rows: Sequence[Row]) -> list[str]:
    """Names to the left, figures to the right; the verdict, last, as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_row(row, widths) for row in rows]


def _row(row: Row, widths: Sequence[int]) -> str:
    figures = (cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True))
    return "  ".join((row[0].ljust(widths[0]), *figures, row[-1]))


def _mark(name: str, *, chosen: bool) -> str:
    return f"{'>' if chosen else ' '} {name}"


def _end(likely_s: float, late_s: float) -> str:
    if not likely_s:
        return "?"
    return f"{short(likely_s)} to {short(late_s)}" if late_s > likely_s else short(likely_s)
