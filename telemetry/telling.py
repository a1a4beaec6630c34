"""Telling what happens: an event goes to everyone who listens on `events`, into this process's metrics and its log.

Each event is told by one process, once; so metrics summed over all processes count each thing once, and the logs of
all processes together have each step of a job once.
"""

import logging
from typing import Final

from bus.events import BridgeStatus, JobEvent, RouterStatus, VmEvent, event_message
from bus.rabbit import Bus
from bus.topology import EVENTS
from telemetry import metrics
from telemetry.logs import STEP_FIELDS

log = logging.getLogger(__name__)

_ENDS: Final = frozenset({"done", "failed", "unanswerable"})


def tell(bus: Bus, event: JobEvent | VmEvent | RouterStatus | BridgeStatus) -> bool:
    """Tell an event; False when it could not leave, since there is no open way to the broker just now."""
    metrics.told(event)
    if isinstance(event, JobEvent) and event.state != "waiting":  # which is told again and again
        log_step(event)
    return bus.post(EVENTS, event_message(event, event.key))


def log_step(event: JobEvent) -> None:
    """Write a line for a job that ends, as servers have one for each request; other steps are for who looks closely.

    The line's job is the event's: whatever is bound around it may be about several.
    """
    level = logging.INFO if event.state in _ENDS else logging.DEBUG
    if log.isEnabledFor(level):
        told = {name: getattr(event, name) for name in STEP_FIELDS}
        extra = {"job": event.job, "trace": event.traceparent, **told}
        log.log(level, "%s %s", event.operation, event.state, extra=extra)
