"""Jobs and answers as they travel through a cloud: bytes with attributes, and Pub/Sub's push around them. Pure.

No address, user or job id of a caller leaves the site: a job is known outside by its ticket alone, and who waits for it
is written in the bridge's own queue.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from bus.errors import BadInput
from bus.messages import MOST, Answer, Job
from bus.problems import Kind, Problem, bad_field

LARGEST_BODY: Final = 9_500_000
"""Bytes of a body: a Pub/Sub message takes 10,000,000, attributes included."""
ATTRIBUTE_BYTES: Final = 1024
"""The most a value may have on Pub/Sub; longer text goes on under `name.1`, `name.2`."""
MOST_ATTRIBUTES: Final = 100
_LONG: Final = ("params", "link")


@dataclass(frozen=True, slots=True)
class Parcel:
    """What travels: a body, and attributes (text to text) within Pub/Sub's bounds."""

    body: bytes = field(repr=False)
    attributes: Mapping[str, str]

    @property
    def kind(self) -> str:
        """`job`; `answer`; or `returned`, a job that a service can't serve, as it came."""
        return self.attributes.get("kind", "")

    @property
    def ticket(self) -> str:
        """The job's number outside."""
        return self.attributes.get("ticket", "")

    @property
    def bytes(self) -> int:
        """What it counts as: body, names and values."""
        return len(self.body) + sum(len(k.encode()) + len(v.encode()) for k, v in self.attributes.items())


def job_parcel(job: Job, ticket: str, *, sent_ms: int, link: str | None = None) -> Parcel:
    """A job on its way out; `link` is where the service may fetch a claimed picture without the store's keys."""
    told = {
        "kind": "job",
        "ticket": ticket,
        "operation": job.operation,
        "attempt": str(job.attempt),
        "sent_ms": str(sent_ms),
        "params": json.dumps(job.params) if job.params else None,
        "deadline_ms": None if job.deadline_ms is None else str(job.deadline_ms),
        "traceparent": job.traceparent,
        "claim": job.claim,
        "link": link,
    }
    return Parcel(job.body, _spread(told))


def read_job(parcel: Parcel) -> tuple[Job, str | None]:
    """The job of a parcel, known by its ticket and of no user, and the link to its picture.

    Raises BadInput when it is none.
    """
    told = _gathered(parcel.attributes)
    try:
        job = Job.model_validate(
            {
                "id": told.get("ticket", ""),
                "user": "cloud",
                "body": parcel.body,
                "operation": told.get("operation", ""),
                "params": told.get("params"),
                "attempt": _count(told, "attempt") or 0,
                "received_ms": _count(told, "sent_ms"),
                "deadline_ms": _count(told, "deadline_ms"),
                "traceparent": told.get("traceparent"),
                "claim": told.get("claim"),
            }
        )
    except ValidationError as error:
        raise BadInput(bad_field(error)) from None
    return job, told.get("link")


def answer_parcel(answer: Answer, began_ms: int | None = None) -> Parcel:
    """An answer on its way home; its job's id is the ticket. `began_ms` is when the run began, of one that ran."""
    told = {
        "kind": "answer",
        "ticket": answer.job,
        "operation": answer.operation,
        "content_type": answer.content_type,
        "vm": answer.vm,
        "model": answer.model,
        "ran_ms": None if answer.ran_ms is None else str(answer.ran_ms),
        "began_ms": None if began_ms is None else str(began_ms),
        "claim": answer.claim,
    }
    return Parcel(answer.body, _spread(told))


def returned_parcel(parcel: Parcel, reason: str) -> Parcel:
    """A job that this service can't serve, on its way home as it came, so that a VM may run it."""
    return Parcel(parcel.body, {**parcel.attributes, "kind": "returned", "reason": _ascii(reason)[:ATTRIBUTE_BYTES]})


class CloudAnswer(BaseModel):
    """An answer as a service told it."""

    ticket: str
    content_type: str
    vm: str | None = None
    model: str | None = None
    ran_ms: int | None = None
    began_ms: int | None = None
    claim: str | None = None
    body: bytes


def read_answer(parcel: Parcel) -> CloudAnswer:
    """The answer of a parcel. Raises BadInput when it is none."""
    try:
        told: dict[str, Any] = {**parcel.attributes, "body": parcel.body}
        return CloudAnswer.model_validate(told)
    except ValidationError as error:
        raise BadInput(bad_field(error)) from None


def read_push(text: bytes) -> Parcel:
    """The parcel in a wrapped Pub/Sub push (JSON, the data in base64). Raises BadInput when it is none."""
    try:
        message = json.loads(text)["message"]
        body = base64.b64decode(message.get("data") or "", validate=True)
        attributes = {str(key): str(value) for key, value in (message.get("attributes") or {}).items()}
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        detail = f"body: not a wrapped Pub/Sub push ({type(error).__name__}: {str(error)[:100]})."
        remedy = "Push with the payload wrapped, as `overspill cloud init` sets it up."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="body", remedy=remedy)) from None
    return Parcel(body, attributes)


def _spread(told: Mapping[str, str | None]) -> dict[str, str]:
    """Attributes within the bounds: what is absent left out, long text in parts, the rest as plain short text."""
    spread: dict[str, str] = {}
    for name, value in told.items():
        if value is None:
            continue
        text = _ascii(value)
        if name not in _LONG:
            spread[name] = text[:ATTRIBUTE_BYTES]
            continue
        for index, start in enumerate(range(0, len(text), ATTRIBUTE_BYTES)):
            spread[name if index == 0 else f"{name}.{index}"] = text[start : start + ATTRIBUTE_BYTES]
    return spread


def _gathered(attributes: Mapping[str, str]) -> dict[str, str]:
    """The long ones in one piece again."""
    told = dict(attributes)
    for name in _LONG:
        index = 1
        while name in told and (more := told.get(f"{name}.{index}")) is not None:
            told[name] += more
            index += 1
    return told


def _ascii(text: str) -> str:
    """Attributes count in bytes of UTF-8: with ASCII alone, characters are bytes."""
    return text if text.isascii() else text.encode("ascii", errors="replace").decode()


def _count(told: Mapping[str, str], name: str) -> int | None:
    value = told.get(name, "")
    return min(int(value), MOST) if value.isascii() and value.isdigit() and len(value) < 20 else None
