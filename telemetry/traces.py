"""Traces of jobs, by OpenTelemetry."""

from bus.settings import Settings


def set_up(settings: Settings, program: str) -> None:
    """Export the spans of this process, which is called `program`, if the settings name a collector."""
