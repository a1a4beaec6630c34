"""The wire contract as an AsyncAPI 3 document, made from the models and the topology that the code itself uses.

The document describes overspill as one application: what it receives from callers, what it sends to them, and what
anyone may listen to. `docs/generate.py` writes it to `docs/asyncapi.yaml`.
"""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from bus import topology
from bus.control import Cancel, Drain, Pause
from bus.event_examples import EXAMPLES
from bus.events import EVENT_LIVES_MS, BridgeStatus, Heartbeat, JobEvent, RouterStatus, VmEvent
from bus.messages import JSON, AnswerHeaders, HopHeaders, JobHeaders
from bus.problems import PROBLEM_JSON, Kind, Problem

Document = dict[str, Any]
Models = dict[str, tuple[type[BaseModel], str]]

BINDING: Final = "0.3.0"
_EVENTS: Final[Models] = {
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
_SMALL: Final[Models] = _EVENTS | _COMMANDS
_MODELS: Final[tuple[type[BaseModel], ...]] = (
    JobHeaders,
    HopHeaders,
    AnswerHeaders,
    Problem,
    *(model for model, _ in _SMALL.values()),
)
_EXCHANGES: Final = {exchange.name: exchange for exchange in topology.shared().exchanges}
_QUEUES: Final = {queue.name: queue for queue in topology.shared().queues}
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


def document(version: str) -> Document:
    """The whole document, for release `version` of the contract."""
    return {
        "asyncapi": "3.0.0",
        "info": _info(version),
        "defaultContentType": JSON,
        "servers": {"broker": _server()},
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _info(version: str) -> Document:
    return {
        "title": "overspill",
        "version": version,
        "description": (
            "Image jobs over AMQP 0-9-1. Publish an image to the exchange `jobs` with the operation as routing key; "
            "exactly one answer, a result or a problem, comes to the queue that `reply_to` names."
        ),
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    }


def _server() -> Document:
    return {
        "host": "{host}:{port}",
        "protocol": "amqp",
        "protocolVersion": "0-9-1",
        "description": "RabbitMQ 3.10 or later with the plugin `rabbitmq_consistent_hash_exchange`.",
        "variables": {"host": {"default": "localhost"}, "port": {"default": "5672"}},
    }


class _Untitled(GenerateJsonSchema):
    """Schemas without a `title` on each field: it would only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (the signature is pydantic's)
        return False


def _schemas() -> Document:
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in _MODELS]
    _, schema = models_json_schema(wanted, ref_template="#/components/schemas/{model}", schema_generator=_Untitled)
    schemas: Document = schema["$defs"]
    return schemas


# Channels


def _channels() -> Document:
    operation = {"enum": list(topology.OPERATIONS), "description": "What is to be done with the image."}
    return {
        "jobs": _exchange(topology.JOBS, "{operation}", "Jobs in, from any client.", ["job"], operation=operation),
        "answers": _replies("The caller's own reply queue.", ["picture", "caption", "problem"]),
        "told": _replies("The reply queue of whoever asked something on `control`.", ["told"]),
        "vm": _exchange(topology.VMS, "vm.{vm}", "Jobs placed on one VM.", ["placedJob"], vm=_VM),
        "overflow": _exchange(topology.VMS, topology.CLOUD_KEY, "Jobs bound for the cloud.", ["placedJob"]),
        "heartbeats": _exchange(
            topology.HEARTBEATS, "vm.heartbeat.{vm}", "The pulse of every VM.", ["heartbeat"], vm=_VM
        ),
        "heartbeatEvents": _exchange(
            topology.EVENTS, "vm.heartbeat.{vm}", "The same, beside all other events.", ["heartbeat"], vm=_VM
        ),
        "jobEvents": _exchange(
            topology.EVENTS,
            "job.{state}.{operation}",
            "Each step of each job.",
            ["jobEvent"],
            state=_states(JobEvent),
            operation={"description": "As the caller named it, known or not."},
        ),
        "vmEvents": _exchange(
            topology.EVENTS, "vm.{state}.{vm}", "VMs that change state.", ["vmEvent"], state=_states(VmEvent), vm=_VM
        ),
        "routerEvents": _exchange(topology.EVENTS, "router.status", "What the router does.", ["routerStatus"]),
        "bridgeEvents": _exchange(
            topology.EVENTS,
            "bridge.{state}",
            "How each bridge to the cloud fares.",
            ["bridgeStatus"],
            state=_states(BridgeStatus),
        ),
        **_control(),
        "history": _queue(
            topology.EVENTS_HISTORY,
            "A stream of everything on `events` and `heartbeats`. Consume it with a prefetch, manual acks and the "
            "argument `x-stream-offset`: `first`, `next`, a timestamp, or a message's number.",
            list(_EVENTS),
        ),
        "dead": _queue(topology.DEAD, "Jobs that exhausted their attempts, kept for the operator.", ["placedJob"]),
    }


def _control() -> Document:
    drain = {"enum": ["drain", "resume"]}
    pause = {"enum": ["pause", "resume"]}
    operation = {"enum": list(topology.OPERATIONS)}
    control, halt = topology.CONTROL, "operation.{order}.{operation}"
    return {
        "cancels": _exchange(control, "job.cancel", "Jobs to be cancelled.", ["cancel"]),
        "drains": _exchange(control, "vm.{order}.{vm}", "VMs to be emptied.", ["drain"], order=drain, vm=_VM),
        "pauses": _exchange(control, halt, "Operations to be held back.", ["pause"], order=pause, operation=operation),
    }


_VM: Final = {"description": "The VM's name: 1 to 63 lower-case letters, digits and inner dashes."}


def _states(event: type[BaseModel]) -> Document:
    return {"enum": event.model_json_schema()["properties"]["state"]["enum"]}


def _exchange(name: str, address: str, description: str, messages: list[str], **parameters: Document) -> Document:
    kind = _EXCHANGES[name].type
    exchange = {"name": name, "type": kind, "durable": True, "autoDelete": False, "vhost": "/"}
    channel: Document = {
        "address": address,
        "description": description,
        "messages": _refs(messages),
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }
    return channel | ({"parameters": parameters} if parameters else {})


def _replies(description: str, messages: list[str]) -> Document:
    """A queue of the other side's, named by a message's `reply_to`."""
    amqp = {"is": "queue", "queue": {"exclusive": True}, "bindingVersion": BINDING}
    return {"address": None, "description": description, "messages": _refs(messages), "bindings": {"amqp": amqp}}


def _queue(name: str, description: str, messages: list[str]) -> Document:
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"}
    amqp = {"is": "queue", "queue": queue, "x-arguments": _QUEUES[name].arguments, "bindingVersion": BINDING}
    return {
        "address": name,
        "description": description,
        "messages": _refs(messages),
        "bindings": {"amqp": amqp},
    }


def _refs(messages: list[str]) -> Document:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in messages}


# Operations


def _operations() -> Document:
    acked = {"amqp": {"ack": True, "bindingVersion": BINDING}}
    taken = _operation("receive", "jobs", "Publish with confirms, persistent and `mandatory`.", _DURABLE)
    return {
        "takeJob": taken | _reply("answers", "The AMQP property `reply_to`."),
        "placeJob": _operation("send", "vm", "The router gives a VM a job for a free slot.", _DURABLE),
        "overflowJob": _operation("send", "overflow", "The router gives the cloud a job.", _DURABLE),
        "runJob": _operation("receive", "vm", "A VM's worker acks once the answer is confirmed.", acked),
        "beat": _operation("send", "heartbeats", "Once a second from each VM.", _UNCONFIRMED),
        "tellOfBeat": _operation("send", "heartbeatEvents", "Bind a queue with `vm.heartbeat.*`.", _UNCONFIRMED),
        "tellOfJob": _operation("send", "jobEvents", "Bind a queue with `job.#` to follow.", _UNCONFIRMED),
        "tellOfVm": _operation("send", "vmEvents", "Bind a queue with `vm.#` to follow.", _UNCONFIRMED),
        "tellOfRouter": _operation("send", "routerEvents", "Once a second from each router.", _UNCONFIRMED),
        "tellOfBridge": _operation("send", "bridgeEvents", "Once a second from each bridge.", _UNCONFIRMED),
        "cancelJob": _asked("cancels", "The job's answer is the problem `cancelled`, if it had none yet."),
        "drainVm": _asked("drains", "Kept over restarts, until `resume`."),
        "pauseOperation": _asked("pauses", "Kept over restarts, until `resume`. Jobs wait meanwhile."),
        "keepDead": _operation("send", "dead", "A job that exhausted its attempts is kept, and answered.", _DURABLE),
    }


def _asked(channel: str, summary: str) -> Document:
    """What an operator, or a caller, asks of the router; it waits in a queue while no router runs."""
    asked = _operation("receive", channel, summary, _DURABLE)
    return asked | _reply("told", "The AMQP property `reply_to`, if there is one.")


def _reply(channel: str, where: str) -> Document:
    address = {"location": "$message.header#/reply_to", "description": where}
    return {"reply": {"address": address, "channel": _channel(channel)}}


_DURABLE: Final = {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": BINDING}}
_UNCONFIRMED: Final = {
    "amqp": {"deliveryMode": 1, "mandatory": False, "expiration": EVENT_LIVES_MS, "bindingVersion": BINDING}
}


def _operation(action: str, channel: str, summary: str, bindings: Document) -> Document:
    return {"action": action, "channel": _channel(channel), "summary": summary, "bindings": bindings}


def _channel(name: str) -> Document:
    return {"$ref": f"#/channels/{name}"}


# Messages


def _messages() -> Document:
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
