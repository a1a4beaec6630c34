"""Looks whether topics and subscriptions are as they should be, and whether each service answers a trial job."""

import struct
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from google.api_core.exceptions import DeadlineExceeded

from bridge.envelope import Parcel, job_parcel, read_answer
from bridge.pubsub import resources
from bridge.pubsub.clients import CALL, PUBLISH_S, Clients, Faults, said
from bridge.pubsub.resources import Resources, Subscription, differences
from bridge.pubsub.setup import create, delete, found_subscription, found_topic
from bus.errors import BadInput
from bus.messages import Job
from bus.problems import PROBLEM_JSON, Problem
from bus.settings import Settings

_INIT: Final = "Run `overspill cloud init`."
_PULL_S: Final = 5.0
_SIDE: Final = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; what is not `good` has its remedy. None is what may well be meant so."""

    good: bool | None
    subject: str
    detail: str
    remedy: str = ""


def examine(clients: Clients, wanted: Resources) -> Iterator[Finding]:
    """Whether everything is there, and as it should be. Blocks."""
    for topic in wanted.topics:
        yield _topic(clients, topic)
    for subscription in wanted.subscriptions:
        yield _subscription(clients, subscription)


def _topic(clients: Clients, name: str) -> Finding:
    subject = f"topic {resources.short(name)}"
    try:
        there = found_topic(clients, name)
    except Faults as error:
        return _not_told(subject, error)
    return Finding(True, subject, "there") if there else Finding(False, subject, "is not there", _INIT)


def _subscription(clients: Clients, wanted: Subscription) -> Finding:
    subject = f"subscription {resources.short(wanted.name)}"
    try:
        found = found_subscription(clients, wanted.name)
    except Faults as error:
        return _not_told(subject, error)
    return judged(subject, wanted, found)


def judged(subject: str, wanted: Subscription, found: Subscription | None) -> Finding:
    """A subscription against what it should be."""
    if found is None:
        return Finding(False, subject, "is not there", _INIT)
    wrong = [
        f"{name} is {getattr(found, name) or 'none'}, not {getattr(wanted, name) or 'none'}"
        for name in differences(wanted, found)
    ]
    return Finding(False, subject, "; ".join(wrong), _INIT) if wrong else Finding(True, subject, "as it should be")


def _not_told(subject: str, error: BaseException) -> Finding:
    remedy = "See that Pub/Sub can be reached, and that your account has the role roles/pubsub.viewer on the project."
    return Finding(False, subject, said(error), remedy)


def trials(clients: Clients, settings: Settings, seconds: float) -> Iterator[Finding]:
    """A small job to each operation's service, and what becomes of it within so many seconds. Blocks."""
    number = uuid.uuid4().hex[:12]
    listening = resources.trial(settings, number)
    operations = {f"{resources.CANARY}{number}-{operation}": operation for operation in resources.operations(settings)}
    try:
        create(clients, listening)
        try:
            yield from _tried(clients, settings, listening.name, operations, seconds)
        finally:
            with suppress(*Faults):
                delete(clients, listening.name)
    except (*Faults, TimeoutError) as error:
        yield Finding(False, "trial jobs", said(error), _INIT)


def _tried(
    clients: Clients, settings: Settings, subscription: str, operations: dict[str, str], seconds: float
) -> Iterator[Finding]:
    until = time.time() + seconds
    for ticket, operation in operations.items():
        parcel = trial_parcel(operation, ticket, now_ms=int(time.time() * 1000), until_ms=int(until * 1000))
        topic = resources.jobs_topic(settings, operation)
        clients.publisher.publish(topic, parcel.body, **parcel.attributes).result(PUBLISH_S)
    left = dict(operations)
    while left and time.time() < until:
        for parcel in _answers(clients, subscription):
            if (answered := left.pop(parcel.ticket, None)) is not None:
                yield outcome(answered, parcel)
    for operation in left.values():
        yield _silent(operation, resources.address(settings, operation), seconds)


def _answers(clients: Clients, subscription: str) -> list[Parcel]:
    """What has come, waited for some seconds. An emulator gives everybody's answers: it knows no filters."""
    try:
        pulled = clients.subscriber.pull(subscription=subscription, max_messages=20, retry=None, timeout=_PULL_S)
    except DeadlineExceeded:
        return []
    received = pulled.received_messages
    if received:
        ids = [each.ack_id for each in received]
        clients.subscriber.acknowledge(subscription=subscription, ack_ids=ids, **CALL)
    return [Parcel(each.message.data, dict(each.message.attributes)) for each in received]


def outcome(operation: str, parcel: Parcel) -> Finding:
    """What a trial job's answer tells."""
    subject = f"trial {operation}"
    if parcel.kind == "returned":
        reason = parcel.attributes.get("reason", "it gave no reason")
        remedy = "Deploy a service that has the operation's packages and models, or leave the operation to the VMs."
        return Finding(None, subject, f"the service does not serve it, and gives it back: {reason}", remedy)
    try:
        answer = read_answer(parcel)
    except BadInput as error:
        return Finding(False, subject, f"the answer can't be read: {error.problem.detail}", "Deploy this version.")
    if answer.content_type == PROBLEM_JSON:
        problem = Problem.model_validate_json(answer.body)
        return Finding(False, subject, f"{problem.title}: {problem.detail}", problem.remedy or "See the service's log.")
    size = f"{len(answer.body):,} bytes of {answer.content_type}"
    return Finding(True, subject, f"{answer.vm} answered with {size} after {answer.ran_ms} ms of computing")


def _silent(operation: str, address: str | None, seconds: float) -> Finding:
    where = address or "an address these settings don't name"
    remedy = (
        f"See that the service at {where} runs, that OVERSPILL_CLOUD_PUSH_ACCOUNT may invoke it, and what its log "
        "says of /push; a first start may take longer, then give more --seconds."
    )
    return Finding(False, f"trial {operation}", f"no answer within {seconds:g} s", remedy)


def trial_parcel(operation: str, ticket: str, *, now_ms: int, until_ms: int) -> Parcel:
    """A small job of an operation that nobody wants run after `until_ms`."""
    job = Job(id=ticket, operation=operation, body=_picture(), attempt=1, deadline_ms=until_ms)
    return job_parcel(job, ticket, sent_ms=now_ms)


def _picture() -> bytes:
    """A grey ramp as a PNG: the bridge has no image library."""
    rows = b"".join(b"\0" + bytes((x + y) * 2 for x in range(_SIDE)) for y in range(_SIDE))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
