"""What every process that serves sets up first: its logs, metrics and traces."""

from bus.settings import Settings
from telemetry import logs, metrics, traces


def set_up(settings: Settings, program: str) -> None:
    """`program` is what the process is: `router`, `vm`, `agent`, `bridge`, `cloud-service` or `page`.

    Raises SetupError when the port for metrics is taken, or a package for traces is missing.
    """
    logs.set_up(settings)
    metrics.serve(settings, program)
    traces.set_up(settings, program)
