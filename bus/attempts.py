"""What became of a job's earlier placements: a few attempts that travel with it, and that an operator reads."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from bus.wire import MOST, WireModel

HISTORY_REASON = 300
"""Characters of a failed attempt's reason."""
HISTORY_KEPT = 10
"""Failed attempts that a job remembers, the first and the latest: what outgrew a frame would end the connection."""


def _cut_reason(value: Any) -> Any:
    return value[:HISTORY_REASON] if isinstance(value, str) else value


class Attempt(WireModel):
    """One placement of a job that came to nothing; a longer `reason` is cut."""

    attempt: int = Field(ge=0, le=MOST)
    at_ms: int = Field(ge=0, le=MOST)
    vm: str | None = None
    problem: str | None = Field(None, description="The problem's slug.")
    reason: Annotated[str, BeforeValidator(_cut_reason)] = Field(max_length=HISTORY_REASON)
    left_out: int | None = Field(None, ge=1, le=MOST, description="How many before it, after the first, are not kept.")


def kept(history: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """The first attempt, which tells what went wrong before anybody meddled with it, and the latest ones."""
    most = HISTORY_KEPT - 1
    if len(history) <= HISTORY_KEPT:
        return history
    first, gone, latest = history[0], history[1:-most], history[-most:]
    count = len(gone) + sum(told.left_out or 0 for told in (*gone, latest[0]))
    return (first, latest[0].model_copy(update={"left_out": min(count, MOST)}), *latest[1:])


def _history(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value


History = Annotated[tuple[Attempt, ...], BeforeValidator(_history)]
"""Attempts, from a JSON list as text."""
_ATTEMPTS = TypeAdapter(tuple[Attempt, ...])


def history_of(value: Any) -> tuple[Attempt, ...]:
    """The attempts told in a header, or none: it is not the caller's to write."""
    if not isinstance(value, str | bytes):
        return ()
    try:
        return kept(_ATTEMPTS.validate_json(value))
    except ValidationError:
        return ()


def written(history: tuple[Attempt, ...]) -> str:
    """The attempts as a header takes them."""
    return _ATTEMPTS.dump_json(history, exclude_none=True).decode()
