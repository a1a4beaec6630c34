"""The messages of the AsyncAPI document, and their schemas: what the models say of themselves. Pure."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from bus.answers import AnswerHeaders
from bus.control import Cancel, Drain, Pause
from bus.event_examples import EXAMPLES
from bus.events import BridgeStatus, Heartbeat, JobEvent, RouterStatus, VmEvent
from bus.messages import HopHeaders, JobHeaders
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.wire import JSON

Document = dict[str, Any]
Models = dict[str, tuple[type[BaseModel], str]]
"""A message's name, its model, and what it is."""

EVENTS: Final[Models] = {
    "heartbeat": (Heartbeat, "The figures and the work of one VM."),
    "jobEvent": (JobEvent, "One step of one job, with the decision's receipt."),
    "vmEvent": (VmEvent, "A VM changed its state."),
    "routerStatus": (RouterStatus, "What the router did, and why jobs wait."),
    "bridgeStatus": (BridgeStatus, "What a bridge has in the cloud, what it costs, and whether it takes more."),
}
_COMMANDS: Final[Models] = {
    "cancel": (Cancel, "Answer a job with the problem `cancelled`, wherever it is."),
    "drain": (Drain, "Give a VM no more jobs, or use it again."),
    "pause": (Pause, "Place no more jobs of an operation, or place them again."),
}
_SMALL: Final[Models] = EVENTS | _COMMANDS
_MODELS: Final[tuple[type[BaseModel], ...]] = (
    JobHeaders,
    HopHeaders,
    AnswerHeaders,
    Problem,
    *(model for model, _ in _SMALL.values()),
)
_PICTURE: Final = {
    "type": "string",
    "format": "binary",
    "description": "The image's bytes, as they are; none with a `claim`.",
}
_TEXT: Final = {"type": "string"}
_PROPERTIES: Final = {
    "message_id": _TEXT | {"description": "The caller's job id; one is assigned when it is absent."},
    "correlation_id": _TEXT | {"description": "Anything; the answer carries it as it came, else the job id."},
    "reply_to": _TEXT | {"description": "The caller's reply queue, or `amq.rabbitmq.reply-to`."},
    "content_type": _TEXT | {"description": "Optional: the bytes are looked at, this is not trusted."},
    "priority": {"type": "integer", "minimum": 0, "maximum": 9, "description": "5 and over: a person is waiting."},
    "expiration": _TEXT | {"description": "Milliseconds left to live; a job that expires is answered with a problem."},
    "timestamp": {"type": "integer", "description": "When it was sent, seconds since the Unix epoch."},
}


def messages() -> Document:
    """The component `messages`."""
    answer = {"headers": _schema(AnswerHeaders), "correlationId": _CORRELATION}
    placed = {"allOf": [_schema(JobHeaders), _schema(HopHeaders)]}
    return {
        "job": _job("A job as a caller sends it. Every header is optional.", _schema(JobHeaders)),
        "placedJob": _job("A job on its way to where it runs.", placed),
        "picture": {"summary": "A result: an image.", "contentType": "image/*", "payload": _PICTURE, **answer},
        "caption": {"summary": "A result: a caption.", "contentType": JSON, "payload": _CAPTION, **answer},
        "problem": {
            "summary": "An error answer (RFC 9457).",
            "contentType": PROBLEM_JSON,
            "payload": _schema(Problem),
            "examples": [_example(kind) for kind in Kind],
            **answer,
        },
        "told": {"summary": "What the router has done, in a line.", "contentType": "text/plain", "payload": _TEXT},
        **{name: _event(summary, model) | _told_as(name) for name, (model, summary) in _SMALL.items()},
    }


_CORRELATION: Final = {
    "location": "$message.header#/correlation_id",
    "description": "The AMQP property `correlation_id`: the job's own, else the job's id.",
}
_CAPTION: Final = {"type": "object", "properties": {"caption": {"type": "string"}}, "required": ["caption"]}


def _job(summary: str, headers: Document) -> Document:
    return {
        "summary": summary,
        "contentType": "image/*",
        "headers": headers,
        "payload": _PICTURE,
        "correlationId": _CORRELATION,
        "x-amqp-properties": _PROPERTIES,
    }


def _event(summary: str, model: type[BaseModel]) -> Document:
    return {"summary": summary, "contentType": JSON, "payload": _schema(model)}


def _told_as(name: str) -> Document:
    """The example of an event; a command speaks for itself."""
    if name not in EXAMPLES:
        return {}
    return {"examples": [{"name": name, "payload": EXAMPLES[name].model_dump(mode="json", exclude_none=True)}]}


def _example(kind: Kind) -> Document:
    problem = Problem.of(kind, "What happened to this job, with the figures.")
    return {"name": kind.value.slug, "summary": kind.value.title, "payload": problem.model_dump(exclude_none=True)}


def _schema(model: type[BaseModel]) -> Document:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


class _Untitled(GenerateJsonSchema):
    """Schemas without a `title` on each field: it would only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (the signature is pydantic's)
        return False


def schemas() -> Document:
    """The component `schemas`."""
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in _MODELS]
    _, schema = models_json_schema(wanted, ref_template="#/components/schemas/{model}", schema_generator=_Untitled)
    schemas: Document = schema["$defs"]
    return schemas
