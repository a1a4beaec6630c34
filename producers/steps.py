"""The steps of a job that its router tells, as events. Pure."""

from typing import Any

from bus.events import JobEvent
from bus.messages import Job
from bus.wire import MOST
from producers.commands import Moment
from producers.placement import Overflow, ToVm, fitted


def routed(job: Job, choice: ToVm | Overflow, now: Moment, *, sent_ms: int | None = None) -> JobEvent:
    """A placement, with the receipt of the decision that led to it; `sent_ms` is when its caller says it was sent."""
    where = {"route": "vm", "vm": choice.vm} if isinstance(choice, ToVm) else {"route": "cloud"}
    asked = {"bytes": len(job.body) or None, "priority": job.priority or None, "site": _pinned(job)}
    asked |= {"sent_ms": sent_ms if sent_ms is not None and sent_ms <= MOST else None}
    step = told(
        job, choice.reason, now, state="routed", candidates=choice.candidates, **where, **asked, **choice.inputs
    )
    return fitted(step)


def _pinned(job: Job) -> str | None:
    return None if job.site == "any" else job.site


def told(job: Job, reason: str | None, now: Moment, **more: Any) -> JobEvent:
    """A step of a job; `more` are further fields of the event, `state` among them."""
    return JobEvent(
        job=job.id,
        operation=job.operation,
        user=job.user,
        at_ms=now.wall_ms,
        attempt=job.attempt,
        placement=job.placement,
        pixels=job.pixels,
        waited_ms=now.wall_ms - (job.received_ms or now.wall_ms),
        reason=reason,
        traceparent=job.traceparent,
        **more,
    )
