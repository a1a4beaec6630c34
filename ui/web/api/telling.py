"""Why a job went where it went, in words. Pure."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

from bus.events import JobEvent
from ui.commands.why_view import in_order, render
from ui.web.api.schema import Why
from ui.web.jobs.record import Record

_ENDS: Final = {"done", "failed", "unanswerable", "purged"}


def why_of(record: Record, events: Sequence[dict[str, Any]]) -> Why:
    """What was told of a job, oldest first: in lines, with the latest decision's receipt, and as it was told.

    The end of one that has ended is among them, though nobody was here to hear of it.
    """
    told = in_order([JobEvent.model_validate(event) for event in events])
    if record.ended_ms is not None and not _tells_an_end(told):
        told.append(_end_of(record, max([record.ended_ms, *(event.at_ms for event in told)])))
    receipt = next((event for event in reversed(told) if event.state == "routed"), None)
    return Why(
        lines=[line.rstrip() for line in render(told).plain.splitlines()] if told else [],
        receipt=None if receipt is None else receipt.model_dump(mode="json", exclude_none=True),
        events=[event.model_dump(mode="json", exclude_none=True) for event in told],
    )


def _tells_an_end(told: Sequence[JobEvent]) -> bool:
    """Whether an end is told of its latest time: a job that was sent again ends anew."""
    since = takewhile(lambda event: event.state != "replayed", reversed(told))
    return any(event.state in _ENDS for event in since)


def _end_of(record: Record, at_ms: int) -> JobEvent:
    """The end as the answer told it. `at_ms` is not before what was heard: that is by other clocks than the page's."""
    return JobEvent(
        state="done" if record.state == "done" else "failed",
        job=record.id,
        operation=record.operation,
        user=record.user,
        at_ms=at_ms,
        vm=record.vm,
        route=record.route,
        attempt=record.attempt,
        placement=record.placement,
        waited_ms=record.waited_ms,
        ran_ms=record.ran_ms,
        cost=record.cost,
        problem=record.problem.slug if record.problem else None,
    )
