"""What `overspill dead` shows: letters as a table, one letter whole, and what is about to be done. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_jsonable_python
from rich.table import Table
from rich.text import Text

from bus.messages import Attempt, Message
from consumers.operations.sniffing import sniff
from producers.letter import Letter
from ui.commands.wording import printable, short, trace_of

ID_SHOWN: Final = 10
"""Digits of an id that a table shows: enough to name a letter by."""
_REASONS: Final = 5
_REASON: Final = 100
_HEADER: Final = 300
_PAGE: Final = "page."
"""How the names of pages' reply queues begin."""
_SHOWN_APART: Final = frozenset({"history", "reason"})


def table(letters: Iterable[Letter], now_ms: int) -> Table:
    """A row a letter."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "died", "job", "user", "operation"):
        shown.add_column(name, no_wrap=name in {"id", "died", "operation"}, overflow="fold")
    for name in ("attempts", "replays"):
        shown.add_column(name, justify="right")
    shown.add_column("reason", overflow="fold", ratio=1)
    for letter in letters:
        names = (letter.id[:ID_SHOWN], age(letter.dead_ms, now_ms), letter.job, letter.user, letter.operation)
        cells = (*names, str(letter.attempts), str(letter.replays), letter.reason)
        shown.add_row(*(Text(printable(cell)) for cell in cells))
    return shown


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
    return [printable(line) for line in [*told, "", *_attempts(letter.history, now_ms), "", *_headers(message)]]


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
    return ["Attempts, the oldest first:", *(_attempt(each, now_ms) for each in history)] if history else []


def _attempt(tried: Attempt, now_ms: int) -> str:
    where = f" on {tried.vm}" if tried.vm else ""
    problem = f" ({tried.problem})" if tried.problem else ""
    return f"  {_iso(tried.at_ms)}, {age(tried.at_ms, now_ms)}: attempt {tried.attempt}{where}{problem}: {tried.reason}"


def _headers(message: Message) -> list[str]:
    kept = {str(name): value for name, value in message.headers.items() if name not in _SHOWN_APART}
    return ["Headers:", *(f"  {name}: {str(value)[:_HEADER]}" for name, value in sorted(kept.items()))]


def plan(letters: Sequence[Letter], what: str) -> list[str]:
    """What is about to be done to these letters, `what` being a verb: how many, of whom, and why they died."""
    users = Counter(letter.user for letter in letters)
    of = f"of {next(iter(users))}" if len(users) == 1 else f"of {len(users)} users"
    operations = ", ".join(
        f"{name or 'of no operation'} {n}" for name, n in _most(letter.operation for letter in letters)
    )
    reasons = Counter(letter.reason[:_REASON] for letter in letters).most_common()
    shown = [f"  {count} x {reason}" for reason, count in reasons[:_REASONS]]
    more = [f"  and {len(reasons) - _REASONS} other reasons"] if len(reasons) > _REASONS else []
    return [printable(line) for line in (f"To {what}: {jobs(len(letters))} {of} ({operations})", *shown, *more)]


def of_pages(letters: Iterable[Letter]) -> list[str]:
    """A warning, when some of these jobs were sent by a page: it has told their users that they failed."""
    count = sum((letter.replies or "").startswith(_PAGE) for letter in letters)
    return [f"{jobs(count)} of the page: replay on its dashboard, or it won't show the answers."] if count else []


def _most(names: Iterable[str]) -> list[tuple[str, int]]:
    return Counter(names).most_common()


def jobs(count: int) -> str:
    """`1 dead job`, `2 dead jobs`."""
    return f"{count} dead job{'' if count == 1 else 's'}"
