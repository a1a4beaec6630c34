"""What this process counts and measures, for Prometheus."""

from bus.events import AnyEvent
from bus.settings import Settings


def told(event: AnyEvent) -> None:
    """Count an event that this process tells."""


def heard(event: AnyEvent, at_ms: int) -> None:
    """Take note of an event that this process hears, at `at_ms` (milliseconds since the epoch)."""


def serve(settings: Settings, program: str) -> None:
    """Give the metrics of this process, which is called `program`, to whoever asks, if the settings want it."""
