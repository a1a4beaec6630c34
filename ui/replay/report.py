"""A replay as words, a table and JSON. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bus.prices import dollars
from producers.flight.outcomes import Figures, Replayed, Times, figures
from producers.flight.player import rules
from producers.flight.recording import Recording
from producers.flight.trust import Errors, warnings
from producers.flight.what_if import WhatIf
from ui.commands.wording import printable

_NONE = "-"


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay says: figures side by side, and how far to believe them."""

    said: str
    rule: str
    recorded: Figures
    unchanged: Figures
    hypothetical: Figures | None
    errors: Errors
    warnings: tuple[str, ...]

    @property
    def columns(self) -> list[tuple[str, Figures]]:
        """The figures under their headings."""
        told = [("recorded", self.recorded), ("played unchanged", self.unchanged)]
        return told if self.hypothetical is None else [*told, (self.said, self.hypothetical)]


def report(recording: Recording, what_if: WhatIf, replayed: Replayed) -> Report:
    """Sum a replay up."""
    recorded, unchanged = figures(replayed.recorded), figures(replayed.unchanged)
    errors = Errors.of(unchanged, recorded)
    under = rules(recording, WhatIf())
    return Report(
        said=what_if.said(),
        rule=f"{under.policy}, {under.cpu_threshold:g} % CPU, {under.ram_threshold:g} % RAM",
        recorded=recorded,
        unchanged=unchanged,
        hypothetical=None if replayed.hypothetical is None else figures(replayed.hypothetical),
        errors=errors,
        warnings=tuple(warnings(recording, errors, what_if)),
    )


def as_json(told: Report) -> dict[str, Any]:
    """The report for programs; what is not known is null. Times are seconds, shares 0 to 1, costs US dollars."""
    return {name: _without_nan(value) for name, value in asdict(told).items()}


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    return [_without_nan(each) for each in value] if isinstance(value, list | tuple) else value


def render(told: Report) -> RenderableType:
    """The report for people."""
    trust = _trust(told)
    return Group(Text(f"The rule that was in force: {told.rule}."), _table(told), trust, *_warned(told.warnings))


def _warned(said: Sequence[str]) -> list[Text]:
    return [Text(f"! {printable(each)}", style="yellow") for each in said]


def _trust(told: Report) -> Text:
    errors = told.errors
    named = {"50th": errors.p50, "95th": errors.p95, "99th": errors.p99}
    percentiles = ", ".join(f"{name} {_signed(error)}" for name, error in named.items())
    overflow = f"{100 * errors.overflow:+.1f} points" if isfinite(errors.overflow) else _NONE
    return Text(f"Played unchanged it is off by: {percentiles} percentile of the time to answer; overflow {overflow}.")


def _signed(error: float) -> str:
    return f"{error:+.1%}" if isfinite(error) else _NONE


def _table(told: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("seconds: 50/95/99 %", no_wrap=True)
    for heading, _ in told.columns:
        table.add_column(printable(heading), justify="right", overflow="fold")
    for name, of in _rows(told):
        table.add_row(name, *(of(column) for _, column in told.columns))
    return table


_Of = Callable[[Figures], str]


def _rows(told: Report) -> list[tuple[str, _Of]]:
    operations = sorted({name for _, column in told.columns for name in column.by_operation})
    return [
        ("jobs answered", lambda of: f"{of.jobs:,}"),
        ("refused", lambda of: f"{of.refused:,}"),
        ("never answered", lambda of: f"{of.unanswered:,}"),
        ("to the answer", lambda of: _times(of.answer)),
        *((f"  {printable(name)}", _operation(name)) for name in operations),
        ("waiting", lambda of: _times(of.wait)),
        ("waited over a second", lambda of: _percent(of.waited)),
        ("overflow", lambda of: _percent(of.overflow)),
        ("cost of the cloud", lambda of: dollars(of.cost)),
        ("slots in use", lambda of: _percent(of.utilisation)),
        ("fairness to users", lambda of: f"{of.fairness:.3f}" if isfinite(of.fairness) else _NONE),
    ]


def _operation(name: str) -> _Of:
    return lambda of: _times(of.by_operation[name]) if name in of.by_operation else _NONE


def _times(times: Times) -> str:
    return " / ".join(map(_seconds, (times.p50, times.p95, times.p99)))


def _seconds(value: float) -> str:
    """In three digits: three columns of such times have room in 80 cells."""
    if not isfinite(value):
        return _NONE
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if isfinite(share) else _NONE
