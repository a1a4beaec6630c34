"""The wire contract: what travels on the bus, written once, with its AMQP mapping in both directions.

`Message` is an AMQP message without a client library in it; `Job` and `Answer` are what it may mean. What overspill
tells of itself is in `bus.events`, what an operator asks of it in `bus.control`. Times named `_ms` are milliseconds,
absolute ones since the Unix epoch.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from bus.errors import BadInput
from bus.problems import PROBLEM_JSON, Kind, Problem, bad_field
from bus.topology import CLOUD_KEY, is_internal
from bus.trace_context import LONGEST, readable

JSON = "application/json"
ANONYMOUS = "anonymous"
SHORT_BYTES = 255
"""The most an AMQP short string holds: ids, keys and queue names."""
PARAMS_BYTES = 16_384
"""The most `params` may take as JSON. A header that outgrew its frame would end the connection that carries it."""
PARAMS_DEPTH = 8
HISTORY_REASON = 300
"""Characters of a failed attempt's reason."""
HISTORY_KEPT = 10
"""Failed attempts that a job remembers, the latest ones: what outgrew a frame would end the connection."""
INTERACTIVE = 5
"""The priority from which a job has someone waiting for it."""
LONGEST_EXPIRATION_MS = 2**32 - 1
"""The broker closes the channel of a publisher that asks for more."""
MOST = 2**62
"""The largest whole number that is believed: sums and differences of two of them still fit the 64 bits of AMQP."""
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


class WireModel(BaseModel):
    """What all models on the wire have in common."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


def _short(value: str) -> str:
    if len(value.encode()) > SHORT_BYTES:
        raise PydanticCustomError("too_long", "must be at most 255 bytes of UTF-8", {"max_length": SHORT_BYTES})
    return value


ShortStr = Annotated[str, AfterValidator(_short), WithJsonSchema({"type": "string", "maxLength": SHORT_BYTES})]
"""Text that fits an AMQP short string."""


def _params(value: Any) -> Any:
    """`params` as a plain JSON object, the same at every hop: from a JSON string, or from an AMQP table."""
    if value is None or value in ("", b""):
        return {}
    if isinstance(value, bytes | str):
        value = _parsed(value)
    if not isinstance(value, dict):
        raise ValueError('must be a JSON object such as {"format": "png"}')  # noqa: TRY004 (pydantic wants it)
    if _deeper_than(PARAMS_DEPTH, value):
        raise ValueError(f"must be nested at most {PARAMS_DEPTH} levels deep")
    text = _written(value)
    if len(text) > PARAMS_BYTES:
        raise PydanticCustomError("too_long", f"must be at most {PARAMS_BYTES} bytes", {"max_length": PARAMS_BYTES})
    return json.loads(text)


def _parsed(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None
    except RecursionError:
        raise ValueError("is nested too deeply to be read") from None


def _written(value: dict[Any, Any]) -> str:
    try:
        return json.dumps(value, default=_plain, allow_nan=False)
    except TypeError:  # a key that was not UTF-8 comes as bytes
        raise ValueError("has a key that is not text") from None


def _deeper_than(levels: int, value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper_than(levels - 1, item) for item in inner)


def _plain(value: Any) -> Any:
    """What an AMQP table may hold and JSON may not: decimals, bytes, points in time."""
    if isinstance(value, Decimal):
        return float(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


Traceparent = Annotated[
    str | None,
    BeforeValidator(readable),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": LONGEST}, {"type": "null"}]}),
]
"""The trace and the span that something belongs to; absent where what came is no such thing."""


class JobHeaders(WireModel):
    """The AMQP headers a caller may set on a job; every one is optional, others are ignored."""

    user: str = Field(ANONYMOUS, min_length=1, max_length=128, description="Whose fair share the job counts against.")
    params: Annotated[dict[str, Any], BeforeValidator(_params)] = Field(
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


def _cut_reason(value: Any) -> Any:
    return value[:HISTORY_REASON] if isinstance(value, str) else value


class Attempt(WireModel):
    """One placement of a job that came to nothing; a longer `reason` is cut."""

    attempt: int = Field(ge=0, le=MOST)
    at_ms: int = Field(ge=0, le=MOST)
    vm: str | None = None
    problem: str | None = Field(None, description="The problem's slug.")
    reason: Annotated[str, BeforeValidator(_cut_reason)] = Field(max_length=HISTORY_REASON)


def _history(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value


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
    history: Annotated[tuple[Attempt, ...], BeforeValidator(_history)] = Field(
        (),
        description="The latest placements that came to nothing: a JSON list as a string.",
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
        return self.model_copy(update={"history": (*self.history, told)[-HISTORY_KEPT:]})

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
        _check_one_picture(message)
        given = {key: headers[key] for key in JobHeaders.model_fields if headers.get(key) is not None}
        try:
            return cls(
                **_told_by_hops(headers if trusted else {}, now_ms),
                **given,
                deadline_ms=_deadline_ms(message, now_ms, trusted=trusted),
                operation=_operation_of(message) if trusted else _text(message.routing_key),
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
            headers["history"] = _ATTEMPTS.dump_json(self.history, exclude_none=True).decode()
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


_ATTEMPTS = TypeAdapter(tuple[Attempt, ...])


def _check_one_picture(message: Message) -> None:
    """Raises BadInput for a job with a body and a claim: which of the two is meant, nobody knows."""
    if message.body and message.headers.get("claim") is not None:
        detail = "claim: the message has a body as well; a claim takes the place of the body."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="claim", remedy="Send the one or the other."))


def _told_by_hops(headers: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """What routers and VMs wrote on the way. What is wrong is not the caller's to mend: it is read as absent."""
    counts = {"received_ms": MOST, "attempt": MOST_ATTEMPTS, "replays": MOST_ATTEMPTS, "pixels": MOST}
    hop: dict[str, Any] = {key: headers[key] for key, most in counts.items() if _is_count(headers.get(key), most)}
    hop.setdefault("received_ms", now_ms)
    placement = headers.get("placement")
    if isinstance(placement, str) and len(placement) <= 64:
        hop["placement"] = placement
    hop["history"] = _history_of(headers.get("history"))
    return hop


def _history_of(value: Any) -> tuple[Attempt, ...]:
    """The attempts told in a header, or none: it is not the caller's to write."""
    if not isinstance(value, str | bytes):
        return ()
    try:
        return _ATTEMPTS.validate_json(value)[-HISTORY_KEPT:]
    except ValidationError:
        return ()


def job_id_of(message: Message) -> str:
    """The caller's `message_id`, or a new random id."""
    return message.message_id or uuid.uuid4().hex


def told_id_of(message: Message) -> str:
    """The id to tell of a message that may not be a job at all: text, and no longer than allowed."""
    return cut(_text(message.message_id)) or uuid.uuid4().hex


def _operation_of(message: Message) -> str:
    """The routing key as the caller published it; past the router, where the key names a queue, the hop header."""
    key = _text(message.routing_key)
    named = message.headers.get("operation") if key == CLOUD_KEY or is_internal(key) else None
    return cut(named) if isinstance(named, str) else key


def _text(value: str | bytes | None) -> str:
    """A property as text. Clients hand over bytes where a peer sent something else than UTF-8."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def cut(text: str, most: int = SHORT_BYTES) -> str:
    """`text` cut to `most` bytes of UTF-8."""
    return text.encode(errors="replace")[:most].decode(errors="ignore")


def _is_count(value: Any, most: int = MOST) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _deadline_ms(message: Message, now_ms: int, *, trusted: bool) -> int | None:
    """The absolute deadline, as an earlier hop told it or by the message's `expiration`; none is later than can be."""
    told = message.headers.get("deadline_ms") if trusted else None
    deadline_ms = told if _is_count(told) else _expires_ms(message, now_ms)
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


class AnswerHeaders(WireModel):
    """The AMQP headers of an answer: where and how the job ran. A problem found before it ran has only some."""

    job: str
    operation: str
    route: Literal["vm", "cloud"] | None = None
    vm: str | None = Field(None, description="The machine, or the cloud revision.")
    attempt: int | None = None
    waited_ms: int | None = Field(None, description="From the router taking it up to the start of the run.")
    ran_ms: int | None = None
    model: str | None = Field(None, description="The program or network that made the result.")
    cost: float | None = Field(
        None,
        ge=0,
        description="Estimated price of a run in the cloud, US dollars; as text, since many clients misread AMQP's "
        "floating-point numbers.",
        json_schema_extra={"anyOf": [{"type": "string", "examples": ["1.03e-05"]}, {"type": "null"}]},
    )
    claim: str | None = Field(
        None, description="Where the result lies in the blob store, when it is too large for a message; no body then."
    )
    link: str | None = Field(None, description="A link to fetch it by, for as long as it lasts; not every store signs.")
    replays: int | None = Field(
        None, description="How often an operator had sent the job again out of the dead queue; absent is never."
    )
    traceparent: Traceparent = Field(
        None, description="W3C trace context: the latest span of the job, or the caller's."
    )


class Answer(AnswerHeaders):
    """The one answer to a job: a result, or a problem when `content_type` is `application/problem+json`."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    correlation_id: str | bytes | None = None
    content_type: str
    body: bytes = Field(repr=False)

    @property
    def problem(self) -> Problem | None:
        """The problem document, or None when this is a result. Raises BadInput when it can't be read."""
        if self.content_type != PROBLEM_JSON:
            return None
        try:
            return Problem.model_validate_json(self.body)
        except ValidationError as error:
            raise BadInput(bad_field(error)) from None

    @classmethod
    def to(cls, job: Job, *, content_type: str, body: bytes, **headers: Any) -> "Answer":
        """The answer to `job`; its correlation id is the caller's, else the job's id."""
        return cls(
            job=job.id,
            operation=job.operation,
            correlation_id=job.correlation_id or job.id,
            content_type=content_type,
            body=body,
            **{"replays": job.replays or None, "traceparent": job.traceparent, **headers},
        )

    @classmethod
    def refusal(cls, job: Job, problem: Problem, **headers: Any) -> "Answer":
        """The error answer to `job`."""
        problem = problem.model_copy(update={"instance": problem.instance or f"urn:overspill:job:{job.id}"})
        return cls.to(job, content_type=PROBLEM_JSON, body=problem.to_json(), **headers)

    @classmethod
    def from_message(cls, message: Message) -> "Answer":
        """Read an answer. Raises BadInput when it is none (no `job` header, say)."""
        try:
            return cls(
                **{key: message.headers[key] for key in AnswerHeaders.model_fields if key in message.headers},
                id=message.message_id or "",
                correlation_id=message.correlation_id,
                content_type=message.content_type or "application/octet-stream",
                body=message.body,
            )
        except ValidationError as error:
            raise BadInput(bad_field(error)) from None

    def to_message(self, reply_to: str) -> Message:
        """The answer as a message for the caller's reply queue."""
        headers = {key: getattr(self, key) for key in AnswerHeaders.model_fields}
        return Message(
            body=self.body,
            routing_key=reply_to,
            headers={key: value for key, value in headers.items() if value is not None},
            content_type=self.content_type,
            message_id=self.id,
            correlation_id=self.correlation_id,
        )


def unreadable(message: Message, problem: Problem) -> Message | None:
    """The error answer to a message that could not be read as a job, or None when it names nowhere to send it."""
    reply_to = message.reply_to
    if not isinstance(reply_to, str) or not reply_to or is_internal(reply_to):
        return None
    job = Job.model_construct(
        id=told_id_of(message),
        operation=_operation_of(message),
        correlation_id=message.correlation_id,
        traceparent=readable(message.headers.get("traceparent")),
        body=b"",
    )
    return Answer.refusal(job, problem).to_message(reply_to)


def operation_problem(operation: str, known: tuple[str, ...]) -> Problem:
    """The answer to a job whose routing key names no operation."""
    return Problem.of(
        Kind.UNKNOWN_OPERATION,
        f"{operation!r} is not an operation; there are {', '.join(known)}.",
        field="routing_key",
    )
