"""How our processes log."""

from bus.settings import Settings
from telemetry import process


def set_up(settings: Settings) -> None:
    """Log to stderr as the settings say."""
    process.set_up_logs(settings.log_level)
