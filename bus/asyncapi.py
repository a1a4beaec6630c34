"""The wire contract as an AsyncAPI 3 document, made from the models and the topology that the code itself uses.

The document describes overspill as one application: what it receives from callers, what it sends to them, and what
anyone may listen to. `docs/generate.py` writes it to `docs/asyncapi.yaml`.
"""

from typing import Final

from pydantic import BaseModel

from bus import asyncapi_messages, topology
from bus.asyncapi_messages import Document
from bus.events import EVENT_LIVES_MS, BridgeStatus, JobEvent, VmEvent
from bus.wire import JSON

BINDING: Final = "0.3.0"
_EXCHANGES: Final = {exchange.name: exchange for exchange in topology.shared().exchanges}
_QUEUES: Final = {queue.name: queue for queue in topology.shared().queues}


def document(version: str) -> Document:
    """The whole document, for release `version` of the contract."""
    return {
        "asyncapi": "3.0.0",
        "info": _info(version),
        "defaultContentType": JSON,
        "servers": {"broker": _server()},
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": asyncapi_messages.messages(), "schemas": asyncapi_messages.schemas()},
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
        **_events(),
        **_control(),
        "history": _queue(
            topology.EVENTS_HISTORY,
            "A stream of everything on `events` and `heartbeats`. Consume it with a prefetch, manual acks and the "
            "argument `x-stream-offset`: `first`, `next`, a timestamp, or a message's number.",
            list(asyncapi_messages.EVENTS),
        ),
        "dead": _queue(topology.DEAD, "Jobs that exhausted their attempts, kept for the operator.", ["placedJob"]),
    }


def _events() -> Document:
    return {
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
