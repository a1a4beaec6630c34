"""The wire contract: an AMQP message, and the job it may mean, with its mapping in both directions.

`Message` has no client library in it. What comes back for a job is in `bus.answers`, what overspill tells of itself in
`bus.events`, what an operator asks of it in `bus.control`. Times named `_ms` are milliseconds, absolute ones since the
Unix epoch.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from bus.attempts import Attempt, History, history_of, kept, written
from bus.errors import BadInput
from bus.params import Params
from bus.problems import Kind, Problem, bad_field
from bus.topology import CLOUD_KEY, is_internal
from bus.wire import MOST, ShortStr, Traceparent, WireModel, cut, is_count

ANONYMOUS = "anonymous"
LONGEST_USER = 128
"""Characters of a user's name."""
INTERACTIVE = 5
"""The priority from which a job has someone waiting for it."""
LONGEST_EXPIRATION_MS = 2**32 - 1
"""The broker closes the channel of a publisher that asks for more."""
MOST_ATTEMPTS = 2**31
LARGEST_BODY = 9_500_000
"""Bytes of a body that goes to the cloud as it is: a Pub/Sub message takes 10,000,000, attributes included."""
CLAIM = r"^(pictures|results)/[0-9]{8}/[0-9a-f]{32}$"
"""What a claim looks like: kind, day, and a name that can't be guessed."""
PICTURE_CLAIM = CLAIM.replace("(pictures|results)", "pictures")
"""What the claim of a job looks like: nobody has a result computed as if it were theirs to send."""
_NAMES_ON_THE_WIRE = {"id": "message_id", "operation": "routing_key"}


@dataclass(frozen=True, slots=True)
class Message:
    """One AMQP message: body, routing key and the properties overspill uses. `headers` is an AMQP table."""

    body: bytes = field(default=b"", repr=False)
    routing_key: str = ""
    headers: Mapping[str, Any] = field(default_factory=dict)
    content_type: str | None = None
    message_id: str | None = None
    correlation_id: str | bytes | None = None
    reply_to: str | None = None
    expiration: str | None = None
    priority: int | None = None
    timestamp: int | None = None
    """Seconds since the Unix epoch: AMQP's own unit."""


class JobHeaders(WireModel):
    """The AMQP headers a caller may set on a job; every one is optional, others are ignored."""

    user: str = Field(
        ANONYMOUS, min_length=1, max_length=LONGEST_USER, description="Whose fair share the job counts against."
    )
    params: Params = Field(
        default_factory=dict,
        description="Parameters of the operation: an AMQP table, or a JSON object as a string.",
        json_schema_extra={"type": ["object", "string"]},
    )
    site: Literal["any", "local"] = Field("any", description="`local` keeps the picture off the cloud.")
    traceparent: Traceparent = Field(None, description="W3C trace context; what is none is ignored.")
    claim: str | None = Field(
        None,
        pattern=PICTURE_CLAIM,
        description="Where the picture lies in the blob store, when it is too large for a message; the body is empty.",
    )


class HopHeaders(WireModel):
    """The AMQP headers the router and the VMs add on the way."""

    operation: ShortStr
    received_ms: int | None = Field(None, description="When a router first took the job up.")
    deadline_ms: int | None = Field(None, description="After this moment the job is answered `expired`, never run.")
    attempt: int = Field(0, ge=0, description="How often it was placed, this time included.")
    placement: str | None = Field(
        None, max_length=64, description="The router's id of this placement; callers' ids may repeat, this one never."
    )
    replays: int = Field(0, ge=0, description="How often an operator sent it again out of the dead queue.")
    pixels: int | None = Field(None, ge=0, description="Width times height, as far as the router could tell.")
    history: History = Field(
        (),
        description="Placements that came to nothing, the first and the latest: a JSON list as a string.",
        json_schema_extra={"type": "string"},
    )


class Job(JobHeaders, HopHeaders):
    """One image job.

    `id` is the caller's `message_id`, or one we assign; `body` the image's bytes as they came.
    """

    id: ShortStr = Field(min_length=1)
    body: bytes = Field(repr=False)
    correlation_id: ShortStr | bytes | None = None
    reply_to: ShortStr | None = Field(None, min_length=1)
    priority: int = Field(0, ge=0, le=9)
    content_type: ShortStr | None = None

    @field_validator("reply_to")
    @classmethod
    def _not_ours(cls, queue: str | None) -> str | None:
        if queue is not None and is_internal(queue):
            raise ValueError("is one of overspill's own queues; name a queue of yours")
        return queue

    @property
    def place(self) -> str:
        """What it is counted by on a VM: its placement, or its id when no router placed it."""
        return self.placement or self.id

    @property
    def interactive(self) -> bool:
        """Whether someone waits for it, so that it goes before batch work."""
        return self.priority >= INTERACTIVE

    def failed(self, *, at_ms: int, reason: str, vm: str | None = None, problem: str | None = None) -> "Job":
        """The job with this attempt written into its history."""
        told = Attempt(attempt=self.attempt, at_ms=at_ms, vm=vm, problem=problem, reason=reason)
        return self.model_copy(update={"history": kept((*self.history, told))})

    def left_ms(self, now_ms: int) -> int | None:
        """Milliseconds left to live at `now_ms` (0 when expired), or None without a deadline."""
        return None if self.deadline_ms is None else max(0, self.deadline_ms - now_ms)

    @classmethod
    def from_message(cls, message: Message, now_ms: int, *, trusted: bool = True) -> "Job":
        """Read a job, from a client or from an earlier hop.

        What a client can have written (`trusted=False`) is read as if it had no hop headers: a caller who set them
        would choose its own deadline, attempts and size.

        Raises BadInput when a property or header is wrong; `job_id_of` and the message's `reply_to` still tell where
        the problem belongs.
        """
        headers = message.headers
        check_one_picture(message.body, headers.get("claim"))
        given = {key: headers[key] for key in JobHeaders.model_fields if headers.get(key) is not None}
        try:
            return cls(
                **_told_by_hops(headers if trusted else {}, now_ms),
                **given,
                deadline_ms=_deadline_ms(message, now_ms, trusted=trusted),
                operation=operation_of(message) if trusted else _text(message.routing_key),
                id=job_id_of(message),
                body=message.body,
                correlation_id=message.correlation_id,
                reply_to=message.reply_to or None,
                priority=message.priority or 0,
                content_type=message.content_type,
            )
        except ValidationError as error:
            raise BadInput(bad_field(error, names=_NAMES_ON_THE_WIRE)) from None

    def to_message(self, routing_key: str, now_ms: int) -> Message:
        """The job as a message for its next hop, with the time it has left."""
        headers: dict[str, Any] = {
            "user": self.user,
            "site": self.site,
            "operation": self.operation,
            "attempt": self.attempt,
            "received_ms": self.received_ms,
            "deadline_ms": self.deadline_ms,
            "traceparent": self.traceparent,
            "placement": self.placement,
            "replays": self.replays or None,
            "pixels": self.pixels,
            "claim": self.claim,
        }
        if self.params:
            headers["params"] = json.dumps(self.params)
        if self.history:
            headers["history"] = written(self.history)
        left_ms = self.left_ms(now_ms)
        return Message(
            body=self.body,
            routing_key=routing_key,
            headers={key: value for key, value in headers.items() if value is not None},
            content_type=self.content_type,
            message_id=self.id,
            correlation_id=self.correlation_id,
            reply_to=self.reply_to,
            expiration=None if left_ms is None else str(min(left_ms, LONGEST_EXPIRATION_MS)),
            priority=self.priority,
        )


def check_one_picture(body: bytes, claim: object) -> None:
    """Raises BadInput for a job with a body and a claim: which of the two is meant, nobody knows."""
    if body and claim is not None:
        detail = "claim: the message has a body as well; a claim takes the place of the body."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="claim", remedy="Send the one or the other."))


def _told_by_hops(headers: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """What routers and VMs wrote on the way. What is wrong is not the caller's to mend: it is read as absent."""
    counts = {"received_ms": MOST, "attempt": MOST_ATTEMPTS, "replays": MOST_ATTEMPTS, "pixels": MOST}
    hop: dict[str, Any] = {key: headers[key] for key, most in counts.items() if is_count(headers.get(key), most)}
    hop.setdefault("received_ms", now_ms)
    placement = headers.get("placement")
    if isinstance(placement, str) and len(placement) <= 64:
        hop["placement"] = placement
    hop["history"] = history_of(headers.get("history"))
    return hop


def job_id_of(message: Message) -> str:
    """The caller's `message_id`, or a new random id."""
    return message.message_id or uuid.uuid4().hex


def told_id_of(message: Message) -> str:
    """The id to tell of a message that may not be a job at all: text, and no longer than allowed."""
    return cut(_text(message.message_id)) or uuid.uuid4().hex


def operation_of(message: Message) -> str:
    """The routing key as the caller published it; past the router, where the key names a queue, the hop header."""
    key = _text(message.routing_key)
    named = message.headers.get("operation") if key == CLOUD_KEY or is_internal(key) else None
    return cut(named) if isinstance(named, str) else key


def _text(value: str | bytes | None) -> str:
    """A property as text. Clients hand over bytes where a peer sent something else than UTF-8."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def _deadline_ms(message: Message, now_ms: int, *, trusted: bool) -> int | None:
    """The absolute deadline, as an earlier hop told it or by the message's `expiration`; none is later than can be."""
    told = message.headers.get("deadline_ms") if trusted else None
    deadline_ms = told if is_count(told) else _expires_ms(message, now_ms)
    return None if deadline_ms is None else min(deadline_ms, now_ms + LONGEST_EXPIRATION_MS)


def _expires_ms(message: Message, now_ms: int) -> int | None:
    """When a message with an `expiration` ends.

    The broker does not tell how long a message lay in a queue, only that it was less than its `expiration`. The
    caller's `timestamp` tells when it is plausible by that; it counts whole seconds, so the caller is given one.
    """
    try:
        lives_ms = int(message.expiration or "")
    except ValueError:
        return None
    waited_ms = 0 if message.timestamp is None else now_ms - (message.timestamp + 1) * 1000
    return now_ms + lives_ms - (waited_ms if 0 <= waited_ms <= lives_ms else 0)


def operation_problem(operation: str, known: tuple[str, ...]) -> Problem:
    """The answer to a job whose routing key names no operation."""
    return Problem.of(
        Kind.UNKNOWN_OPERATION,
        f"{operation!r} is not an operation; there are {', '.join(known)}.",
        field="routing_key",
    )
