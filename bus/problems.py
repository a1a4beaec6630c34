"""Every error answer overspill can give, as one catalogue (RFC 9457 problem details)."""

from collections.abc import Collection, Mapping
from enum import Enum
from reprlib import Repr
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PROBLEM_JSON = "application/problem+json"
_URN = "urn:overspill:problem:"


class _Entry(NamedTuple):
    slug: str
    status: int
    title: str
    remedy: str


class Kind(Enum):
    """One kind of problem: its slug (the end of the `type` URN), HTTP status, title and usual remedy."""

    UNKNOWN_OPERATION = _Entry(
        "unknown-operation", 404, "No such operation", "Publish with the name of an operation as the routing key."
    )
    BAD_FIELD = _Entry(
        "bad-field", 422, "A property, header or parameter is wrong", "Correct the named field and send it again."
    )
    EMPTY_IMAGE = _Entry(
        "empty-image", 400, "The image is empty", "Send the image's bytes as the message body, with no wrapper."
    )
    NOT_AN_IMAGE = _Entry(
        "not-an-image", 415, "This is not an image we read", "Send JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF."
    )
    BROKEN_IMAGE = _Entry(
        "broken-image", 422, "The image is damaged", "Export the image again and check that it opens in a viewer."
    )
    TOO_MANY_BYTES = _Entry(
        "too-many-bytes",
        413,
        "The image is too large",
        "Compress or scale the image; the operator may raise OVERSPILL_MAX_IMAGE_BYTES.",
    )
    TOO_MANY_PIXELS = _Entry(
        "too-many-pixels",
        413,
        "The image has too many pixels",
        "Scale the image down; the operator may raise OVERSPILL_MAX_PIXELS.",
    )
    NO_SUCH_CLAIM = _Entry(
        "no-such-claim",
        410,
        "The picture is not in the blob store",
        "Put the picture into the store again and send the job with its new claim; what lies there is kept for a day.",
    )
    EXPIRED = _Entry("expired", 504, "The job's time to live ran out", "Send it again with a longer expiration.")
    TIMED_OUT = _Entry(
        "timed-out", 504, "The operation took too long", "Send a smaller image, or raise OVERSPILL_JOB_TIMEOUT_S."
    )
    TOO_MANY_ATTEMPTS = _Entry(
        "too-many-attempts",
        500,
        "Every attempt failed",
        "The job is kept in the queue `dead` for the operator; the detail names the last fault.",
    )
    TOO_MANY_JOBS = _Entry(
        "too-many-jobs",
        429,
        "The user has too many jobs in line",
        "Send it again after `retry_after_s` seconds; the operator may raise OVERSPILL_USER_QUEUED.",
    )
    TOO_FAST = _Entry(
        "too-fast",
        429,
        "The user sends jobs too fast",
        "Send it again after `retry_after_s` seconds; the operator may raise OVERSPILL_USER_JOBS_PER_MINUTE.",
    )
    CANCELLED = _Entry(
        "cancelled", 499, "The job was cancelled", "Send it again under another id if you still want it."
    )
    OUT_OF_MEMORY = _Entry(
        "out-of-memory",
        500,
        "The job needs more memory than a machine gives it",
        "Send a smaller image; the operator may raise OVERSPILL_CHILD_MEMORY_MIB.",
    )
    OPERATION_FAILED = _Entry(
        "operation-failed", 500, "The operation failed", "Report the detail to whoever runs these machines."
    )
    # Over HTTP alone.
    BAD_REQUEST = _Entry("bad-request", 400, "The request can't be read", "Correct what the detail names.")
    NOT_LOGGED_IN = _Entry(
        "not-logged-in", 401, "Nobody is logged in", "Log in, or send `Authorization: Bearer` with an API token."
    )
    NOT_ALLOWED = _Entry("not-allowed", 403, "Not allowed", "Ask whoever runs these machines.")
    NOT_FOUND = _Entry("not-found", 404, "There is no such thing here", "Look at the list; what is old is removed.")
    BAD_METHOD = _Entry("bad-method", 405, "Not with this method", "The header Allow names those that may be used.")
    NOT_NOW = _Entry("not-now", 409, "Not in its present state", "Wait until it has ended, or cancel it first.")
    KEY_REUSED = _Entry(
        "key-reused", 422, "The Idempotency-Key was used for another request", "Use a new key for a new request."
    )
    TOO_MANY_REQUESTS = _Entry(
        "too-many-requests", 429, "Too many requests", "Send it again after `retry_after_s` seconds."
    )
    TOO_MUCH_KEPT = _Entry(
        "too-much-kept", 429, "Your pictures take too much disk", "Remove jobs you no longer need, or wait for a day."
    )
    NO_SUCH_RANGE = _Entry(
        "no-such-range", 416, "The file has no such part", "Ask for bytes within its size, or for all of it."
    )
    TOO_SLOW = _Entry("too-slow", 408, "The body did not come in time", "Send it again over a faster line.")
    SURPRISE = _Entry("surprise", 500, "A fault of ours", "Try again; if it happens again, report it with the time.")
    NOT_READY = _Entry("not-ready", 503, "Not just now", "Send it again after `retry_after_s` seconds.")

    @property
    def urn(self) -> str:
        """The value of the problem's `type` member."""
        return _URN + self.value.slug


class Problem(BaseModel):
    """An RFC 9457 problem document: the body of every error answer.

    `field` names the property, header or parameter at fault, `limit` the bound that was broken (in the unit that
    `detail` names), `remedy` what the caller can do, `retry_after_s` (seconds) when the same job may pass later.
    """

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str | None = None
    field: str | None = None
    limit: float | int | None = None
    remedy: str | None = None
    retry_after_s: float | None = None

    @classmethod
    def of(cls, kind: Kind, detail: str, **members: Any) -> "Problem":
        """A problem of `kind` whose remedy is the kind's own unless `members` give a better one."""
        entry = kind.value
        members.setdefault("remedy", entry.remedy)
        return cls(type=kind.urn, title=entry.title, status=entry.status, detail=detail, **members)

    @property
    def slug(self) -> str:
        """The short name of the kind, as used in events and logs."""
        return self.type.removeprefix(_URN)

    def to_json(self) -> bytes:
        """The document as UTF-8 JSON, absent members left out."""
        return self.model_dump_json(exclude_none=True).encode()


def bad_field(
    error: ValidationError,
    where: str = "",
    names: Mapping[str, str] | None = None,
    secrets: Collection[str] = frozenset(),
) -> Problem:
    """The first fault of a pydantic error as a problem that names its field.

    `where` is put before the field's own name, as in `params.quality`; `names` gives fields the name the sender knows.
    Of a field among `secrets` its value is not told.
    """
    first = error.errors(include_url=False)[0]
    name = ".".join([where, *((names or {}).get(str(part), str(part)) for part in first["loc"])]).strip(".") or "body"
    bounds = first.get("ctx", {})
    limit = next((v for k, v in bounds.items() if k in {"ge", "le", "gt", "lt", "min_length", "max_length"}), None)
    said = first["msg"].removeprefix("Value error, ")
    # Of a missing field pydantic gives what surrounds it, image and all.
    given = "" if first["type"] == "missing" or name in secrets else f" (given {_SHORTLY.repr(first['input'])})"
    return Problem.of(Kind.BAD_FIELD, f"{name}: {said}{given}.", field=name, limit=limit)


def too_many_pixels(width: int, height: int, most: int) -> Problem:
    """The problem of a picture of more than `most` pixels, to the pixel: a rounded figure may look like the limit."""
    detail = f"It is {width:,} x {height:,} pixels, {width * height:,} in all; at most {most:,} are taken."
    return Problem.of(Kind.TOO_MANY_PIXELS, detail, limit=most)


class _Shortly(Repr):
    """A repr of at most about 80 characters, however long or deep the value is."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxstring, self.maxlong = 2, 3, 3, 80, 80

    def repr_bytes(self, value: bytes, _level: int) -> str:
        return repr(value[:40]) + ("..." if len(value) > 40 else "")


_SHORTLY = _Shortly()
