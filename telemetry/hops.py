"""The spans of a job, hop by hop: their names, kinds, and what each tells. docs/traces.md shows them together.

Attributes follow OpenTelemetry's conventions for messaging where they have a word for it; `overspill.*` are ours.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from opentelemetry.trace import SpanKind

from bus.answers import Answer
from bus.messages import Job, Message
from bus.problems import PROBLEM_JSON
from bus.topology import JOBS, VMS
from bus.trace_context import readable
from telemetry.traces import Span, begin

RABBITMQ: Final = "rabbitmq"
PUBSUB: Final = "gcp_pubsub"


def submit(message: Message, since_ms: int) -> Span:
    """A client sends a job, until the broker has it; the root, unless its caller has a trace of its own."""
    return begin(
        "submit",
        message.headers.get("traceparent"),
        partial(_submitted, message),
        kind=SpanKind.PRODUCER,
        since_ms=since_ms,
    )


def _submitted(message: Message) -> Mapping[str, Any]:
    return {
        **_messaging("send", JOBS, message.routing_key),
        "messaging.message.id": message.message_id,
        "messaging.message.body.size": len(message.body),
        "overspill.job": message.message_id,
        "overspill.operation": message.routing_key,
        "overspill.user": message.headers.get("user"),
    }


def route(job: Job, key: str, since_ms: int) -> Span:
    """A router sends a job to where `key` leads, from when it took it up until the broker has the copy."""
    return begin("route", job.traceparent, partial(_routed, job, key), kind=SpanKind.PRODUCER, since_ms=since_ms)


def _routed(job: Job, key: str) -> Mapping[str, Any]:
    return {**_messaging("send", VMS, key), **of(job)}


def refuse(job: Job | None, message: Message, problem: str) -> Span:
    """A router answers a job itself, with a problem (its slug)."""
    parent = readable(message.headers.get("traceparent")) if job is None else job.traceparent
    span = begin(
        "route",
        parent,
        partial(_refused, job, message, problem),
        kind=SpanKind.PRODUCER,
        since_ms=None if job is None else job.received_ms,
    )
    span.fail(problem)
    return span


def _refused(job: Job | None, message: Message, problem: str) -> Mapping[str, Any]:
    told = {"overspill.operation": message.routing_key} if job is None else of(job)
    return {**_messaging("send"), **told, "error.type": problem}


def run(job: Job, vm: str, system: str | None, waited_ms: int | None = None) -> Span:
    """A VM, or a service in the cloud, runs a job, from its beginning until its answer is safe.

    `system` is what brought it: RABBITMQ to a VM, PUBSUB or (None) a plain request to a service.
    """
    told = partial(_run, job, system, {"vm": vm, "waited_ms": waited_ms})
    return begin(f"run {job.operation}", job.traceparent, told, kind=SpanKind.CONSUMER)


def _run(job: Job, system: str | None, told: Mapping[str, Any]) -> Mapping[str, Any]:
    told = {"route": "vm" if system == RABBITMQ else "cloud", **told}
    return {**_messaging("process", system=system), **of(job), **{f"overspill.{key}": told[key] for key in told}}


def overflow(job: Job) -> Span:
    """The bridge sends a job to the cloud, until the cloud has it."""
    return begin("overflow", job.traceparent, partial(_overflowed, job), kind=SpanKind.PRODUCER)


def _overflowed(job: Job) -> Mapping[str, Any]:
    return {**of(job), "overspill.route": "cloud"}


def answer(job: Job, parent: str | None = None, *, system: str = RABBITMQ) -> Span:
    """What has not just been run here is answered: out of the cloud, from memory, there or on a VM, or with a problem.

    `system` is what takes the answer.
    """
    told = partial(_answered, job, system)
    return begin("answer", parent or job.traceparent, told, kind=SpanKind.PRODUCER)


def _answered(job: Job, system: str) -> Mapping[str, Any]:
    return {**_messaging("send", system=system), **of(job)}


def receive(answer: Answer) -> Span:
    """A client takes in the answer."""
    span = begin("receive", answer.traceparent, partial(_received, answer), kind=SpanKind.CONSUMER)
    if answer.content_type == PROBLEM_JSON:
        span.fail("the answer is a problem")
    return span


def _received(answer: Answer) -> Mapping[str, Any]:
    told = ("job", "operation", "route", "vm", "attempt", "waited_ms", "ran_ms", "model", "cost")
    return {
        **_messaging("receive"),
        "messaging.message.id": answer.id,
        "messaging.message.body.size": len(answer.body),
        **{f"overspill.{name}": getattr(answer, name) for name in told},
    }


def of(job: Job) -> Mapping[str, Any]:
    """What every span of a job tells."""
    return {
        "messaging.message.id": job.id,
        "overspill.job": job.id,
        "overspill.operation": job.operation,
        "overspill.user": job.user,
        "overspill.attempt": job.attempt,
        "overspill.placement": job.placement,
        "overspill.pixels": job.pixels,
    }


def _messaging(
    kind: str, destination: str | None = None, key: str | None = None, *, system: str | None = RABBITMQ
) -> dict[str, Any]:
    if system is None:
        return {}
    return {
        "messaging.system": system,
        "messaging.operation.type": kind,
        "messaging.destination.name": destination,
        "messaging.rabbitmq.destination.routing_key": key,
    }
