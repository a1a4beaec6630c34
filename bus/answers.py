"""What comes back for a job: one answer, a result or a problem, with its AMQP mapping in both directions."""

import uuid
from typing import Any, Literal

from pydantic import Field, ValidationError

from bus.errors import BadInput
from bus.messages import Job, Message, operation_of, told_id_of
from bus.problems import PROBLEM_JSON, Problem, bad_field
from bus.topology import is_internal
from bus.trace_context import readable
from bus.wire import Traceparent, WireModel


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
        operation=operation_of(message),
        correlation_id=message.correlation_id,
        traceparent=readable(message.headers.get("traceparent")),
        body=b"",
    )
    return Answer.refusal(job, problem).to_message(reply_to)
