"""What every process that serves sets up first: its logs, metrics and traces."""

from bus.settings import Settings
from telemetry import logs, metrics, traces
from telemetry.metrics.families import Program


def set_up(settings: Settings, program: Program) -> None:
    """`program` is what the process is, and what its lines, figures and spans call it.

    Raises SetupError when the port for metrics is taken, or a variable for traces is wrong. Without the packages for
    traces it goes on without them, and the log says so.
    """
    logs.set_up(settings, program)
    metrics.serve(settings, program)
    traces.set_up(settings, program)
