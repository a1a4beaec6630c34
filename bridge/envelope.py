"""Jobs and answers as they travel through a cloud: bytes with attributes, and Pub/Sub's push around them. Pure.

No address, user or job id of a caller leaves the site: a job is known outside by its ticket alone, and who waits for it
is written in the bridge's own queue.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bus.answers import Answer
from bus.errors import BadInput
from bus.messages import CLAIM, Job
from bus.problems import bad_field
from bus.wire import MOST, ShortStr, cut

ATTRIBUTE_BYTES: Final = 1024
"""The most a value may have on Pub/Sub; longer text goes on under `name.1`, `name.2`."""
MOST_ATTRIBUTES: Final = 100
RESERVED: Final = "goog"
"""What the name of an attribute may not begin with: Google's own do."""
LINK_BYTES: Final = 16_384
"""A link beyond this is left out, so that the attributes stay within their number; the claim is there all the same."""
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
        "link": link if link and len(link) <= LINK_BYTES else None,
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
                "attempt": read_count(told.get("attempt", "")) or 0,
                "received_ms": read_count(told.get("sent_ms", "")),
                "deadline_ms": read_count(told.get("deadline_ms", "")),
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
        "traceparent": answer.traceparent,
    }
    return Parcel(answer.body, _spread(told))


def returned_parcel(parcel: Parcel, reason: str) -> Parcel:
    """A job that this service can't serve, on its way home as it came, so that a VM may run it."""
    ours = {name: value for name, value in parcel.attributes.items() if not name.startswith(RESERVED)}
    return Parcel(parcel.body, {**ours, **_spread({"kind": "returned", "reason": reason})})


def served_elsewhere(parcel: Parcel, reason: str) -> Parcel:
    """A job on its way home, of an operation that is served all the same: others of it may be sent."""
    back = returned_parcel(parcel, reason)
    return Parcel(back.body, {**back.attributes, "served": "yes"})


_Ms = Annotated[int, Field(ge=0, le=MOST)]
_RESULT_CLAIM: Final = CLAIM.replace("(pictures|results)", "results")


class CloudAnswer(BaseModel):
    """An answer as a service told it, with nothing in it that AMQP could not carry on."""

    ticket: ShortStr = Field(min_length=1)
    content_type: ShortStr = Field(min_length=1)
    vm: str | None = None
    model: str | None = None
    ran_ms: _Ms | None = None
    began_ms: _Ms | None = None
    claim: str | None = Field(None, pattern=_RESULT_CLAIM)
    body: bytes = Field(repr=False)


def read_answer(parcel: Parcel) -> CloudAnswer:
    """The answer of a parcel. Raises BadInput when it is none."""
    try:
        told: dict[str, Any] = {**parcel.attributes, "body": parcel.body}
        return CloudAnswer.model_validate(told)
    except ValidationError as error:
        raise BadInput(bad_field(error)) from None


class _PushedMessage(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64")

    data: bytes | None = None
    attributes: dict[str, str] | None = None


class _Push(BaseModel):
    message: _PushedMessage


def read_push(text: bytes) -> Parcel:
    """The parcel in a wrapped Pub/Sub push (JSON, the data in base64). Raises BadInput when it is none."""
    try:
        message = _Push.model_validate_json(text).message
    except ValidationError as error:
        remedy = "Push with the payload wrapped, as `overspill cloud init` sets it up."
        raise BadInput(bad_field(error).model_copy(update={"remedy": remedy})) from None
    return Parcel(message.data or b"", message.attributes or {})


def _spread(told: Mapping[str, str | None]) -> dict[str, str]:
    """Attributes within the bounds: what is absent left out, long text in parts, other text cut."""
    spread: dict[str, str] = {}
    for name, value in told.items():
        if value is not None:
            parts = _parts(value) if name in _LONG else [cut(value, ATTRIBUTE_BYTES)]
            spread |= {f"{name}.{index}" if index else name: part for index, part in enumerate(parts)}
    return spread


def _parts(text: str) -> Iterator[str]:
    """Text in pieces of the bytes that a value may have, no character torn."""
    while text:
        part = cut(text, ATTRIBUTE_BYTES)
        yield part
        text = text[len(part) :]


def _gathered(attributes: Mapping[str, str]) -> dict[str, str]:
    """The long ones in one piece again."""
    told = dict(attributes)
    for name in _LONG:
        index = 1
        while name in told and (more := told.get(f"{name}.{index}")) is not None:
            told[name] += more
            index += 1
    return told


def read_count(text: str) -> int | None:
    """The whole number that a text is, cut to what AMQP can carry on; None when it is none."""
    return min(int(text), MOST) if text.isascii() and text.isdigit() and len(text) < 20 else None
