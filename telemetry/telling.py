"""Telling what happens: an event goes to everyone who listens on `events`, and into this process's metrics.

Each event is told by one process, once; so metrics summed over all processes count each thing once.
"""

from bus.events import BridgeStatus, JobEvent, RouterStatus, VmEvent, event_message
from bus.rabbit import Bus
from bus.topology import EVENTS
from telemetry import metrics


def tell(bus: Bus, event: JobEvent | VmEvent | RouterStatus | BridgeStatus) -> bool:
    """Tell an event; False when it could not leave, since there is no open way to the broker just now."""
    metrics.told(event)
    return bus.post(EVENTS, event_message(event, event.key))
