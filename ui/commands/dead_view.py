"""What `overspill dead` shows: letters as a table, one letter whole, and what is about to be done. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from pydantic_core import to_jsonable_python
from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from bus.attempts import Attempt
from bus.messages import Message
from consumers.operations.sniffing import sniff
from producers.letter import Letter
from ui.commands.wording import printable, short, trace_of

ID_SHOWN: Final = 10
"""Digits of an id that a table shows: enough to name a letter by."""
_COLUMNS: Final = ("id", "died", "attempts", "replays", "operation", "user")
_CELL: Final = 20
_REASONS: Final = 5
_REASON: Final = 100
_HEADER: Final = 300
_SHOWN_APART: Final = frozenset({"history", "reason"})


def table(letters: Iterable[Letter], now_ms: int) -> Group:
    """Two lines a letter: a row of what is short, then its job and why it died."""
    found = list(letters)
    rows = [_COLUMNS, *(_cells(letter, now_ms) for letter in found)]
    widths = [min(_CELL, max(map(cell_len, column))) for column in zip(*rows, strict=True)]
    shown: list[RenderableType] = [Text("  ".join(map(set_cell_size, row, widths)).rstrip()) for row in rows]
    reasons = ["job: reason", *(f"{letter.job}: {letter.reason}" for letter in found)]
    below: list[RenderableType] = [
        Padding(Text(printable(reason), overflow="fold"), (0, 0, 0, ID_SHOWN + 2)) for reason in reasons
    ]
    return Group(*chain.from_iterable(zip(shown, below, strict=True)))


def _cells(letter: Letter, now_ms: int) -> tuple[str, ...]:
    counts = f"{letter.attempts:>8}", f"{letter.replays:>7}"
    cells = letter.id[:ID_SHOWN], age(letter.dead_ms, now_ms), *counts, letter.operation, letter.user
    return tuple(map(printable, cells))


def age(dead_ms: int | None, now_ms: int) -> str:
    """How long ago something was."""
    return "?" if dead_ms is None else f"{short((now_ms - dead_ms) / 1000)} ago"


def as_json(letter: Letter) -> dict[str, Any]:
    """A letter for programs."""
    told: dict[str, Any] = to_jsonable_python(letter)
    return told | {"problem": letter.problem}


def lines(letter: Letter, message: Message, now_ms: int) -> list[str]:
    """One letter whole: whose it is, why it died, each attempt, its picture and its headers."""
    named = {
        "letter": letter.id,
        "job": letter.job,
        "user": letter.user,
        "operation": letter.operation,
        "died": _moment(letter.dead_ms, now_ms),
        "reason": letter.reason,
        "problem": letter.problem,
        "replays": str(letter.replays),
        "picture": _picture(letter, message),
        "answer to": letter.replies,
        "trace": trace_of(letter.traceparent),
        "can't be sent again": letter.refused,
    }
    width = max(map(len, named))
    told = [f"{name:<{width}}  {value}" for name, value in named.items() if value]
    return [printable(line) for line in [*told, *_attempts(letter.history, now_ms), "", *_headers(message)]]


def _moment(at_ms: int | None, now_ms: int) -> str:
    return "at a time that is not known" if at_ms is None else f"{_iso(at_ms)}, {age(at_ms, now_ms)}"


def _iso(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):  # written by others, so any number
        return f"{at_ms} ms after 1970"


def _picture(letter: Letter, message: Message) -> str:
    if letter.claimed:
        return f"in the blob store, {message.headers.get('claim')}"
    if not message.body:
        return "none"
    called = f", sent as {letter.type}" if letter.type else ""
    pixels = message.headers.get("pixels")
    size = f", {pixels / 1e6:.1f} megapixels" if isinstance(pixels, int) and pixels else ""
    kind = sniff(message.body)
    return f"{kind.name if kind else 'of an unknown kind'}, {letter.bytes:,} bytes{size}{called}"


def _attempts(history: Sequence[Attempt], now_ms: int) -> list[str]:
    told = chain.from_iterable((*_gap(each), _attempt(each, now_ms)) for each in history)
    return ["", "Attempts, the oldest first:", *told] if history else []


def _gap(tried: Attempt) -> tuple[str, ...]:
    return (f"  ({tried.left_out} not kept)",) if tried.left_out else ()


def _attempt(tried: Attempt, now_ms: int) -> str:
    where = f" on {tried.vm}" if tried.vm else ""
    problem = f" ({tried.problem})" if tried.problem else ""
    return f"  {_iso(tried.at_ms)}, {age(tried.at_ms, now_ms)}: attempt {tried.attempt}{where}{problem}: {tried.reason}"


def _headers(message: Message) -> list[str]:
    kept = {str(name): value for name, value in message.headers.items() if name not in _SHOWN_APART}
    return ["Headers:", *(f"  {name}: {str(value)[:_HEADER]}" for name, value in sorted(kept.items()))]


def plan(letters: Sequence[Letter], what: str, gone: Collection[str] = ()) -> list[str]:
    """What is about to be done to these letters, `what` being a verb: how many, of whom, and why they died.

    `gone` names reply queues that nobody listens on any more: the letters that are sent again all the same are counted.
    """
    users = Counter(letter.user for letter in letters)
    of = f"of {next(iter(users))}" if len(users) == 1 else f"of {len(users)} users"
    operations = ", ".join(
        f"{name or 'of no operation'} {n}" for name, n in _most(letter.operation for letter in letters)
    )
    reasons = Counter(letter.reason[:_REASON] for letter in letters).most_common()
    shown = [f"  {count} x {reason}" for reason, count in reasons[:_REASONS]]
    more = [f"  and {len(reasons) - _REASONS} other reasons"] if len(reasons) > _REASONS else []
    lost = sum(letter.replies in gone for letter in letters)
    gone_too = [f"  {lost} with a reply queue that is gone: answer and picture will be lost"] if lost else []
    first = f"To {what}: {jobs(len(letters))} {of} ({operations})"
    return [printable(line) for line in (first, *shown, *more, *gone_too)]


def staying(count: int, of: int) -> str:
    """How many letters are not sent again unless an operator insists."""
    return f"{count} of {jobs(of)} not sent again. To send all the same, once you know why: --force."


def _most(names: Iterable[str]) -> list[tuple[str, int]]:
    return Counter(names).most_common()


def jobs(count: int) -> str:
    """`1 dead job`, `2 dead jobs`."""
    return f"{count} dead job{'' if count == 1 else 's'}"


def name_of(letter: Letter) -> str:
    """A letter in a few words: its id as the list shows it, its job's id and its user."""
    return f"{letter.id[:ID_SHOWN]} (job {letter.job} of {letter.user})"
