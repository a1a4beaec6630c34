"""How our processes log: lines for people, or one JSON object a line in the words that Cloud Logging reads.

Everything logs through the standard library. Each line tells what is bound around it, above all the job it is about
and that job's trace, so that one word finds a job's lines in all processes.
"""

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import Any, Final

from bus.messages import Job, Message, told_id_of
from bus.settings import Settings
from bus.trace_context import Trace, read, readable

_QUIET: Final = {
    # It tells each failure several times over, and `bus.rabbit` tells it once.
    "pika": logging.CRITICAL,
    # They tell each request, each fault of a caller, or what we tell ourselves.
    "gcsfs": logging.WARNING,
    "google": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "python_multipart": logging.ERROR,
    "uvicorn": logging.WARNING,
}
_CLOCK: Final = "%H:%M:%S"
STEP_FIELDS: Final = ("user", "route", "vm", "attempt", "waited_ms", "ran_ms", "problem", "reason")
"""What a line about a step of a job tells beside the job and its trace, as far as it is known."""
_FROM_A_RECORD: Final = ("job", "trace", *STEP_FIELDS)
"""What a module that can't bind them gives with its line: `log.warning(..., extra={"job": ...})`."""
_Event = MutableMapping[str, Any]

# -- what lines are about

_bound: ContextVar[Mapping[str, Any]] = ContextVar("bound", default={})  # noqa: B039 (nobody writes into it)


class bound:  # noqa: N801 (reads as what it is used for: `with bound(job=...):`)
    """Gives every line logged inside, tasks and callbacks begun there included, these fields.

    `trace` is a `traceparent`, or a Trace; it is read when a line is written, and most jobs write none.
    """

    __slots__ = ("_fields", "_token")

    def __init__(self, **fields: str | Trace | None) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._token: Token[Mapping[str, Any]] = _bound.set({**_bound.get(), **self._fields})

    def __exit__(self, *_exc: object) -> None:
        _bound.reset(self._token)


def about(job: Job) -> bound:
    """Gives every line logged inside the job's id and trace."""
    return bound(job=job.id, trace=job.traceparent)


def about_message(message: Message) -> bound:
    """Gives every line logged inside the id and trace that a message tells, which may be no job at all."""
    return bound(job=told_id_of(message), trace=readable(message.headers.get("traceparent")))


def bind(**fields: str | None) -> None:
    """Give every line of the task that runs, from here on, these fields."""
    _bound.set({**_bound.get(), **fields})


# -- set-up


def set_up(settings: Settings, program: str) -> None:
    """Log to stderr as the settings say, and on Cloud Run as Cloud Logging wants it; `program` is what we are."""
    in_cloud = settings.k_service is not None
    as_json = in_cloud or settings.log_format == "json"
    project = settings.cloud_project if in_cloud else None
    to_stderr(settings.log_level, json_lines(program, project, in_cloud=in_cloud) if as_json else plain_lines())


def to_stderr(level: str, formatter: logging.Formatter) -> None:
    """Log from `level` on, and talkative libraries less."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler])
    for name, least in _QUIET.items():
        # Never below ours: a logger with a level of its own doesn't ask the root's.
        logging.getLogger(name).setLevel(max(least, logging.getLevelNamesMapping()[level]))


# -- for people


def plain_lines() -> logging.Formatter:
    """Time, level and message, then `job=… trace=…` where they are known."""
    return _formatter([], _plain)


def _plain(_logger: Any, level: str, event: _Event) -> str:
    fields = {name: value for name, value in _fields(event).items() if name != "logger"}
    told = "".join(f"  {name}={_word(value)}" for name, value in fields.items())
    line = f"{event['time']} {level.upper():7} {_safe(event['event'])}{told}"
    # Set in, so that whatever an exception says, it doesn't look like a line of its own.
    return "\n  ".join([line, *map(_safe, event.get("exception", "").splitlines())])


def _word(value: Any) -> str:
    """A value that ends where it seems to end."""
    text = str(value)
    return text if text.isascii() and text.isprintable() and not set(' "=') & set(text) else json.dumps(text)


def _safe(text: str) -> str:
    """Text that can't move a terminal's cursor or begin another line."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


# -- for programs


def json_lines(program: str, project: str | None = None, *, in_cloud: bool = False) -> logging.Formatter:
    """One JSON object a line; `in_cloud` also in the fields by which Cloud Logging finds a trace of `project`."""
    import structlog  # noqa: PLC0415 (a command that doesn't serve needn't wait for it)

    def renamed(_logger: Any, level: str, event: _Event) -> _Event:
        trace = event.get("trace")
        told = {"time": event["time"], "severity": level.upper(), "message": event["event"], "program": program}
        told |= _fields(event)
        if in_cloud and trace is not None:
            told |= google_fields(trace, project)
        return told | ({"exception": event["exception"]} if "exception" in event else {})

    return _formatter([renamed], structlog.processors.JSONRenderer(ensure_ascii=False), iso=True)


def iso_time(now: datetime) -> str:
    """A moment as all our lines for programs tell it: ISO 8601 to the microsecond, UTC, as in `2026-01-01T...Z`."""
    return now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def google_fields(trace: Trace, project: str | None) -> dict[str, str | bool]:
    """The fields by which Cloud Logging puts a line under its trace; without a project, the trace's bare number."""
    told: dict[str, str | bool] = {
        "logging.googleapis.com/trace": f"projects/{project}/traces/{trace.id}" if project else trace.id,
        "logging.googleapis.com/trace_sampled": trace.sampled,
    }
    return told if trace.span is None else {**told, "logging.googleapis.com/spanId": trace.span}


# -- for both


def _formatter(processors: list[Any], renderer: Any, *, iso: bool = False) -> logging.Formatter:
    import structlog  # noqa: PLC0415 (as above)

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(_FROM_A_RECORD),
            _merged,
            _stamped if iso else structlog.processors.TimeStamper(fmt=_CLOCK, utc=False, key="time"),
            structlog.processors.format_exc_info,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *processors, renderer],
    )


def _stamped(_logger: Any, _level: str, event: _Event) -> _Event:
    event["time"] = iso_time(datetime.now(UTC))
    return event


def _merged(_logger: Any, _level: str, event: _Event) -> _Event:
    """The line with what is bound around it; what came with the line itself wins."""
    merged = {**_bound.get(), **event}
    trace = merged.get("trace")
    merged["trace"] = trace if isinstance(trace, Trace) else read(trace) if isinstance(trace, str) else None
    return merged


def _fields(event: _Event) -> dict[str, Any]:
    """What a line tells beside its message."""
    fields = {name: value for name, value in event.items() if name not in _OTHERS and value is not None}
    if (trace := fields.pop("trace", None)) is not None:
        fields["trace"] = trace.id
    return fields


_OTHERS: Final = frozenset({"event", "time", "exception", "stack_info", "exc_info"})
