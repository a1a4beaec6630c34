"""How the cloud service logs: on Cloud Run one JSON object a line, elsewhere the plain lines of all our processes.

Everything logs through the standard library; structlog gives each line the fields bound around it (ticket, operation,
trace) and the names that Cloud Logging reads.
"""

import logging
import sys
from typing import Any, Final

import structlog

from telemetry import process

bound = structlog.contextvars.bound_contextvars
"""`with bound(ticket=...):` gives every line logged inside, tasks begun there included, that field."""

_NOISY: Final = {
    "google": "WARNING",
    "httpcore": "WARNING",
    "httpx": "WARNING",
    "python_multipart": "ERROR",
    "uvicorn": "WARNING",
}
"""They tell each call, each fault of a caller, or what we tell ourselves."""


def set_up(level: str, *, as_json: bool) -> None:
    """Log to stderr from `level` on."""
    if as_json:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(json_lines())
        logging.basicConfig(level=level, handlers=[handler])
    else:
        process.set_up_logs(level)
    for name, least in _NOISY.items():
        logging.getLogger(name).setLevel(least)


def json_lines() -> logging.Formatter:
    """Lines as Cloud Logging reads them."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            _severity,
            structlog.processors.TimeStamper(fmt="iso", key="time"),
            structlog.processors.format_exc_info,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _severity(_logger: Any, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Cloud Logging's names for the levels are the standard library's."""
    event["severity"] = name.upper()
    return event
