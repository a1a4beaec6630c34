"""What `overspill record` says: while it goes on, and when it has ended. Pure."""

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bus.prices import dollars
from producers.flight.recording import Header
from ui.commands.wording import printable, short
from ui.record.summary import Summary, Times

_MOST_ROWS: Final = 20


def progress(summary: Summary, span_ms: int) -> str:
    """How far it has come."""
    return f"{_counted(summary)}, {short(span_ms / 1000)} so far"


def ended(summary: Summary, header: Header, name: str) -> RenderableType:
    """What is in the recording `name`, and what is not."""
    head = f"{printable(name)}: {_counted(summary)} in {short((header.to_ms - header.from_ms) / 1000)}"
    return Group(Text(head, "bold"), *_body(summary), *_missing(header))


def _body(summary: Summary) -> Iterator[RenderableType]:
    if summary.all.jobs:
        yield _table(summary)
        yield Text(
            f"{summary.cloud_share:.1%} of the placed jobs in the cloud, for {dollars(summary.cost)} (estimated)"
        )


def _table(summary: Summary) -> Table:
    table = Table("operation", "place", box=None, pad_edge=False, header_style="dim")
    for column in ("jobs", "failed", "unfinished", "p50", "p95", "p99"):
        table.add_column(column, justify="right")
    rows = sorted(summary.rows.items(), key=lambda row: -row[1].jobs)
    for (operation, place), times in rows[:_MOST_ROWS]:
        table.add_row(printable(operation), place, *_figures(times))
    if len(rows) > 1:
        table.add_row("all", "", *_figures(summary.all), style="bold")
    return table


def _figures(times: Times) -> tuple[str, ...]:
    told = times.answered
    quantiles = ("" if ms is None else short(ms / 1000) for ms in (told.p50, told.p95, told.p99))
    return (f"{times.jobs:,}", f"{times.failed:,}", f"{times.unfinished:,}", *quantiles)


def _missing(header: Header) -> Iterator[Text]:
    for what in header.missing:
        yield Text(f"Left out: {printable(what)}", "yellow")


def _counted(summary: Summary) -> str:
    jobs, vms = summary.all.jobs, len(summary.vms)
    return f"{jobs:,} {'job' if jobs == 1 else 'jobs'}, {vms} {'VM' if vms == 1 else 'VMs'}"
